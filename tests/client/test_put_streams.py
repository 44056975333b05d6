"""Streams, pipes and iterators: nothing is lost with a connection, and little is in memory."""

import asyncio
import hashlib
import io
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client, streams
from penstock.errors import BadKey, DigestMismatch, NotFound, ServerUnavailable
from tests.client.conftest import MIB
from tests.client.proxy import Proxy
from tests.client.uploads import Meter, remove, restart, sha256_stored, unfinished
from tests.conftest import StartServer
from tests.serving import RunningServer

BLOCK = streams.BLOCK
SIZES = [0, 1, 3 * MIB, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 5 * MIB]


@pytest.mark.parametrize("size", SIZES)
async def test_a_stream_of_unknown_length(client: Client, server: RunningServer, size: int) -> None:
    data = os.urandom(size)

    info = await client.put(io.BytesIO(data), f"streams/{size}")

    assert (info.size, info.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert sha256_stored(server, f"streams/{size}") == info.sha256


@pytest.mark.parametrize("size", [3, 1000, MIB, 20 * MIB])
async def test_an_iterator_with_pieces_of_any_size(
    client: Client, server: RunningServer, size: int
) -> None:
    data = os.urandom(300 if size == 3 else 20 * MIB + 17)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), size):
            yield data[at : at + size]
            yield b""

    await client.put(pieces(), "streams/pieces")

    assert sha256_stored(server, "streams/pieces") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [14, BLOCK + MIB])
async def test_a_pipe_named_by_its_path(
    client: Client, server: RunningServer, tmp_path: Path, size: int
) -> None:
    data, pipe = os.urandom(size), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()

    await client.put(pipe, "streams/pipe")
    writer.join()

    assert sha256_stored(server, "streams/pipe") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("size", [5, 2 * BLOCK + MIB])
async def test_an_iterator_that_fails_leaves_nothing(
    client: Client, server: RunningServer, size: int
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(size)
        raise ZeroDivisionError("the producer broke")

    with pytest.raises(ZeroDivisionError):
        await client.put(pieces(), "streams/broken")

    with pytest.raises(NotFound):
        await client.stat("streams/broken")
    assert await unfinished(server.url, "streams/broken") == []


async def test_a_stream_that_is_cancelled_leaves_nothing(server: RunningServer) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=8 * MIB) as client:
        sending = asyncio.ensure_future(
            client.put(io.BytesIO(bytes(4 * BLOCK)), "streams/left", progress=meter)
        )
        await meter.reaches(BLOCK + MIB)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending

    assert await unfinished(server.url, "streams/left") == []


async def test_a_small_stream_outlives_its_connection(
    shaky: Client, proxy: Proxy, server: RunningServer
) -> None:
    data = os.urandom(5 * MIB)
    proxy.cut_requests = [MIB, 3 * MIB, 4 * MIB]

    await shaky.put(io.BytesIO(data), "streams/small")

    assert sha256_stored(server, "streams/small") == hashlib.sha256(data).hexdigest()


async def test_a_large_stream_outlives_its_connections(
    shaky: Client, proxy: Proxy, server: RunningServer
) -> None:
    data = os.urandom(3 * BLOCK + 17)
    proxy.cut_requests = [MIB, 3 * MIB, 100, BLOCK, 9 * MIB, 3 * MIB]

    await shaky.put(io.BytesIO(data), "streams/cut")

    assert proxy.cut_requests == []
    assert sha256_stored(server, "streams/cut") == hashlib.sha256(data).hexdigest()


async def test_a_stream_goes_on_with_a_server_that_was_killed(start_server: StartServer) -> None:
    server = start_server()
    data, meter = os.urandom(3 * BLOCK), Meter()

    async with Client(server.url, limit_rate=8 * MIB, tries=1000) as client:
        sending = asyncio.ensure_future(
            client.put(io.BytesIO(data), "streams/killed", progress=meter)
        )
        await meter.reaches(BLOCK + 3 * MIB)
        server = await restart(server, start_server)
        info = await sending

    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert sha256_stored(server, "streams/killed") == info.sha256


async def test_a_stream_whose_upload_was_removed_is_told_so(server: RunningServer) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=8 * MIB) as client:
        sending = asyncio.ensure_future(
            client.put(io.BytesIO(bytes(3 * BLOCK)), "streams/gone", progress=meter)
        )
        await meter.reaches(BLOCK + MIB)
        await remove(server.url, "streams/gone")
        with pytest.raises(ServerUnavailable, match=r"lost what it had of streams/gone .* again"):
            await sending


async def test_a_flipped_byte_in_a_stream_stores_nothing(
    shaky: Client, proxy: Proxy, client: Client
) -> None:
    proxy.flip_request = 4 * MIB

    with pytest.raises(DigestMismatch, match="other bytes"):
        await shaky.put(io.BytesIO(bytes(2 * BLOCK)), "streams/flipped")

    with pytest.raises(NotFound):
        await client.stat("streams/flipped")


async def test_a_slow_source_is_no_stall(server: RunningServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(2):
            await asyncio.sleep(2.5)
            yield bytes(9 * MIB)

    async with Client(server.url, timeout=2) as client:
        info = await client.put(pieces(), "streams/slow")

    assert info.size == 18 * MIB


async def test_a_bad_key_is_told_before_the_stream_is_read(client: Client) -> None:
    stream = io.BytesIO(b"x")

    with pytest.raises(BadKey):
        await client.put(stream, "../x")

    assert stream.tell() == 0
