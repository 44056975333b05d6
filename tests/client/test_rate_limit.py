"""The rate limit holds both ways, over all transfers of a client together."""

import asyncio
import io
import time

from penstock.client import Client
from tests.client.conftest import MIB
from tests.serving import RunningServer


async def seconds_for(client: Client, *names: str, up: bool) -> float:
    began = time.monotonic()
    if up:
        await asyncio.gather(*(client.put(io.BytesIO(bytes(MIB)), name) for name in names))
    else:
        await asyncio.gather(*(client.get(name, io.BytesIO()) for name in names))
    return time.monotonic() - began


async def test_uploads_and_downloads_share_the_limit(server: RunningServer) -> None:
    async with Client(server.url, limit_rate=2 * MIB) as client:
        up = await seconds_for(client, "rate/one", "rate/two", up=True)
        down = await seconds_for(client, "rate/one", "rate/two", up=False)

    assert 0.7 < up < 5
    assert 0.7 < down < 5


async def test_a_slow_limit_is_no_stall(server: RunningServer) -> None:
    async with Client(server.url, limit_rate=100_000, timeout=0.5) as client:
        await client.put(io.BytesIO(bytes(200_000)), "rate/slow")
        info = await client.get("rate/slow", io.BytesIO())

    assert info.size == 200_000
