"""What compressing takes of memory does not depend on the file, and little on the clients."""

import asyncio
import base64
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.octets.encoders import codings
from tests.server.programs import run
from tests.serving import RunningServer

# Shrinks by a quarter only, so that what is held of it is not small.
_PIECE = base64.encodebytes(random.Random(8).randbytes(1 << 20))
_CLIENTS = 16


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path / "data")
    yield running
    running.kill()


def place(server: RunningServer, name: str, pieces: int) -> None:
    with (server.data / "files" / name).open("wb") as file:
        file.writelines(_PIECE for _ in range(pieces))


@pytest.mark.parametrize("coding", codings())
async def test_a_large_file_takes_no_more_than_a_small_one(
    server: RunningServer, coding: str
) -> None:
    await asyncio.to_thread(place, server, "small.txt", 2)
    await asyncio.to_thread(place, server, "large.txt", 80)

    async def fetch(name: str) -> int:
        url = f"{server.url}/v1/files/{name}"
        asking = ("-H", f"Accept-Encoding: {coding}")
        count = await run("curl", "-sSf", *asking, "-o", "/dev/null", "-w", "%{size_download}", url)
        assert int(count) > 0
        return server.memory()

    small = await fetch("small.txt")
    large = await fetch("large.txt")

    assert large - small < 8 << 20


@pytest.mark.parametrize("coding", codings())
async def test_clients_that_do_not_read_hold_little(server: RunningServer, coding: str) -> None:
    await asyncio.to_thread(place, server, "large.txt", 80)
    before = server.memory()

    writers = []
    for _ in range(_CLIENTS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(
            b"GET /v1/files/large.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n"
            % coding.encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writers.append(writer)
    last, peak = 0, server.memory()
    while peak != last:  # until every one of them waits for its client
        await asyncio.sleep(0.5)
        last, peak = peak, server.memory()

    assert peak - before < _CLIENTS * (4 << 20)
    for writer in writers:
        writer.close()
