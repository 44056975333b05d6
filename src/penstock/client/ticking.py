"""Something done every so often while something else runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do ``work`` every so many seconds while the block runs.

    If it fails it is not done again, and its error is raised at the end of the block.
    """

    async def tick() -> None:
        while True:
            await asyncio.sleep(seconds)
            await work()

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        (ended,) = await asyncio.gather(ticking, return_exceptions=True)
    if isinstance(ended, Exception):
        raise ended
