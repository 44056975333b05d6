"""``?follow=NAME&offset=BYTES``: a reader that was cut off goes on with the very same upload."""

import hashlib
import os

import pytest

from tests.server import drafting
from tests.server.conftest import Api, StartApi
from tests.server.followers import follow
from tests.server.tus_speaking import (
    ask,
    begin,
    code_of,
    create,
    metadata,
    patch,
    sha256_field,
)

DATA = os.urandom(300_000)
HALF = len(DATA) // 2
FILE = "/v1/files/file.bin"


async def half(api: Api) -> tuple[str, str]:
    """An upload of which half is there: its path, and what its readers call it."""
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:HALF])
    response, _ = await api.call("HEAD", f"{FILE}?follow")
    return url, response.headers["Follow-Id"]


async def test_a_reader_gets_the_rest_of_an_upload_that_goes_on(api: Api) -> None:
    url, name = await half(api)

    async with follow(api.port, query=f"follow={name}&offset=1000") as follower:
        await follower.has(HALF - 1000)
        await patch(api, url, HALF, DATA[HALF:])
        rest = await follower.end()

    assert (follower.status, rest) == (200, DATA[1000:])
    assert follower.headers["Content-Length"] == str(len(DATA) - 1000)
    assert follower.headers["Follow-Id"] == name


async def test_a_reader_gets_the_rest_of_an_upload_that_has_ended(api: Api) -> None:
    url, name = await half(api)
    await patch(api, url, HALF, DATA[HALF:])

    rest = await api.get(f"{FILE}?follow={name}&offset={HALF}")
    nothing = await api.get(f"{FILE}?follow={name}&offset={len(DATA)}")

    assert (rest, nothing) == (DATA[HALF:], b"")


async def test_what_an_upload_became_has_its_version_and_digest(api: Api) -> None:
    url, name = await half(api)
    await patch(api, url, HALF, DATA[HALF:])
    file, _ = await api.call("HEAD", FILE)

    response, body = await api.call("GET", f"{FILE}?follow={name}")

    assert body == DATA
    assert response.headers["ETag"] == file.headers["ETag"]
    assert response.headers["Repr-Digest"] == sha256_field(DATA)


async def test_a_digest_nobody_took_is_worked_out_if_it_is_asked_for(start_api: StartApi) -> None:
    api = await start_api(sha256=False)
    url, name = await half(api)
    await patch(api, url, HALF, DATA[HALF:])

    silent, _ = await api.call("HEAD", f"{FILE}?follow={name}")
    response, _ = await api.call("HEAD", f"{FILE}?follow={name}", Want_Repr_Digest="sha-256=1")

    assert "Repr-Digest" not in silent.headers
    assert response.headers["Repr-Digest"] == sha256_field(DATA)


async def test_a_name_means_its_own_upload_and_not_the_newest(api: Api) -> None:
    url, name = await half(api)
    newer = await begin(api, len(DATA))
    await patch(api, newer, 0, bytes(len(DATA) - 1))

    async with follow(api.port, query=f"follow={name}&offset=0") as follower:
        await patch(api, url, HALF, DATA[HALF:])

        assert await follower.end() == DATA


async def test_a_file_that_was_replaced_is_not_gone_on_with(api: Api) -> None:
    url, name = await half(api)
    await patch(api, url, HALF, DATA[HALF:])
    await api.put("file.bin", DATA)

    response, _ = await api.call("GET", f"{FILE}?follow={name}&offset={HALF}")

    assert (response.status, await code_of(response)) == (410, "upload-gone")


async def test_a_file_that_was_removed_is_not_gone_on_with(api: Api) -> None:
    url, name = await half(api)
    await patch(api, url, HALF, DATA[HALF:])
    await api.call("DELETE", FILE)

    response, _ = await api.call("GET", f"{FILE}?follow={name}&offset={HALF}")

    assert (response.status, await code_of(response)) == (410, "upload-gone")


async def test_an_upload_that_was_deleted_is_gone(api: Api) -> None:
    url, name = await half(api)
    await ask(api, "DELETE", url)

    response, _ = await api.call("GET", f"{FILE}?follow={name}&offset={HALF}")

    assert (response.status, await code_of(response)) == (410, "upload-gone")


async def test_an_upload_that_failed_tells_why(api: Api) -> None:
    sha256 = hashlib.sha256(b"other").hexdigest()
    fields = {"Upload_Length": str(len(DATA))}
    created = await create(
        api, **fields, Upload_Metadata=metadata(filename="file.bin", sha256=sha256)
    )
    head, _ = await api.call("HEAD", f"{FILE}?follow")
    await patch(api, created.headers["Location"], 0, DATA)

    response, _ = await api.call("GET", f"{FILE}?follow={head.headers['Follow-Id']}&offset=0")

    assert response.status == 410
    assert "SHA-256" in (await response.json())["detail"]


async def test_bytes_that_were_never_sent_cannot_be_had_already(api: Api) -> None:
    _, name = await half(api)

    response, _ = await api.call("GET", f"{FILE}?follow={name}&offset={HALF + 1}")

    assert (response.status, await code_of(response)) == (409, "offset-mismatch")


@pytest.mark.parametrize("offset", ["-1", "x", "1.5", "", "9" * 20])
async def test_an_offset_is_a_number_of_bytes(api: Api, offset: str) -> None:
    _, name = await half(api)

    response, _ = await api.call("GET", f"{FILE}?follow={name}&offset={offset}")

    assert response.status == 400


async def test_an_offset_needs_the_name_of_an_upload(api: Api) -> None:
    await half(api)

    response, _ = await api.call("GET", f"{FILE}?follow&offset=5")

    assert response.status == 400


async def test_a_name_is_good_at_its_own_key_only(api: Api) -> None:
    _, name = await half(api)

    response, _ = await api.call("GET", f"/v1/files/other?follow={name}&offset=0")

    assert response.status == 410


async def test_who_knows_the_name_does_not_know_the_upload(api: Api) -> None:
    url, name = await half(api)

    assert (await ask(api, "HEAD", f"/v1/uploads/{name}")).status == 404
    assert name not in url


async def all_there(api: Api) -> tuple[str, str]:
    """An upload that has all bytes it was told to have, but not that these are all."""
    told = {"Upload_Complete": "?0", "Upload_Length": str(len(DATA))}
    answer = await drafting.put(api.port, "file.bin", DATA, **told)
    assert answer.status == 201
    response, _ = await api.call("HEAD", f"{FILE}?follow")
    return answer.headers["Location"], response.headers["Follow-Id"]


@pytest.mark.parametrize("offset", [0, len(DATA) - 1, len(DATA)])
async def test_what_is_all_there_does_not_look_whole_before_it_is_stored(
    api: Api, offset: int
) -> None:
    url, name = await all_there(api)

    async with follow(api.port, query=f"follow={name}&offset={offset}") as follower:
        await follower.has(len(DATA) - 1 - offset)
        await drafting.ask(api.port, "DELETE", url)

        assert await follower.cut() == DATA[offset:-1]


@pytest.mark.parametrize("offset", [0, len(DATA) - 1, len(DATA)])
async def test_what_is_all_there_is_whole_once_it_is_stored(api: Api, offset: int) -> None:
    url, name = await all_there(api)

    async with follow(api.port, query=f"follow={name}&offset={offset}") as follower:
        await drafting.patch(api.port, url, len(DATA), b"", "?1")

        assert await follower.end() == DATA[offset:]
