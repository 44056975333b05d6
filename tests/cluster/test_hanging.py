"""A database that does not answer any more, on connections that stand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError

from tests.cluster.conftest import StartCluster
from tests.cluster.keeping import keeper
from tests.conftest import StartServer
from tests.eventually import eventually


@dataclass
class Line:
    """The way to a database, whose server is at ``url`` for who goes there by it."""

    url: str = ""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def hang(self) -> None:
        """Nothing passes any more."""
        self.open.clear()


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

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    here = there.set(port=server.sockets[0].getsockname()[1])
    line.url = here.render_as_string(hide_password=False)
    try:
        yield line
    finally:
        server.close()
        line.open.set()
        for writer in line.writers:
            writer.transport.abort()


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

    closing = asyncio.create_task(upkeep.close())
    done, _ = await asyncio.wait([closing], timeout=45)

    assert done
    with pytest.raises(OperationalError):
        await waiting


async def test_a_server_ends(start_server: StartServer, line: Line) -> None:
    server = await asyncio.to_thread(start_server, store="cluster://", catalog=line.url)
    line.hang()
    await asyncio.sleep(2)  # so that what it asks every second is under way

    assert await asyncio.to_thread(server.stop) == 0
