"""``kill -9`` of a server with uploads on their way to S3."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.s3.files import MIB, content
from tests.s3.front import COMPLETE, PART, PUT, Front, Seen, front_of, then
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, parts_in, uploads_in
from tests.server import drafting
from tests.server import tus_blocking as blocking

PART_SIZE = 5 * MIB
DATA = content(4 * PART_SIZE + MIB, seed=5)


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
def settings(s3_server: S3Server, front: Front, prefix: str) -> dict[str, Any]:
    """Of a server whose requests to S3 go through the front."""
    to_front = {"s3_endpoint": front.url, "s3_part_size": PART_SIZE}
    return {**s3_server.settings(prefix), **to_front}


def sent(front: Front) -> list[int]:
    """The sizes of all parts that were sent so far."""
    parts = [seen for seen in front.of(PART) if seen.path.endswith("/file.bin")]
    return sorted(int(seen.headers["content-length"]) for seen in parts)


def last_step(seen: Seen) -> bool:
    """What makes the file visible."""
    return seen.path.endswith("/file.bin") and (COMPLETE(seen) or PUT(seen))


async def test_a_server_that_is_killed_in_mid_upload_costs_no_part_that_was_sent(
    start_server: StartServer,
    settings: dict[str, Any],
    front: Front,
    s3_server: S3Server,
    prefix: str,
    tmp_path: Path,
) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "data", **settings)
    url = await asyncio.to_thread(blocking.begin, server, len(DATA))
    await asyncio.to_thread(blocking.patch, server, url, 0, DATA[: 2 * PART_SIZE + 7])
    async with asyncio.timeout(60):
        while await parts_in(s3_server, f"{prefix}/file.bin") != [PART_SIZE, PART_SIZE]:
            await asyncio.sleep(0.05)
    await asyncio.to_thread(server.kill)

    again = await asyncio.to_thread(start_server, tmp_path / "data", **settings)
    offset = await asyncio.to_thread(blocking.offset_of, again, url)
    done = await asyncio.to_thread(blocking.patch, again, url, offset, DATA[offset:])

    assert offset == 2 * PART_SIZE + 7
    assert done.status == 204
    assert await asyncio.to_thread(blocking.stored, again) == DATA
    assert sent(front) == [MIB, *[PART_SIZE] * 4]
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == [f"{prefix}/file.bin"]


@pytest.mark.parametrize("size", [MIB, len(DATA)], ids=["put", "parts"])
async def test_a_file_that_was_stored_when_its_server_was_killed_is_answered(
    start_server: StartServer,
    settings: dict[str, Any],
    front: Front,
    s3_server: S3Server,
    prefix: str,
    tmp_path: Path,
    size: int,
) -> None:
    """Killed between the last request to S3 and the catalog; there was to be no file before."""
    server = await asyncio.to_thread(start_server, tmp_path / "data", **settings)
    data = DATA[:size]
    place = await drafting.begin(server.port, data, If_None_Match="*")
    front.wrong(last_step, then(server.kill))
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await drafting.patch(server.port, place, size, b"", "?1")
    assert await eventually(lambda: server.process.poll() is not None, 60)
    assert await names_in(s3_server, f"{prefix}/file.bin") == [f"{prefix}/file.bin"]

    again = await asyncio.to_thread(start_server, tmp_path / "data", **settings)
    answer = await drafting.patch(again.port, place, size, b"", "?1")

    assert answer.status == 201
    assert await asyncio.to_thread(blocking.stored, again) == data
    assert front.count(last_step) == 1
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == [f"{prefix}/file.bin"]
