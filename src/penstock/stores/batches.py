"""Bytes gathered in the event loop and handed to a worker thread, in order, batch by batch."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

BATCH = 1 << 20
"""Bytes gathered before a thread takes them; two batches are in memory at most."""

_OLDEST = 1.0


class Batches:
    """Gives ``work`` lists of pieces of some 1 MiB together, one list at a time.

    What is smaller is handed over after a second, so that slow senders hold no memory.
    """

    def __init__(self, pool: Executor, work: Callable[[list[bytes]], None]) -> None:
        self._pool = pool
        self._work = work
        self._batch: list[bytes] = []
        self._size = 0
        self._running: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def put(self, data: bytes) -> None:
        """Take the next bytes; waits while the batch before the last is still at work.

        :raises Exception: what ``work`` raised for an earlier batch.
        """
        self._batch.append(data)
        self._size += len(data)
        if self._size >= BATCH:
            await self._ready()
            self._hand_over()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_OLDEST, self._old)

    async def drain(self) -> None:
        """Wait until everything was worked on.

        :raises Exception: what ``work`` raised.
        """
        await self._ready()
        if self._batch:
            self._hand_over()
            await self._ready()

    async def stop(self) -> None:
        """Drop what was not handed over; wait for the batch that is at work, however it ends."""
        self._batch, self._size = [], 0
        self._cancel_timer()
        if self._running is not None:
            await asyncio.wait([self._running])
            self._running.exception()

    async def _ready(self) -> None:
        if self._running is not None:
            await asyncio.shield(self._running)

    def _hand_over(self) -> None:
        self._cancel_timer()
        batch, self._batch, self._size = self._batch, [], 0
        loop = asyncio.get_running_loop()
        self._running = loop.run_in_executor(self._pool, partial(self._work, batch))

    def _old(self) -> None:
        self._timer = None
        if self._running is None or (self._running.done() and not self._running.exception()):
            self._hand_over()
        # Else the next piece, or the end, comes upon the batch that is at work or has failed.

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
