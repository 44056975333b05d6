"""Blocking calls, made in a worker thread so that the event loop never waits for a disk."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of ``call``, made in a worker thread.

    When the caller is cancelled the call is waited for first: the thread still uses descriptors
    that whoever cancelled is about to close. So keep each call short.
    """
    task = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not report it as forgotten
        raise
