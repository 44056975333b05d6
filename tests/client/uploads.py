"""What tests of uploads look at: the server's disk, its list of uploads, and the progress."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import aiohttp

from tests.conftest import StartServer
from tests.serving import RunningServer


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_stored(server: RunningServer, key: str) -> str:
    """The SHA-256 of what lies on the server's disk."""
    return sha256_of(server.data / "files" / key)


def random_file(path: Path, size: int) -> Path:
    """A file of random bytes, written a piece at a time."""
    with path.open("wb") as file:
        for at in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - at)))
    return path


async def unfinished(url: str, key: str) -> list[dict[str, Any]]:
    """The server's uploads of a key that have not become a file."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/uploads", params={"key": key}) as response,
    ):
        document = await response.json()
    found: list[dict[str, Any]] = document["uploads"]
    return found


async def at_rest(url: str, key: str) -> list[dict[str, Any]]:
    """As :func:`unfinished`, when no request holds one of them any more."""
    async with asyncio.timeout(30):
        while True:
            found = await unfinished(url, key)
            if not any(one["active"] for one in found):
                return found
            await asyncio.sleep(0.02)


class Meter:
    """The progress of one upload."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int | None]] = []
        self._moved = asyncio.Event()

    def __call__(self, done: int, total: int | None) -> None:
        self.told.append((done, total))
        self._moved.set()

    @property
    def first(self) -> int:
        return next(done for done, _ in self.told)

    async def reaches(self, size: int) -> None:
        """Wait until so many bytes are sent."""
        async with asyncio.timeout(60):
            while not self.told or self.told[-1][0] < size:
                self._moved.clear()
                await self._moved.wait()


async def restart(server: RunningServer, start: StartServer) -> RunningServer:
    """``kill -9``, and another server on the same data and port."""
    port = server.port
    await asyncio.to_thread(server.kill)
    return await asyncio.to_thread(start, server.data, port=port)


async def remove(url: str, key: str) -> None:
    """Remove the unfinished uploads of a key behind their clients' backs."""
    headers = {"Tus-Resumable": "1.0.0"}
    async with aiohttp.ClientSession(url, headers=headers) as session, asyncio.timeout(30):
        for one in await unfinished(url, key):
            status = 423  # the client may be quicker, and take it up again
            while status == 423:
                async with session.delete(one["url"]) as response:
                    status = response.status
            assert status in (204, 404)
