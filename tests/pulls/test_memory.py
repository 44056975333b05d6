"""A pull takes the same memory, however large its file is."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from bench.peers.nginx import Nginx
from bench.peers.server import PeerMissing
from tests.conftest import StartServer
from tests.pulls.pulling import Far, pulled

MIB = 1 << 20


async def test_a_large_file_takes_no_more_memory_than_a_small_one(
    start_server: StartServer, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for name, size in (("small", 8 * MIB), ("large", 512 * MIB)):
        with (root / name).open("wb") as file:
            file.truncate(size)
    server = await asyncio.to_thread(start_server, remote_allow="127.0.0.1")
    try:
        with Nginx(root, tmp_path / "scratch") as nginx:
            async with aiohttp.ClientSession(server.url) as session:
                url = f"http://127.0.0.1:{nginx.port}"
                small = await pulled(Far(session), f"{url}/small", "small")
                before = server.memory()
                large = await pulled(Far(session), f"{url}/large", "large")
    except PeerMissing as missing:
        pytest.skip(str(missing))

    assert (small["state"], large["state"]) == ("done", "done")
    assert large["received"] == 512 * MIB
    assert server.memory() - before < 24 * MIB
