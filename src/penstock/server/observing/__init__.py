"""What operators look at: metrics, memory, profiles, traces."""

from collections.abc import AsyncIterator

from aiohttp import web

from penstock.server.observing.watch import Watch, make_watch
from penstock.server.serving import SERVING

__all__ = ["Watch", "make_watch", "watching"]


async def watching(app: web.Application) -> AsyncIterator[None]:
    """Metrics are looked after as long as the application runs."""
    watch = app[SERVING].watch
    assert watch is not None
    watch.start()
    yield
    await watch.close()
