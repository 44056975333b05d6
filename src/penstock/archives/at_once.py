"""Many questions, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def ask_all(ask: Callable[[T], Awaitable[R]], items: Sequence[T], at_once: int) -> list[R]:
    """The answers for all items, in their order; the first error ends all questions."""
    answers: dict[int, R] = {}
    left = iter(enumerate(items))

    async def work() -> None:
        for index, item in left:
            answers[index] = await ask(item)

    workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(items)))]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    return [answers[index] for index in range(len(items))]
