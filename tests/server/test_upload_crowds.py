"""Many slow uploads at once: each ends with its own bytes, memory stays flat, nothing is left."""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.serving import RunningServer

KIB, MIB = 1 << 10, 1 << 20
UPLOADS = 300
PIECES = 16
PIECE = 4 * KIB
SIZE = PIECES * PIECE
TUS = {"Tus-Resumable": "1.0.0"}


class Crowd:
    """Uploads at once, none a piece further than the others, ``pace`` seconds between pieces.

    ``memory`` is the server's after each piece.
    """

    def __init__(self, server: RunningServer, uploads: int, pace: float) -> None:
        self.memory: list[int] = []
        self._server = server
        self._uploads = uploads
        self._pace = pace
        self._barrier = asyncio.Barrier(uploads)

    async def upload_all(self) -> None:
        """Every one in one PATCH, which takes as long as that of all others."""
        async with (
            aiohttp.ClientSession(
                self._server.url,
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=100),
                headers=TUS,
                raise_for_status=True,
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            for number in range(self._uploads):
                group.create_task(self._upload(session, number))

    async def _upload(self, session: aiohttp.ClientSession, number: int) -> None:
        name = b64encode(f"crowd/{number}".encode()).decode()
        fields = {"Upload-Length": f"{SIZE}", "Upload-Metadata": f"filename {name}"}
        async with session.post("/v1/uploads", headers=fields) as created:
            location = created.headers["Location"]
        fields = {
            "Upload-Offset": "0",
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": f"{SIZE}",
        }
        async with session.patch(location, headers=fields, data=self._pieces(number)) as done:
            assert done.headers["Upload-Offset"] == f"{SIZE}"

    async def _pieces(self, number: int) -> AsyncIterator[bytes]:
        data = content(number)
        for at in range(0, SIZE, PIECE):
            yield data[at : at + PIECE]
            if await self._barrier.wait() == 0:
                self.memory.append(self._server.memory("VmRSS"))
                await asyncio.sleep(self._pace)
            await self._barrier.wait()


def content(number: int) -> bytes:
    """The bytes of an upload; no other one has them, in no place."""
    return b"".join(b"%07d/%07d\n" % (number, line) for line in range(SIZE // 16))


def open_files(server: RunningServer) -> int:
    """Connections and files that are open, without the database's, which keeps its own."""
    folder = f"/proc/{server.process.pid}/fd"
    names = (os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder))
    return sum("catalog.sqlite" not in name for name in names)


async def test_slow_uploads_at_once_end_right_in_flat_memory(start_server: StartServer) -> None:
    server = start_server()
    idle, files = server.memory("VmRSS"), open_files(server)

    crowd = Crowd(server, UPLOADS, pace=0.3)
    await crowd.upload_all()

    for number in range(UPLOADS):
        assert (server.data / "files" / "crowd" / f"{number}").read_bytes() == content(number)
    assert len(crowd.memory) == PIECES
    # What one needs, however much of it has come …
    assert max(crowd.memory) - idle < UPLOADS * 128 * KIB
    # … and no more for what comes: in the second half 9 MiB, while all are under way.
    half = PIECES // 2
    assert max(crowd.memory[half:]) - max(crowd.memory[:half]) < 6 * MIB
    assert await eventually(lambda: open_files(server) <= files)
    assert server.stop() == 0


async def test_a_second_crowd_needs_no_more_memory_than_the_first(
    start_server: StartServer,
) -> None:
    server = start_server()
    first, second = (Crowd(server, UPLOADS // 2, pace=0.05) for _ in range(2))

    await first.upload_all()
    await second.upload_all()

    # 9 MiB have passed in between.
    assert max(second.memory) - max(first.memory) < 6 * MIB
