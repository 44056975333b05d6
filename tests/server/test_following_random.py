"""Readers of an upload to which everything happens: each has the right bytes at the end."""

import asyncio
import random

import aiohttp

from tests.server.conftest import Api
from tests.server.followers import PATIENCE, follow, sending
from tests.server.tus_speaking import OCTETS, VERSION, begin, checksum, offset_of, patch, sha1

SIZE = 1_500_000
READERS = 5


async def read(api: Api, moments: random.Random) -> bytes:
    """All of the file, going on after cuts, of which some are the reader's own."""
    came, name = b"", ""
    while True:
        query = f"follow={name}&offset={len(came)}" if name else "follow"
        async with follow(api.port, query=query) as follower:
            name = follower.name
            try:
                if moments.random() < 0.5:
                    most = moments.randrange(1, SIZE // 2)
                    async with asyncio.timeout(moments.uniform(0.1, 0.5)):
                        await follower.has(most)
                    continue
                return came + await follower.end()
            except (aiohttp.ClientError, TimeoutError, AssertionError):
                continue
            finally:
                came += bytes(follower.body)


async def send_some(api: Api, url: str, data: bytes, moments: random.Random) -> None:
    """One request, which may be broken off, superseded, or wrong."""
    offset = await offset_of(api, url)
    size = moments.randrange(1, SIZE // 4)
    piece = data[offset : offset + size]
    way = moments.choice(["whole", "whole", "broken", "superseded", "bad", "late"])
    if way == "whole":
        await patch(api, url, offset, piece)
    elif way == "bad":
        bad = moments.randbytes(len(piece))
        response = await patch(api, url, offset, bad, Upload_Checksum=sha1(piece))
        assert response.status == 460
    else:
        fields = {"Tus_Resumable": VERSION, "Content_Type": OCTETS, "Upload_Offset": str(offset)}
        if way == "late":
            fields["Upload_Checksum"] = checksum("sha1", bytes(20))
            piece = moments.randbytes(len(piece))
        async with sending(api.port, "PATCH", url, len(data) - offset, **fields) as writer:
            await writer.send(piece[: len(data) - offset - 1])
            await asyncio.sleep(moments.uniform(0, 1.3))
            if way == "superseded":
                await offset_of(api, url)


async def test_whatever_happens_each_reader_has_the_right_bytes(api: Api) -> None:
    moments = random.Random(1)
    data = moments.randbytes(SIZE)
    url = await begin(api, SIZE)
    readers = [asyncio.create_task(read(api, random.Random(n))) for n in range(READERS)]

    while await offset_of(api, url) < SIZE:
        await send_some(api, url, data, moments)
    async with asyncio.timeout(PATIENCE):
        came = await asyncio.gather(*readers)

    assert list(map(len, came)) == [SIZE] * READERS
    assert all(each == data for each in came)
