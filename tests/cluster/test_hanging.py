"""A database that does not answer any more, on connections that stand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from penstock.catalog.hanging import bounded
from tests.cluster.conftest import StartCluster
from tests.cluster.keeping import keeper
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.serving import RunningWorker


@dataclass
class Line:
    """The way to a database, whose server is at ``url`` for who goes there by it."""

    url: str = ""
    server: asyncio.Server | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def hang(self) -> None:
        """Nothing passes any more."""
        self.open.clear()

    def cut(self) -> None:
        """Who was connected is not any more, and nobody can connect."""
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    there, line = make_url(url), Line()
    line.open.set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line.writers.append(writer)
        while data := await reader.read(1 << 16):
            await line.open.wait()
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond = await asyncio.open_connection(there.host, there.port)
        await asyncio.gather(
            pass_on(reader, beyond[1]), pass_on(beyond[0], writer), return_exceptions=True
        )

    server = line.server = await asyncio.start_server(connect, "127.0.0.1", 0)
    here = there.set(port=server.sockets[0].getsockname()[1])
    line.url = here.render_as_string(hide_password=False)
    try:
        yield line
    finally:
        line.open.set()
        line.cut()


@pytest.fixture
async def line(postgres: str) -> AsyncIterator[Line]:
    async with line_to(postgres) as line:
        yield line


async def test_the_upkeep_ends(start_cluster: StartCluster, line: Line) -> None:
    cluster = await start_cluster(1, url=line.url)
    upkeep = keeper(cluster)
    upkeep.start()
    assert await eventually(lambda: upkeep.has_duty, 60)
    line.hang()
    waiting = asyncio.create_task(cluster.catalog.nodes.cluster())

    with bounded(cluster.catalog.engine, 5):
        closing = asyncio.create_task(upkeep.close())
        done, _ = await asyncio.wait([closing], timeout=45)

    assert done
    with pytest.raises(OperationalError):
        await waiting


@pytest.mark.parametrize("options", [{"store": "cluster://"}, {}], ids=["cluster", "folder"])
async def test_a_server_ends(
    start_server: StartServer, line: Line, options: dict[str, str]
) -> None:
    server = await asyncio.to_thread(start_server, catalog=line.url, **options)
    line.hang()
    await asyncio.sleep(2)  # so that what it asks every second is under way

    assert await asyncio.to_thread(server.stop) == 0


async def test_a_worker_ends(line: Line, tmp_path: Path) -> None:
    worker = await asyncio.to_thread(RunningWorker, tmp_path / "data", catalog=line.url)
    try:
        line.hang()
        await asyncio.sleep(2)

        assert await asyncio.to_thread(worker.stop) == 0
    finally:
        await asyncio.to_thread(worker.kill)
