"""Blocking work in worker threads, safe against the caller being cancelled meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work`` in the loop's pool of worker threads."""
    return await asyncio.get_running_loop().run_in_executor(None, partial(work, *args, **kwargs))


async def in_pool(pool: Executor, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As :func:`in_thread`, in the threads of ``pool``."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **kwargs))


async def use_in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As :func:`in_thread`, for work on a descriptor that the caller will close.

    A cancelled caller still waits for the thread, or the thread would go on with a descriptor
    that is closed by then, or is another file's. So keep each call short.
    """
    loop = asyncio.get_running_loop()
    return await to_the_end(loop.run_in_executor(None, partial(work, *args, **kwargs)))


async def to_the_end(work: Awaitable[T]) -> T:
    """Await ``work``, which goes on even if the caller is cancelled; that is raised afterwards."""
    running = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        if not running.cancelled():
            running.exception()  # seen, so that asyncio does not report it as forgotten
        raise


async def open_in_thread(
    work: Callable[[], T], close: Callable[[T], None], pool: Executor | None = None
) -> T:
    """Run ``work``, which opens something, and answer what it opened.

    A thread cannot be stopped: when the caller is cancelled while it runs, what it opens is
    closed as soon as it is there.
    """
    running = asyncio.get_running_loop().run_in_executor(pool, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(partial(_close_late, close, pool))
        raise


def _close_late(
    close: Callable[[T], None], pool: Executor | None, opened: "asyncio.Future[T]"
) -> None:
    if not opened.cancelled() and opened.exception() is None:
        asyncio.get_running_loop().run_in_executor(pool, close, opened.result())
