"""Nodes that do not do what they are asked for, each in its own way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from isal.isal_zlib import crc32

from tests.cluster.here import ClusterHere

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def full(request: web.Request) -> web.StreamResponse:
    """There is no room."""
    return web.json_response({"error": "no space is left"}, status=507)


async def refusing(request: web.Request) -> web.StreamResponse:
    """Something is wrong with it."""
    return web.json_response({"error": "something went wrong"}, status=500)


async def lying(request: web.Request) -> web.StreamResponse:
    """It keeps other bytes than it was sent."""
    data = await request.read()
    kept = {"fullSize": len(data), "success": True, "size": len(data)}
    return web.json_response({**kept, "crc32": f"{crc32(data) ^ 1:08x}"})


async def cutting(request: web.Request) -> web.StreamResponse:
    """It dies in the middle of what it is sent."""
    await request.content.read(1000)
    assert request.transport is not None
    request.transport.abort()
    await asyncio.sleep(0)
    return web.Response()


async def silent(request: web.Request) -> web.StreamResponse:
    """It reads no more, and says nothing."""
    await request.content.read(1000)
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def imposter(cluster: ClusterHere, number: int, answer: Answer) -> AsyncIterator[None]:
    """Have something else answer in a node's place; the node itself knows nothing of it."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    member = cluster.nodes[number]
    real, member.address = member.address, f"127.0.0.1:{runner.addresses[0][1]}"
    await cluster.hear()
    try:
        yield
    finally:
        member.address = real
        await runner.cleanup()
