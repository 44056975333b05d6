"""Many files at once, but only a few at a time; each has a result of its own."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
)
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from penstock.client.answers import FileInfo
from penstock.client.progress import Progress
from penstock.errors import PenstockError, ServerUnavailable

AT_ONCE = 4

T = TypeVar("T")

Meters: TypeAlias = Callable[[str], Progress]
Several: TypeAlias = Iterable[T] | AsyncIterable[T]


@dataclass(frozen=True, slots=True)
class Transfer:
    """What a put or get came to; ``skipped`` if the bytes were there, so nothing had to move."""

    info: FileInfo
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one file of many.

    Either ``error`` tells what went wrong, or ``info`` what is stored now (``None`` after a
    removal); ``skipped`` if it was there already, so nothing was sent. ``path`` is the local
    file.
    """

    key: str
    path: str = ""
    info: FileInfo | None = None
    skipped: bool = False
    error: PenstockError | OSError | None = None


async def settled(key: str, path: str, work: Callable[[], Awaitable[Done]]) -> Done:
    """The result of one file, be it an error; only the loss of the server ends all.

    :raises ServerUnavailable: the other files would fare no better.
    """
    try:
        return await work()
    except ServerUnavailable:
        raise
    except (PenstockError, OSError) as error:
        return Done(key, path, error=error)


async def few_at_once(
    items: Several[T], work: Callable[[T], Awaitable[Done]]
) -> AsyncGenerator[Done, None]:
    """The results of ``work`` on each item, as they come; at most AT_ONCE are under way."""
    running: set[asyncio.Future[Done]] = set()
    try:
        async for item in each(items):
            running.add(asyncio.ensure_future(work(item)))
            if len(running) >= AT_ONCE:
                for task in await _ended(running):
                    running.discard(task)
                    yield task.result()
        while running:
            for task in await _ended(running):
                running.discard(task)
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _ended(running: set[asyncio.Future[Done]]) -> set[asyncio.Future[Done]]:
    """Wait until some of them have ended; answers those."""
    ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return ended


async def each(items: Several[T]) -> AsyncIterator[T]:
    """The items, whichever way they come."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
