"""Servers that are killed and stopped in the middle of a pull: it goes on, here or elsewhere."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.faults import Source, stall
from tests.pulls.pulling import Far, PullJson, begin, ended, standing
from tests.serving import RunningServer

MIB = 1 << 20
FILM = random.Random(7).randbytes(48 * MIB)
CAME = 40 * MIB
DURABLE = 32 * MIB
"""Of what came this much at least was made durable before the kill."""

LEASE = 60.0
"""Seconds within which another worker surely goes on with what a dead one has left."""


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


async def at(stack: AsyncExitStack, server: RunningServer) -> Far:
    return Far(await stack.enter_async_context(aiohttp.ClientSession(server.url)))


async def started(start_server: StartServer, **options: Any) -> RunningServer:
    return await asyncio.to_thread(start_server, remote_allow="127.0.0.1", **options)


async def begun(source: Source, far: Far) -> PullJson:
    """A pull of which a part has come, and the rest does not come from this connection."""
    url = source.serve("/film", FILM, etag='"v1"', faults=[stall(CAME)])
    pull = await begin(far, url)
    return await standing(far, pull, lambda now: now["received"] >= CAME)


async def stored(far: Far) -> bytes:
    response, body = await far.call("GET", "/v1/files/film")
    assert response.status == 200
    return body


def went_on_at(source: Source) -> int:
    """Where the second request began."""
    first, second = source.ranges
    assert first is None
    assert second is not None
    return int(second.removeprefix("bytes=").removesuffix("-"))


@pytest.mark.slow
async def test_a_killed_server_goes_on_from_what_was_durable(
    start_server: StartServer, source: Source, stack: AsyncExitStack
) -> None:
    server = await started(start_server)
    pull = await begun(source, await at(stack, server))

    await asyncio.to_thread(server.kill)
    again = await at(stack, await started(start_server, data=server.data))
    done = await ended(again, pull, LEASE)

    assert (done["state"], done["attempts"]) == ("done", 2)
    assert DURABLE <= went_on_at(source) <= CAME
    assert await stored(again) == FILM


async def test_a_stopped_server_goes_on_with_everything_that_came(
    start_server: StartServer, source: Source, stack: AsyncExitStack
) -> None:
    server = await started(start_server)
    pull = await begun(source, await at(stack, server))

    assert await asyncio.to_thread(server.stop) == 0
    again = await at(stack, await started(start_server, data=server.data))
    done = await ended(again, pull)

    assert done["state"] == "done"
    assert went_on_at(source) == CAME
    assert await stored(again) == FILM


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_another_server_on_the_catalog_goes_on_for_one_that_is_stopped(
    start_server: StartServer, source: Source, stack: AsyncExitStack, url: str
) -> None:
    first = await started(start_server, catalog=url)
    pull = await begun(source, await at(stack, first))
    second = await at(stack, await started(start_server, data=first.data, catalog=url))
    path = f"/v1/pulls/{pull['id']}/events"
    listening = asyncio.create_task(second.call("GET", path))

    assert await asyncio.to_thread(first.stop) == 0
    done = await ended(second, pull)
    _, events = await listening

    assert done["state"] == "done"
    assert went_on_at(source) == CAME
    assert await stored(second) == FILM
    assert b"event: done" in events


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_any_server_on_the_catalog_can_cancel(
    start_server: StartServer, source: Source, stack: AsyncExitStack, url: str
) -> None:
    first = await started(start_server, catalog=url)
    pull = await begun(source, await at(stack, first))
    second = await at(stack, await started(start_server, data=first.data, catalog=url, pulls=0))

    response, _ = await second.call("DELETE", f"/v1/pulls/{pull['id']}")
    cancelled = await ended(second, pull)

    assert response.status in (200, 202)
    assert cancelled["state"] == "cancelled"
    await source.all_closed()
    incoming = first.data / "files" / ".penstock" / "incoming"
    assert not [file for file in incoming.rglob("*") if file.stat().st_size]
