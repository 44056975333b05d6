"""``?follow``: a file is read while it is still being uploaded."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.eventually import eventually
from tests.server import drafting
from tests.server.conftest import Api, StartApi
from tests.server.followers import Sending, follow, sending
from tests.server.tus_speaking import (
    OCTETS,
    VERSION,
    arrived,
    ask,
    begin,
    begin_part,
    create,
    metadata,
    patch,
    sha1,
    sha256_field,
)

MIB = 1 << 20
DATA = os.urandom(3 * MIB)
HALF = len(DATA) // 2
BIG = os.urandom(24 * MIB)

Begin = Callable[[Api], AbstractAsyncContextManager[Sending]]


async def arrives(api: Api) -> None:
    """Wait until a PUT has become an upload; before that there is nothing to follow."""
    async with asyncio.timeout(30):
        while not await api.services.uploads.open_for("file.bin"):
            await asyncio.sleep(0.01)


async def is_followed(api: Api, readers: int = 1) -> bool:
    """Whether so many transfers are under way."""
    return await eventually(lambda: api.services.traffic.transfers >= readers)


# --- whose bytes are seen -------------------------------------------------------------------------


async def test_an_upload_is_read_to_its_end_while_it_arrives(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        first = await follower.has(HALF)
        await patch(api, url, HALF, DATA[HALF:])
        whole = await follower.end()

    assert (first, whole) == (DATA[:HALF], DATA)
    assert follower.status == 200
    assert follower.headers["Content-Length"] == str(len(DATA))
    assert follower.headers["Accept-Ranges"] == "none"
    assert follower.headers["Cache-Control"] == "no-store"
    assert follower.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"ETag", "Last-Modified", "Repr-Digest"} & set(follower.headers)


@asynccontextmanager
async def tus(api: Api) -> AsyncIterator[Sending]:
    url = await begin(api, len(BIG))
    fields = {"Tus_Resumable": VERSION, "Content_Type": OCTETS, "Upload_Offset": "0"}
    async with sending(api.port, "PATCH", url, len(BIG), **fields) as writer:
        yield writer


@asynccontextmanager
async def draft(api: Api) -> AsyncIterator[Sending]:
    path = "/v1/files/file.bin"
    async with sending(api.port, "PUT", path, len(BIG), Upload_Complete="?1") as writer:
        yield writer


@asynccontextmanager
async def put(api: Api) -> AsyncIterator[Sending]:
    async with sending(api.port, "PUT", "/v1/files/file.bin", len(BIG)) as writer:
        yield writer


@asynccontextmanager
async def chunked(api: Api) -> AsyncIterator[Sending]:
    async with sending(api.port, "PUT", "/v1/files/file.bin", None) as writer:
        yield writer


@pytest.mark.parametrize("begin_request", [tus, draft, put, chunked])
async def test_what_came_of_a_request_that_still_sends_is_seen(
    api: Api, begin_request: Begin
) -> None:
    async with begin_request(api) as writer:
        await writer.send(BIG[:MIB])
        await arrives(api)
        async with follow(api.port) as follower:
            first = await follower.has(MIB)
            await writer.send(BIG[MIB:])
            status = await writer.end()
            whole = await follower.end()

    assert first == BIG[:MIB]
    assert status in (201, 204)
    assert whole == BIG
    assert ("Content-Length" in follower.headers) == (begin_request is not chunked)


async def test_a_file_whose_length_is_told_late_is_followed_too(api: Api) -> None:
    url = await begin(api, None)
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await patch(api, url, HALF, DATA[HALF:], Upload_Length=str(len(DATA)))
        whole = await follower.end()

    assert whole == DATA
    assert "Content-Length" not in follower.headers


async def test_an_upload_that_ends_without_a_byte_is_an_empty_file(api: Api) -> None:
    url = await begin(api, None)

    async with follow(api.port) as follower:
        await patch(api, url, 0, b"", Upload_Length="0")
        whole = await follower.end()

    assert (follower.status, whole) == (200, b"")


async def test_a_store_that_copies_uploads_is_followed_too(start_api: StartApi) -> None:
    api = await start_api(store="memory://")
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await patch(api, url, HALF, DATA[HALF:])

        assert await follower.end() == DATA


async def test_parts_are_seen_when_they_are_joined(api: Api) -> None:
    first = await begin_part(api, DATA[:HALF])
    second = await begin_part(api, DATA[HALF:], complete=False)
    await create(
        api, Upload_Concat=f"final;{first} {second}", Upload_Metadata=metadata(filename="file.bin")
    )

    async with follow(api.port) as follower:
        await patch(api, second, 0, DATA[HALF:])

        assert await follower.end() == DATA


async def test_the_newest_of_several_uploads_is_followed(api: Api) -> None:
    old, new = await begin(api, len(DATA)), await begin(api, len(DATA))
    await patch(api, old, 0, bytes(HALF))
    await patch(api, new, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await patch(api, new, HALF, DATA[HALF:])

        assert await follower.end() == DATA


async def test_the_file_that_stood_there_before_is_not_what_is_followed(api: Api) -> None:
    await api.put("file.bin", b"old")
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        between = await api.get("/v1/files/file.bin")
        await patch(api, url, HALF, DATA[HALF:])
        whole = await follower.end()

    assert (between, whole) == (b"old", DATA)


# --- what is not followed -------------------------------------------------------------------------


async def test_without_an_upload_the_stored_file_is_sent_as_always(api: Api) -> None:
    etag = (await api.put("file.bin", DATA))["etag"]

    response, body = await api.call("GET", "/v1/files/file.bin?follow", Range="bytes=5-9")

    assert (response.status, body) == (206, DATA[5:10])
    assert response.headers["ETag"] == etag


async def test_nothing_to_follow_is_not_found(api: Api) -> None:
    response, _ = await api.call("GET", "/v1/files/file.bin?follow")

    assert response.status == 404


@pytest.mark.parametrize("query", ["", "?follow=0", "?follow=false", "?follow=False"])
async def test_who_does_not_ask_for_it_gets_the_stored_file(api: Api, query: str) -> None:
    await api.put("file.bin", b"old")
    await patch(api, await begin(api, len(DATA)), 0, DATA[:HALF])

    assert await api.get(f"/v1/files/file.bin{query}") == b"old"


async def test_an_upload_that_was_left_long_ago_is_not_followed(start_api: StartApi) -> None:
    api = await start_api(follow_timeout=0.2)
    await api.put("file.bin", b"old")
    await patch(api, await begin(api, len(DATA)), 0, DATA[:HALF])
    await asyncio.sleep(0.3)

    assert await api.get("/v1/files/file.bin?follow") == b"old"


async def test_a_part_is_no_file_to_be_followed(api: Api) -> None:
    await create(
        api,
        Upload_Length=str(len(DATA)),
        Upload_Concat="partial",
        Upload_Metadata=metadata(filename="file.bin"),
    )

    response, _ = await api.call("GET", "/v1/files/file.bin?follow")

    assert response.status == 404


# --- bad ends -------------------------------------------------------------------------------------


async def test_a_reader_is_cut_when_the_upload_is_deleted(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await ask(api, "DELETE", url)

        assert await follower.cut() == DATA[:HALF]


async def test_a_reader_is_cut_when_a_request_under_way_is_ended_by_a_delete(api: Api) -> None:
    async with tus(api) as writer:
        await writer.send(BIG[:MIB])
        await arrives(api)
        async with follow(api.port) as follower:
            await follower.has(MIB)
            (upload,) = await api.services.uploads.open_for("file.bin")
            await ask(api, "DELETE", f"/v1/uploads/{upload.id}")

            assert await follower.cut() == BIG[:MIB]


@pytest.mark.parametrize("length", [len(DATA), None])
async def test_an_upload_that_is_not_what_was_announced_never_looks_whole(
    api: Api, length: int | None
) -> None:
    size = {"Upload_Defer_Length": "1"} if length is None else {"Upload_Length": str(length)}
    sha256 = hashlib.sha256(b"other").hexdigest()
    created = await create(
        api, **size, Upload_Metadata=metadata(filename="file.bin", sha256=sha256)
    )
    url = created.headers["Location"]

    async with follow(api.port) as follower:
        refused = await patch(api, url, 0, DATA, Upload_Length=str(len(DATA)))
        came = await follower.cut()

    assert refused.status == 400
    assert came == DATA[: len(came)]


async def test_a_put_that_is_not_what_was_announced_never_looks_whole(api: Api) -> None:
    path = "/v1/files/file.bin"
    digest = sha256_field(b"other")
    async with sending(api.port, "PUT", path, len(BIG), Repr_Digest=digest) as writer:
        await writer.send(BIG[:MIB])
        await arrives(api)
        async with follow(api.port) as follower:
            await writer.send(BIG[MIB:])
            status = await writer.end()
            came = await follower.cut()

    assert status == 400
    assert came == BIG[: len(came)]


async def test_a_reader_is_cut_when_the_file_may_not_be_stored(api: Api) -> None:
    path = "/v1/files/file.bin"
    async with sending(api.port, "PUT", path, len(BIG), If_None_Match="*") as writer:
        await writer.send(BIG[:MIB])
        await arrives(api)
        async with follow(api.port) as follower:
            await api.put("file.bin", b"another was quicker")
            await writer.send(BIG[MIB:])
            status = await writer.end()
            came = await follower.cut()

    assert status == 412
    assert len(came) < len(BIG)


async def test_a_reader_is_cut_when_the_upload_expires(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=3.0)
    await patch(api, await begin(api, len(DATA)), 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        while not await api.services.uploads.sweeper.sweep():
            await asyncio.sleep(0.05)

        assert await follower.cut() == DATA[:HALF]


async def test_a_reader_is_cut_when_nothing_comes_any_more(start_api: StartApi) -> None:
    api = await start_api(follow_timeout=3.0)
    await patch(api, await begin(api, len(DATA)), 0, DATA[:HALF])

    async with follow(api.port) as follower:
        assert await follower.cut() == DATA[:HALF]


async def test_bytes_of_a_bad_checksum_are_never_shown(api: Api) -> None:
    url = await begin(api, len(DATA))
    fields = {"Tus_Resumable": VERSION, "Content_Type": OCTETS, "Upload_Offset": "0"}
    async with follow(api.port) as follower:
        body = sending(api.port, "PATCH", url, len(DATA), Upload_Checksum=sha1(DATA), **fields)
        async with body as writer:
            await writer.send(bytes(len(DATA) - 1))
            await arrived(api, len(DATA) - 1)
            await asyncio.sleep(1.5)  # longer than what counts would stay unseen
            await writer.send(b"\0")
            bad = await writer.end()
        good = await patch(api, url, 0, DATA, Upload_Checksum=sha1(DATA))
        whole = await follower.end()

    assert (bad, good.status) == (460, 204)
    assert whole == DATA


async def test_readers_do_not_take_the_place_of_the_writer(start_api: StartApi) -> None:
    api = await start_api(max_transfers=2)
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port) as first, follow(api.port) as second:
        await first.has(HALF)
        written = await patch(api, url, HALF, DATA[HALF:])
        whole = await first.end()

    assert (first.status, second.status, written.status) == (200, 503, 204)
    assert whole == DATA
    assert await eventually(lambda: api.services.traffic.in_flight == 0)


async def test_who_stops_waits_for_readers_too(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])
    traffic = api.services.traffic

    async with follow(api.port) as follower:
        await follower.has(HALF)
        traffic.drain()
        idle_meanwhile = traffic.idle.is_set()
        await follower.cut()

    assert not idle_meanwhile
    assert await eventually(traffic.idle.is_set)


# --- ends in the middle of it ---------------------------------------------------------------------


async def test_a_reader_who_is_late_gets_the_file_that_was_replaced_and_removed_meanwhile(
    api: Api,
) -> None:
    url = await begin(api, len(BIG))
    await patch(api, url, 0, BIG[:MIB])

    async with follow(api.port) as follower:
        await follower.has(1)
        await patch(api, url, MIB, BIG[MIB:])
        await api.put("file.bin", b"new")
        await api.call("DELETE", "/v1/files/file.bin")

        assert await follower.end() == BIG


async def test_what_is_gone_on_with_by_another_request_is_followed_on(api: Api) -> None:
    async with tus(api) as writer:
        await writer.send(BIG[:MIB])
        await arrives(api)
        async with follow(api.port) as follower:
            await follower.has(MIB)
            (upload,) = await api.services.uploads.open_for("file.bin")
            url = f"/v1/uploads/{upload.id}"
            offset = int((await ask(api, "HEAD", url)).headers["Upload-Offset"])
            await patch(api, url, offset, BIG[offset:])

            assert await follower.end() == BIG


# --- what a request may ask for -------------------------------------------------------------------


async def test_ranges_are_passed_over(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])

    async with follow(api.port, Range="bytes=5-9") as follower:
        await patch(api, url, HALF, DATA[HALF:])

        assert (follower.status, await follower.end()) == (200, DATA)


async def test_there_is_no_version_to_make_a_condition_of(api: Api) -> None:
    await begin(api, len(DATA))

    response, _ = await api.call("GET", "/v1/files/file.bin?follow", If_Match='"version"')

    assert response.status == 412


async def test_head_tells_the_fields_and_ends(api: Api) -> None:
    await begin(api, len(DATA))

    response, body = await api.call("HEAD", "/v1/files/file.bin?follow")

    assert (response.status, body) == (200, b"")
    assert response.headers["Content-Length"] == str(len(DATA))
    assert response.headers["Follow-Id"]


@pytest.mark.parametrize(("length", "status"), [(len(DATA), 200), (None, 505)])
async def test_an_old_client_follows_only_what_has_a_length(
    api: Api, length: int | None, status: int
) -> None:
    await begin(api, length)

    async with drafting.talk(api.port) as conversation:
        await conversation.begin("GET", "/v1/files/file.bin?follow", http="1.0")

        assert (await conversation.head()).status == status
