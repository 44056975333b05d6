"""``?follow`` of a file that goes up in parts side by side: what is there without a gap is read."""

import hashlib
import os

from tests.server.conftest import Api
from tests.server.followers import follow
from tests.server.tus_speaking import ask, create, metadata, patch

DATA = os.urandom(600_000)
HALF = len(DATA) // 2
FILE = "/v1/files/file.bin"


async def begin_part(api: Api, start: int, length: int = HALF) -> str:
    """A part of the group's file; answers its path."""
    named = metadata(filename="file.bin", penstock_group="g", penstock_start=str(start))
    created = await create(
        api, Upload_Length=str(length), Upload_Concat="partial", Upload_Metadata=named
    )
    assert created.status == 201
    return created.headers["Location"]


async def join(api: Api, *parts: str, data: bytes = DATA) -> int:
    """Put them together, announcing the digest of ``data``; answers the status."""
    sha256 = hashlib.sha256(data).hexdigest()
    joined = await create(
        api,
        Upload_Concat=f"final;{' '.join(parts)}",
        Upload_Metadata=metadata(filename="file.bin", sha256=sha256),
    )
    return joined.status


async def test_parts_are_read_in_their_order_before_they_are_joined(api: Api) -> None:
    first, second = await begin_part(api, 0), await begin_part(api, HALF)
    await patch(api, second, 0, DATA[HALF : HALF + 1000])

    async with follow(api.port) as follower:
        await patch(api, first, 0, DATA[:1000])
        some = await follower.has(1000)
        await patch(api, first, 1000, DATA[1000:HALF])
        more = await follower.has(HALF + 1000)
        await patch(api, second, 1000, DATA[HALF + 1000 :])
        assert await follower.has(len(DATA)) == DATA
        status = await join(api, first, second)
        whole = await follower.end()

    assert (some, more) == (DATA[:1000], DATA[: HALF + 1000])
    assert (status, whole) == (201, DATA)
    assert "Content-Length" not in follower.headers


async def test_a_reader_may_know_more_than_those_who_read_here(api: Api) -> None:
    first = await begin_part(api, 0)
    await patch(api, first, 0, DATA[:1000])

    async with follow(api.port) as follower:
        await follower.has(1000)
        told = []
        for offset in range(1000, 6000, 1000):
            await patch(api, first, offset, DATA[offset : offset + 1000])
            # As one would who has these bytes from another server on the catalog.
            query = f"follow={follower.name}&offset={offset + 1000}"
            told.append(await api.call("HEAD", f"{FILE}?{query}"))

    assert [response.status for response, _ in told] == [200] * 5


async def test_what_is_left_out_is_waited_for(api: Api) -> None:
    first, third = await begin_part(api, 0, 1000), await begin_part(api, HALF)
    await patch(api, third, 0, DATA[HALF:])

    async with follow(api.port) as follower:
        await patch(api, first, 0, DATA[:1000])
        some = await follower.has(1000)
        second = await begin_part(api, 1000, HALF - 1000)
        await patch(api, second, 0, DATA[1000:HALF])
        await follower.has(len(DATA))
        await join(api, first, second, third)

        assert (some, await follower.end()) == (DATA[:1000], DATA)


async def test_parts_that_are_not_what_was_announced_never_look_whole(api: Api) -> None:
    first, second = await begin_part(api, 0), await begin_part(api, HALF)
    await patch(api, first, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await patch(api, second, 0, DATA[HALF:])
        status = await join(api, first, second, data=b"other")
        came = await follower.cut()

    assert status == 400
    assert came == DATA[: len(came)]


async def test_a_reader_is_cut_when_a_part_is_deleted_that_was_read(api: Api) -> None:
    first, _ = await begin_part(api, 0), await begin_part(api, HALF)
    await patch(api, first, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await ask(api, "DELETE", first)

        assert await follower.cut() == DATA[:HALF]


async def test_a_part_that_was_begun_again_is_not_taken_for_the_one_that_was_read(
    api: Api,
) -> None:
    first, second = await begin_part(api, 0), await begin_part(api, HALF)
    await patch(api, first, 0, DATA[:HALF])

    async with follow(api.port) as follower:
        await follower.has(HALF)
        await ask(api, "DELETE", first)
        again = await begin_part(api, 0)
        await patch(api, again, 0, bytes(HALF))
        await patch(api, second, 0, DATA[HALF:])

        assert await follower.cut() == DATA[:HALF]


async def test_a_reader_goes_on_before_and_after_the_parts_are_joined(api: Api) -> None:
    first, second = await begin_part(api, 0), await begin_part(api, HALF)
    await patch(api, first, 0, DATA[:HALF])
    head, _ = await api.call("HEAD", f"{FILE}?follow")
    name = head.headers["Follow-Id"]

    async with follow(api.port, query=f"follow={name}&offset=10") as follower:
        before = await follower.has(HALF - 10)
    await patch(api, second, 0, DATA[HALF:])
    await join(api, first, second)
    after = await api.get(f"{FILE}?follow={name}&offset={HALF}")
    told, _ = await api.call("HEAD", f"{FILE}?follow={name}")

    assert before + after == DATA[10:]
    assert told.headers["ETag"] == (await api.call("HEAD", FILE))[0].headers["ETag"]
