"""Several things at once, of which the first that fails ends the others."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(*works: Coroutine[Any, Any, None]) -> None:
    """Wait for all. Raises what the first of them raised that failed; none runs on then."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def side_by_side(work: Callable[[T], Awaitable[None]], items: Iterable[T], most: int) -> None:
    """Do the work for each item, ``most`` at once; items are asked for as they are needed."""
    upcoming = iter(items)

    async def worker() -> None:
        for item in upcoming:
            await work(item)

    await together(*(worker() for _ in range(most)))
