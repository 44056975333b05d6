"""A node as a process: killed, ended, started again; its bounds and its options."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.eventually import eventually
from tests.node.asking import LONG, MIB, PART, begun, crc32, left_in
from tests.node.locator import locating
from tests.serving import RunningNode

COMMAND = [sys.executable, "-m", "penstock", "node"]

StartNode = Callable[..., RunningNode]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartNode]:
    """Start nodes on one folder; those that still run are killed after the test."""
    running: list[RunningNode] = []

    def run(**options: object) -> RunningNode:
        running.append(RunningNode(tmp_path / "node", **options))  # type: ignore[arg-type]
        return running[-1]

    yield run
    for node in running:
        node.kill()


@asynccontextmanager
async def session_with(node: RunningNode) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(node.url, connector=connector) as session:
        yield session


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 256 << 10):
        yield data[at : at + (256 << 10)]


async def put(session: aiohttp.ClientSession, name: str, data: bytes) -> None:
    headers = {"Content-Length": str(len(data)), "X-Penstock-CRC32": crc32(data)}
    async with session.put(f"/files/{name}", data=pieces(data), headers=headers) as response:
        assert response.status == 200, await response.text()


async def get(session: aiohttp.ClientSession, name: str) -> bytes:
    async with session.get(f"/files/{name}") as response:
        assert response.status == 200
        return await response.read()


async def test_a_killed_node_has_all_it_acknowledged_and_nothing_by_half(start: StartNode) -> None:
    """It is killed at its 25th acknowledgement, while seven other PUTs are under way."""
    node = start()
    sent: dict[str, bytes] = {}
    acknowledged: set[str] = set()
    dice = random.Random(25)

    async def send(session: aiohttp.ClientSession, worker: int) -> None:
        for number in range(100):
            name = f"part-{worker}-{number}"
            size = dice.choice([0, 1000, 300_000, 300_001, MIB, 20 * MIB])
            sent[name] = (bytes([worker, number]) * (size // 2 + 1))[:size]
            await put(session, name, sent[name])
            acknowledged.add(name)
            if len(acknowledged) == 25:
                await asyncio.to_thread(node.kill)

    async with session_with(node) as session:
        ended = await asyncio.gather(
            *(send(session, worker) for worker in range(8)), return_exceptions=True
        )
    assert all(isinstance(error, aiohttp.ClientError | OSError) for error in ended), ended

    again = start()
    there = set(left_in(again.data))

    assert acknowledged <= there <= sent.keys()
    async with session_with(again) as session:
        for name in there:
            assert await get(session, name) == sent[name]
        async with session.get("/health") as response:
            assert (await response.json())["used"] == sum(len(sent[name]) for name in there)
    assert again.id == node.id
    assert again.stop() == 0


async def test_a_replacement_that_is_killed_leaves_the_old_file(start: StartNode) -> None:
    node = start()
    async with session_with(node) as session:
        await put(session, "part-1", PART)
    head = [f"Content-Length: {len(LONG)}"]
    async with begun(node.port, "part-1", head, LONG[:-MIB]):
        assert await eventually(lambda: len(left_in(node.data)) == 2, seconds=20)
        await asyncio.to_thread(node.kill)

    again = start()

    async with session_with(again) as session:
        assert await get(session, "part-1") == PART
    assert left_in(again.data) == ["part-1"]


async def test_a_signal_lets_transfers_in_flight_finish(start: StartNode) -> None:
    node = start()
    async with session_with(node) as session:
        await put(session, "part-1", LONG)
        coming = await session.get("/files/part-1")
        head = [f"Content-Length: {len(LONG)}"]
        async with begun(node.port, "part-2", head, LONG[:-MIB]) as (reader, writer):
            assert await eventually(lambda: len(left_in(node.data)) == 2, seconds=20)

            node.process.send_signal(signal.SIGTERM)
            assert await eventually(lambda: '"stopping"' in node.log.read_text(), seconds=20)

            writer.write(LONG[-MIB:])
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            assert await coming.read() == LONG
    assert await asyncio.to_thread(node.stop) == 0
    assert node.path("part-2").read_bytes() == LONG


async def test_a_second_process_on_a_folder_refuses(start: StartNode) -> None:
    node = start()

    second = await asyncio.to_thread(
        subprocess.run,
        [*COMMAND, "--port", "0", "--data", str(node.data)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert second.returncode == 5
    assert "another storage node works in" in second.stderr
    assert "Traceback" not in second.stderr
    async with session_with(node) as session:
        await put(session, "part-1", PART)


async def test_memory_does_not_grow_with_what_passes(start: StartNode) -> None:
    node = start()
    size = 160 * MIB
    headers = {"Content-Length": str(size)}

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(size // MIB):
            yield bytes(MIB)

    async with session_with(node) as session:
        await put(session, "part-1", LONG)
        await get(session, "part-1")
        before = node.memory()
        async with session.put("/files/known", data=zeros(), headers=headers) as response:
            assert response.status == 200
        async with session.put("/files/unknown", data=zeros()) as response:
            assert response.status == 200
        async with session.get("/files/known") as response:
            came = 0
            async for data in response.content.iter_any():
                came += len(data)
        async with session.post("/check", json={"names": ["known"]}) as response:
            assert b'"size": 167772160' in await response.read()

    assert came == size
    assert node.memory() < before + 16 * MIB


async def test_callers_who_read_nothing_take_no_memory(start: StartNode) -> None:
    node = start()
    async with session_with(node) as session:
        await put(session, "part-1", LONG)
        before = node.memory()
        slow = [await session.get("/files/part-1") for _ in range(100)]
        during, open_files = node.memory(), node.descriptors()
        for response in slow:
            response.close()

    assert during < before + 12 * MIB
    assert await eventually(lambda: node.descriptors() < open_files - 150, seconds=20)


async def test_a_node_announces_itself_every_second(start: StartNode) -> None:
    async with locating() as one, locating() as other:
        node = start(locator=f"{one.url},{other.url}", secret="known")
        said = await one.more(2)
        await other.more()

        node.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(node.stop) == 0

    assert {message["serviceId"] for message in said} == {node.id}
    assert {message["advertisedAddr"] for message in said} == {node.address}
    assert set(one.authorizations) == {"Bearer known"}


@pytest.mark.parametrize(
    ("flags", "secret", "reason"),
    [
        (["--host", "0.0.0.0"], "two words", "PENSTOCK_CLUSTER_SECRET"),
        (["--locator", "http://a,ftp://x"], "", "locator"),
    ],
)
def test_a_wrong_option_is_told(flags: list[str], secret: str, reason: str, tmp_path: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "--port", "0", *flags],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        env={**os.environ, "PENSTOCK_CLUSTER_SECRET": secret},
    )

    assert ran.returncode == 2
    assert ran.stderr.startswith("penstock: error: ")
    assert reason in ran.stderr
    assert "Traceback" not in ran.stderr
    assert os.listdir(tmp_path) == []
