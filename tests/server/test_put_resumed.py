"""Plain PUTs that break: what arrived is kept, and any protocol goes on with it."""

import asyncio
import io
import json
import os
from typing import Any

import aiohttp
import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.drafting import (
    DATA,
    Answer,
    ask,
    begin,
    chunked,
    digest,
    kept,
    limits,
    look,
    patch,
    talk,
)
from tests.server.tus_speaking import ask as ask_tus
from tests.server.tus_speaking import begin as begin_tus
from tests.server.tus_speaking import patch as patch_tus

MIB = 1 << 20
WHOLE = os.urandom(10 * MIB)


async def put(api: Api, data: bytes, **headers: str) -> Answer:
    """A PUT without a word of resuming."""
    return await ask(api.port, "PUT", "/v1/files/a", data, **headers)


async def uploads(api: Api, key: str = "a") -> list[dict[str, Any]]:
    """The unfinished uploads of a key, as anybody finds them."""
    _, body = await api.call("GET", f"/v1/uploads?key={key}")
    found: list[dict[str, Any]] = json.loads(body)["uploads"]
    return found


async def begun(api: Api) -> None:
    """Wait until a PUT has become an upload; before that nothing of it is kept."""
    async with asyncio.timeout(30):
        while not await api.services.uploads.open_for("a"):
            await asyncio.sleep(0.01)


async def broken(api: Api) -> str:
    """A PUT of ``WHOLE`` that breaks off; answers the path of what is left of it."""
    before = {upload["url"] for upload in await uploads(api)}
    async with talk(api.port) as conversation:
        size = str(len(WHOLE))
        await conversation.begin("PUT", "/v1/files/a", WHOLE[: 3 * MIB], Content_Length=size)
        assert await eventually(lambda: api.services.traffic.transfers == 1)
        while not (begun := {upload["url"] for upload in await uploads(api)} - before):
            pass
        url: str = begun.pop()
        assert await eventually(lambda: kept(api, url) >= 2 * MIB)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    return url


async def test_what_a_broken_put_brought_is_found_by_its_key(api: Api) -> None:
    url = await broken(api)

    (upload,) = await uploads(api)

    assert upload["url"] == url
    assert upload["length"] == len(WHOLE)
    assert 2 * MIB <= upload["offset"] <= 3 * MIB
    assert upload["active"] is False
    assert [info.key for info in (await api.services.store.list()).files] == []


async def test_a_broken_put_is_finished_by_the_draft(api: Api) -> None:
    url = await broken(api)
    state = await look(api.port, url, Want_Repr_Digest="sha-256=1")

    answer = await patch(api.port, url, state.offset, WHOLE[state.offset :], "?1")

    assert state.headers["Repr-Digest"] == digest(WHOLE[: state.offset])
    assert answer.status == 201
    assert answer.headers["Location"] == "/v1/files/a"
    assert await api.get("/v1/files/a") == WHOLE
    assert await uploads(api) == []


async def test_a_broken_put_is_finished_by_tus(api: Api) -> None:
    url = await broken(api)
    state = await ask_tus(api, "HEAD", url)
    offset = int(state.headers["Upload-Offset"])

    answer = await patch_tus(api, url, offset, WHOLE[offset:])

    assert state.headers["Upload-Length"] == str(len(WHOLE))
    assert answer.status == 204
    assert await api.get("/v1/files/a") == WHOLE


async def test_an_upload_begun_by_tus_is_finished_by_the_draft(api: Api) -> None:
    url = await begin_tus(api, len(DATA), "a")
    await patch_tus(api, url, 0, DATA[:1000])

    answer = await patch(api.port, url, 1000, DATA[1000:], "?1")

    assert answer.status == 201
    assert await api.get("/v1/files/a") == DATA


async def test_an_upload_begun_by_the_draft_is_finished_by_tus(api: Api) -> None:
    url = await begin(api.port, DATA[:1000], "a", Upload_Length=str(len(DATA)))

    answer = await patch_tus(api, url, 1000, DATA[1000:])

    assert answer.status == 204
    assert await api.get("/v1/files/a") == DATA


async def test_the_type_and_the_condition_of_the_put_still_count(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            WHOLE[:MIB],
            Content_Length=str(len(WHOLE)),
            Content_Type="image/png",
            If_None_Match="*",
        )
        await begun(api)
    assert await eventually(lambda: api.services.traffic.transfers == 0)

    (upload,) = await api.services.uploads.open_for("a")

    assert upload.content_type == "image/png"
    assert upload.condition.absent


async def test_a_stalled_put_is_told_where_to_go_on(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.5)
    async with talk(api.port) as conversation:
        await conversation.begin("PUT", "/v1/files/a", DATA, Content_Length=str(len(WHOLE)))
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.document["code"]) == (408, "stalled")
    assert "kept" in answer.document["detail"]
    assert answer.offset == len(DATA)
    (upload,) = await uploads(api)
    assert answer.headers["Content-Location"] == upload["url"]


async def test_a_stream_without_an_end_is_ended_and_kept(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.5)
    async with talk(api.port) as conversation:
        body = chunked(b"small", ended=False)
        await conversation.begin("PUT", "/v1/files/a", body, Transfer_Encoding="chunked")
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.offset) == (408, 5)
    url = answer.headers["Content-Location"]
    assert (await patch(api.port, url, 5, b" end", "?1")).status == 201
    assert await api.get("/v1/files/a") == b"small end"


async def test_a_garbled_stream_is_no_end_and_what_came_before_is_kept(
    start_api: StartApi,
) -> None:
    api = await start_api(stall_timeout=1)
    async with talk(api.port) as conversation:
        body = chunked(DATA, ended=False) + b"no number\r\n"
        await conversation.begin("PUT", "/v1/files/a", body, Transfer_Encoding="chunked")
        answer = await conversation.answer("PUT")

    assert answer.status in (400, 408)
    assert answer.offset == len(DATA)
    assert (await look(api.port, answer.headers["Content-Location"])).offset == len(DATA)


async def test_a_put_that_ends_well_leaves_nothing_behind(api: Api) -> None:
    big = await put(api, WHOLE)
    streamed = await put(api, chunked(DATA), Transfer_Encoding="chunked")

    assert (big.status, streamed.status) == (201, 200)
    assert big.document["sha256"] is not None
    assert big.headers["ETag"] == big.document["etag"]
    assert await uploads(api) == []
    assert await api.get("/v1/files/a") == DATA


async def test_a_big_put_is_answered_as_a_small_one(api: Api) -> None:
    big, small = await put(api, WHOLE), await put(api, b"small")

    assert (big.status, small.status) == (201, 200)
    # The connection may have been given up for speed.
    assert big.headers.keys() - {"Connection"} == small.headers.keys()
    assert big.document.keys() == small.document.keys()


async def test_a_small_put_that_breaks_leaves_nothing(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin("PUT", "/v1/files/a", DATA, Content_Length=str(8 * MIB - 1))
        assert await eventually(lambda: api.services.traffic.transfers == 1)
    assert await eventually(lambda: api.services.traffic.transfers == 0)

    assert await uploads(api) == []


async def test_an_empty_put_is_a_small_one(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin("PUT", "/v1/files/a")
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.document["size"]) == (201, 0)


async def test_a_put_that_begins_anew_drops_what_older_ones_left(api: Api) -> None:
    first = await broken(api)

    second = await broken(api)

    assert first != second
    assert [upload["url"] for upload in await uploads(api)] == [second]
    assert (await look(api.port, first)).status in (404, 410)


async def test_a_put_leaves_uploads_of_the_protocols_and_active_ones_alone(api: Api) -> None:
    drafted = await begin(api.port, DATA, "a")
    async with talk(api.port) as active:
        await active.begin("PUT", "/v1/files/a", WHOLE[:MIB], Content_Length=str(len(WHOLE)))
        assert await eventually(lambda: api.services.traffic.transfers == 1)

        assert (await put(api, WHOLE)).status == 201
        await active.send(WHOLE[MIB:])
        answer = await active.answer("PUT")

    assert answer.status == 200
    assert [upload["url"] for upload in await uploads(api)] == [drafted]


@pytest.mark.parametrize("field", ["Content_Digest", "Repr_Digest"])
async def test_a_big_put_that_is_not_what_was_announced_is_not_stored(api: Api, field: str) -> None:
    bad = await put(api, WHOLE, **{field: digest(b"other")})
    good = await put(api, WHOLE, **{field: digest(WHOLE)})

    assert (bad.status, bad.document["code"]) == (400, "digest-mismatch")
    assert "Content-Location" not in bad.headers
    assert good.status == 201
    assert await uploads(api) == []


async def test_an_announced_digest_counts_for_what_is_resumed(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            WHOLE[:MIB],
            Content_Length=str(len(WHOLE)),
            Content_Digest=digest(WHOLE),
        )
        await begun(api)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    (upload,) = await uploads(api)
    rest = bytes(len(WHOLE) - upload["offset"])

    answer = await patch(api.port, upload["url"], upload["offset"], rest, "?1")

    assert (answer.status, answer.document["code"]) == (400, "digest-mismatch")


async def test_digests_that_contradict_each_other_are_refused(api: Api) -> None:
    answer = await put(api, WHOLE, Content_Digest=digest(WHOLE), Repr_Digest=digest(b"other"))

    assert (answer.status, answer.document["code"]) == (400, "digest-mismatch")


async def test_the_digest_is_told_if_it_is_asked_for(api: Api) -> None:
    big = await put(api, WHOLE, Want_Repr_Digest="sha-256=1")
    small = await put(api, b"small", Want_Repr_Digest="sha-256=1")

    assert big.headers["Repr-Digest"] == digest(WHOLE)
    assert small.headers["Repr-Digest"] == digest(b"small")


async def test_a_stream_over_the_limit_ends_and_leaves_nothing(start_api: StartApi) -> None:
    api = await start_api(max_body="1MiB")

    answer = await put(api, chunked(bytes(2 * MIB)), Transfer_Encoding="chunked")

    assert answer.status == 413
    assert limits(answer)["max-size"] == MIB
    assert "Content-Location" not in answer.headers
    assert await uploads(api) == []


async def test_a_refused_put_never_sends_its_body_and_leaves_nothing(api: Api) -> None:
    await api.put("a", b"old")
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            Content_Length=str(len(WHOLE)),
            Expect="100-continue",
            If_None_Match="*",
        )
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.interim) == (412, [])
    assert await uploads(api) == []


async def test_an_accepted_put_is_told_to_continue(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT", "/v1/files/a", Content_Length=str(len(WHOLE)), Expect="100-continue"
        )
        head = await conversation.head()
        await conversation.send(WHOLE)
        answer = await conversation.answer("PUT")

    assert (head.status, answer.status) == (100, 201)


async def test_a_client_that_reuses_its_connection_is_served_on(api: Api) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
        for _ in range(3):
            async with session.put("/v1/files/a", data=io.BytesIO(WHOLE)) as response:
                assert response.status in (200, 201)
            async with session.get("/v1/files/a") as response:
                assert await response.read() == WHOLE
