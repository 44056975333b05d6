"""Getting the next things of an asynchronous generator while the one before is being used."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def ahead(things: AsyncGenerator[T, None], most: int) -> AsyncGenerator[T, None]:
    """The same things; ``most`` wait at most. Raises what ``things`` raises, behind them.

    They come from a task of their own, which has ended when this one has.
    """
    waiting: asyncio.Queue[T | None] = asyncio.Queue(most)

    async def get() -> None:
        async with aclosing(things):
            try:
                async for thing in things:
                    await waiting.put(thing)
            finally:
                # Nobody waits any more if it was cancelled.
                ended.set()
                _wake(waiting)

    ended = asyncio.Event()
    getting = asyncio.create_task(get())
    try:
        while not (ended.is_set() and waiting.empty()):
            thing = await waiting.get()
            if thing is None:
                break
            yield thing
        await getting
    finally:
        getting.cancel()
        await asyncio.gather(getting, return_exceptions=True)


def _wake(waiting: "asyncio.Queue[T | None]") -> None:
    if waiting.empty():
        waiting.put_nowait(None)
