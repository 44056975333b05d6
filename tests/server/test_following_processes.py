"""Readers of what arrives: many of them, other processes, killed ones, other people's programs."""

import asyncio
import hashlib
import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.server import tus_blocking as blocking
from tests.server.followers import follow, sending
from tests.server.tus_speaking import OCTETS
from tests.serving import RunningServer

MIB = 1 << 20
DATA = random.Random(3).randbytes(6 * MIB)
SENT = 4 * MIB
READERS = 20
KEY = "/v1/files/file.bin"


async def begun(server: RunningServer, data: bytes = DATA[:SENT]) -> str:
    """An upload of ``DATA`` with its first bytes; answers its path."""
    url = await asyncio.to_thread(blocking.begin, server, len(DATA))
    if data:
        await asyncio.to_thread(blocking.patch, server, url, 0, data)
    return url


async def ended(server: RunningServer, url: str) -> None:
    """The rest of it."""
    rest = await asyncio.to_thread(blocking.patch, server, url, SENT, DATA[SENT:])
    assert rest.status == 204


# --- crowds ---------------------------------------------------------------------------------------


async def test_twenty_readers_at_once_get_every_byte(server: RunningServer) -> None:
    data = random.Random(5).randbytes(24 * MIB)
    rounds = 3

    async def read(follower_of: str) -> tuple[int, str]:
        async with follow(server.port, follower_of) as follower:
            return await follower.digest()

    async with sending(server.port, "PUT", "/v1/files/crowd", rounds * len(data)) as writer:
        await writer.send(data[:MIB])
        await listed(server, "crowd")
        readers = [asyncio.create_task(read("crowd")) for _ in range(READERS)]
        await writer.send(data[MIB:])
        for _ in range(rounds - 1):
            await writer.send(data)
        status = await writer.end()
        came = await asyncio.gather(*readers)

    assert status == 201
    assert set(came) == {(rounds * len(data), hashlib.sha256(data * rounds).hexdigest())}


async def test_readers_that_do_not_read_hold_no_writer_up(server: RunningServer) -> None:
    data = os.urandom(24 * MIB)
    async with sending(server.port, "PUT", "/v1/files/idle", len(data)) as writer:
        await writer.send(data[:MIB])
        await listed(server, "idle")
        readers = [follow(server.port, "idle") for _ in range(READERS)]
        followers = [await reader.__aenter__() for reader in readers]
        await writer.send(data[MIB:])
        status = await writer.end()
        late = await followers[0].end()
        for reader in readers:
            await reader.__aexit__(None, None, None)

    assert status == 201
    assert late == data


async def listed(server: RunningServer, key: str) -> None:
    """Until an upload of the key is there."""
    for _ in range(500):
        if await asyncio.to_thread(blocking.listed, server, key):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the upload has not begun")


async def test_what_readers_held_is_freed_when_they_leave(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server)
    await begun(server)
    before = server.descriptors()

    for _ in range(3):
        async with follow(server.port) as follower:
            await follower.has(SENT)

    assert await eventually(lambda: server.descriptors() <= before, 30)


async def test_memory_does_not_depend_on_the_size_of_what_is_followed(
    start_server: StartServer,
) -> None:
    server = await asyncio.to_thread(start_server)

    async def fetch(key: str, rounds: int) -> int:
        async with sending(server.port, "PUT", f"/v1/files/{key}", None) as writer:
            await writer.send(DATA)
            await listed(server, key)
            async with follow(server.port, key) as first, follow(server.port, key) as second:
                reading = asyncio.gather(first.digest(), second.digest())
                for _ in range(rounds - 1):
                    await writer.send(DATA)
                assert await writer.end() == 201
                assert {size for size, _ in await reading} == {rounds * len(DATA)}
        return server.memory()

    small = await fetch("small", 4)
    large = await fetch("large", 40)

    assert large - small < 16 * MIB


# --- processes ------------------------------------------------------------------------------------


async def test_an_upload_that_another_process_takes_in_is_followed(
    start_server: StartServer, tmp_path: Path, url: str
) -> None:
    """``url`` is of an SQLite catalog, then of a PostgreSQL one."""
    first, second = [
        await asyncio.to_thread(start_server, tmp_path / "data", catalog=url) for _ in range(2)
    ]
    upload = await begun(first)

    async with follow(second.port) as follower:
        await follower.has(SENT)
        await ended(first, upload)
        whole = await follower.end()

    assert whole == DATA


async def test_an_upload_deleted_by_another_process_cuts_its_readers(
    start_server: StartServer, tmp_path: Path
) -> None:
    first, second = [await asyncio.to_thread(start_server, tmp_path / "data") for _ in range(2)]
    upload = await begun(first)

    async with follow(second.port) as follower:
        await follower.has(SENT)
        await asyncio.to_thread(blocking.ask, first, "DELETE", upload)

        assert await follower.cut() == DATA[:SENT]


async def test_an_upload_taken_over_from_a_frozen_process_is_followed_on(
    start_server: StartServer, tmp_path: Path
) -> None:
    first, second = [await asyncio.to_thread(start_server, tmp_path / "data") for _ in range(2)]
    upload = await begun(first, b"")
    fields = {"Tus_Resumable": "1.0.0", "Content_Type": OCTETS, "Upload_Offset": "0"}
    async with (
        sending(first.port, "PATCH", upload, len(DATA), **fields) as writer,
        follow(first.port) as there,
        follow(second.port) as here,
    ):
        await writer.send(DATA[:SENT])
        await there.has(SENT)
        first.process.send_signal(signal.SIGSTOP)
        try:
            offset = await asyncio.to_thread(blocking.offset_of, second, upload)
            rest = DATA[offset:]
            await asyncio.to_thread(blocking.patch, second, upload, offset, rest)
        finally:
            first.process.send_signal(signal.SIGCONT)

        assert await here.end() == DATA
        assert await there.end() == DATA


async def test_a_killed_server_cuts_its_readers_and_they_go_on_with_the_next(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "data")
    upload = await begun(server, b"")
    fields = {"Tus_Resumable": "1.0.0", "Content_Type": OCTETS, "Upload_Offset": "0"}
    async with (
        sending(server.port, "PATCH", upload, len(DATA), **fields) as writer,
        follow(server.port) as follower,
    ):
        await writer.send(DATA[:SENT])
        await follower.has(1)
        await asyncio.to_thread(server.kill)
        came = await follower.cut()

    server = await asyncio.to_thread(start_server, tmp_path / "data")
    offset = await asyncio.to_thread(blocking.offset_of, server, upload)
    query = f"follow={follower.name}&offset={len(came)}"
    async with follow(server.port, query=query) as again:
        rest = DATA[offset:]
        await asyncio.to_thread(blocking.patch, server, upload, offset, rest)
        whole = came + await again.end()

    assert offset >= len(came)
    assert whole == DATA


async def test_a_server_that_stops_does_not_wait_for_an_upload_that_rests(
    start_server: StartServer,
) -> None:
    server = await asyncio.to_thread(start_server, shutdown_timeout=100)
    await begun(server)

    async with follow(server.port) as follower:
        await follower.has(SENT)
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        came = await follower.cut()
        code = await stopping

    assert (came, code) == (DATA[:SENT], 0)


# --- other people's programs ----------------------------------------------------------------------


async def curl(server: RunningServer, *words: str) -> tuple[int, bytes]:
    """The exit code of curl, and the body."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    process = await asyncio.create_subprocess_exec(
        *[program, "-sS", "-N", "-m", "60", *words, f"{server.url}{KEY}?follow"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    body, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, body


async def test_curl_follows_to_the_end(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server)
    upload = await begun(server)

    running = asyncio.create_task(curl(server))
    await followed(server)
    await ended(server, upload)

    assert await running == (0, DATA)


@pytest.mark.parametrize("length", [len(DATA), None])
async def test_curl_knows_that_a_follow_was_cut(
    start_server: StartServer, length: int | None
) -> None:
    server = await asyncio.to_thread(start_server)
    upload = await asyncio.to_thread(blocking.begin, server, length)
    await asyncio.to_thread(blocking.patch, server, upload, 0, DATA[:SENT])

    running = asyncio.create_task(curl(server))
    await followed(server)
    await asyncio.to_thread(blocking.ask, server, "DELETE", upload)
    code, body = await running

    assert code in (18, 56)  # partial file; failure in receiving
    assert body == DATA[: len(body)]


async def followed(server: RunningServer) -> None:
    """Until somebody reads the bytes of an upload."""

    def is_read() -> bool:
        fds = Path(f"/proc/{server.process.pid}/fd")
        return any(".penstock/incoming/" in _target(fd) for fd in fds.iterdir())

    assert await eventually(is_read, 30)


def _target(fd: Path) -> str:
    try:
        return os.readlink(fd)
    except FileNotFoundError:
        return ""
