"""What a gateway holds for those who read files of a cluster slowly."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.eventually import eventually
from tests.s3.files import MIB, content
from tests.serving import RunningNode, RunningServer

DATA = content(48 * MIB)
MANY = 20
EACH = 10 * MIB


async def live(url: str, count: int) -> bool:
    """Wait until so many nodes take parts."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(f"{url}/v1/nodes") as response:
                if json.loads(await response.read())["live"] == count:
                    return True
            await asyncio.sleep(0.1)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[RunningServer]:
    """A gateway over two nodes, each a process."""
    async with AsyncExitStack() as stack:
        start = partial(RunningServer, tmp_path / "data", store="cluster://")
        server = await asyncio.to_thread(start)
        stack.push_async_callback(asyncio.to_thread, server.kill)
        for number in range(2):
            folder = tmp_path / f"node{number}"
            node = await asyncio.to_thread(partial(RunningNode, folder, locator=server.url))
            stack.push_async_callback(asyncio.to_thread, node.kill)
        assert await live(server.url, 2)
        yield server


async def test_who_reads_slowly_takes_a_few_mib_each(gateway: RunningServer) -> None:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), read_bufsize=1024)
        )
        url = f"{gateway.url}/v1/files/a"
        async with session.put(url, data=io.BytesIO(DATA)) as response:
            assert response.status == 201
        async with session.get(url) as response:
            assert await response.read() == DATA
        before, open_before = await settled(gateway), gateway.descriptors()

        answers = [await stack.enter_async_context(session.get(url)) for _ in range(MANY)]
        for answer in answers:
            await answer.content.readexactly(1000)
        during = await settled(gateway)

        assert during - before < MANY * EACH
        assert await answers[0].read() == DATA[1000:]
        for answer in answers:
            answer.close()
        # But for a connection that is kept, and what the catalog has open.
        assert await eventually(lambda: gateway.descriptors() < open_before + 10, 30)


async def settled(gateway: RunningServer) -> int:
    """The bytes it takes once it takes no more."""
    async with asyncio.timeout(60):
        while True:
            taken = gateway.memory("VmRSS")
            await asyncio.sleep(1.5)
            if gateway.memory("VmRSS") <= taken + MIB:
                return gateway.memory("VmRSS")
