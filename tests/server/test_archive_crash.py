"""Servers that are killed in the middle of an archive, and archives of very many files."""

import asyncio
import random
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.pulls.pulling import Far
from tests.server.archiving import archived, begin, ended, log
from tests.serving import RunningServer

MIB = 1 << 20
LEASE = 60.0
"""Seconds within which another worker surely goes on with what a dead one has left."""


def fill(folder: Path, count: int, size: int) -> dict[str, bytes]:
    """Files that differ, put where a local server keeps those of others."""
    noise = random.Random(6).randbytes(size + count)
    made = {f"{folder.name}/{i:05d}.bin": noise[i : i + size] for i in range(count)}
    folder.mkdir(parents=True)
    for name, content in made.items():
        (folder.parent / name).write_bytes(content)
    return made


def durable(server: RunningServer) -> int:
    """Bytes of uploads that are durable and counted."""
    catalog = f"file:{server.data / 'catalog.sqlite'}?mode=ro"
    with closing(sqlite3.connect(catalog, uri=True)) as connection:
        [[offset]] = connection.execute("SELECT coalesce(max(offset), 0) FROM uploads")
    return int(offset)


async def until_durable(server: RunningServer, size: int) -> None:
    """Wait until so many bytes of the archive are."""
    async with asyncio.timeout(60):
        while await asyncio.to_thread(durable, server) < size:
            await asyncio.sleep(0.005)


@pytest.mark.slow
async def test_a_killed_server_goes_on_with_its_archive_from_what_was_durable(
    start_server: StartServer,
) -> None:
    server = await asyncio.to_thread(start_server)
    made = await asyncio.to_thread(fill, server.data / "files" / "big", 40, 8 * MIB)
    async with aiohttp.ClientSession(server.url) as session:
        archive = await begin(Far(session), "big")
        await until_durable(server, 32 * MIB)
        await asyncio.to_thread(server.kill)
    again = await asyncio.to_thread(start_server, data=server.data)
    async with aiohttp.ClientSession(again.url) as session:
        done = await ended(Far(session), archive, LEASE)
        lines = await log(Far(session), done)

    [went_on] = [line for line in lines if line.startswith("goes on at byte ")]
    at = int(went_on.rpartition(" ")[2].replace(",", ""))
    assert (done["state"], done["attempts"]) == ("done", 2)
    assert 32 * MIB <= at <= done["size"]
    with zipfile.ZipFile(server.data / "files" / done["key"]) as found:
        assert {name: found.read(name) for name in found.namelist()} == made


@pytest.mark.slow
async def test_very_many_files_take_no_more_memory_than_a_few(start_server: StartServer) -> None:
    server = await asyncio.to_thread(start_server)
    await asyncio.to_thread(fill, server.data / "files" / "few", 500, 8192)
    await asyncio.to_thread(fill, server.data / "files" / "many", 4_000, 8192)
    async with aiohttp.ClientSession(server.url) as session:
        few = await archived(Far(session), "few")
        before = server.memory()
        many = await ended(Far(session), await begin(Far(session), "many"), 120)

    assert (few["state"], many["state"]) == ("done", "done")
    assert many["usage"]["received"] == many["files"] * 8192 == 4_000 * 8192
    assert server.memory() - before < 20 * MIB
