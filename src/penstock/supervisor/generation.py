"""The workers that one reading of the settings brought about."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence

from penstock.errors import Exit
from penstock.logs import note
from penstock.supervisor.child import Child

_YOUNG = 10.0
"""A worker that ends before so many seconds has hardly lived."""

_LONGEST_WAIT = 30.0
_DOUBLINGS = 10
"""They are longer than that anyway, and a float does not hold many more."""
_FAILURES = 5
"""In a row, of one worker, while no other one is ready: then it is given up."""

_HURRY = 3.0
"""Seconds that workers have to end at once."""

_MARGIN = 10.0
"""Seconds beyond those that transfers may take, after which a worker that was to end is killed."""


class NotStarted(Exception):
    """A worker ended before it was ready, with ``code``; it has told why."""

    def __init__(self, code: int) -> None:
        super().__init__(f"a worker did not start: it ended {ending(code)}")
        self.code = code if code > 0 else Exit.FAILED


class Generation:
    """So many workers, each replaced when it ends, until they are told to end.

    ``start`` starts one; ``lost`` is called with an exit code when there is no hope. Of a worker
    that gives no sign of life for ``patience`` seconds the event loop hangs: it is killed.
    """

    def __init__(
        self,
        start: Callable[[int], Child],
        count: int,
        *,
        draining: float,
        patience: float,
        lost: Callable[[int], None],
    ) -> None:
        self._start, self._count, self._lost = start, count, lost
        self._draining, self._patience = draining, patience
        self._children: dict[int, Child] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        """Start all and wait until they are ready; the first one alone: it prepares the catalog.

        :raises NotStarted: one ended before it was; the others are ended too.
        """
        try:
            for slots in (range(1), range(1, self._count)):
                await self._begin(slots)
        except BaseException:
            await self.end(at_once=True)
            raise
        self._tasks = [asyncio.create_task(self._keep(slot)) for slot in range(self._count)]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def end(self, *, at_once: bool = False) -> None:
        """Let them finish what they do, or cut it, and wait until all have ended."""
        for task in self._tasks:
            task.cancel()
        self._signal(signal.SIGTERM)
        if at_once:
            self._signal(signal.SIGTERM)
        await self._wait(_HURRY if at_once else self._draining + _MARGIN)
        self._signal(signal.SIGKILL)
        await self._wait(None)

    async def hurry(self) -> None:
        """While ``end`` waits: have them cut what they do."""
        self._signal(signal.SIGTERM)
        await self._wait(_HURRY)
        self._signal(signal.SIGKILL)

    async def _begin(self, slots: Sequence[int]) -> None:
        for slot in slots:
            self._children[slot] = self._start(slot)
        begun = [self._children[slot] for slot in slots]
        waits = [asyncio.ensure_future(child.is_ready()) for child in begun]
        try:
            for first in asyncio.as_completed(waits):
                if not await first:
                    ended = next(child for child in begun if child.ended.done())
                    raise NotStarted(ended.ended.result())
        finally:
            for wait in waits:
                wait.cancel()

    async def _keep(self, slot: int) -> None:
        """Replace a worker as often as it ends, ever later if it hardly lives."""
        failures = 0
        while True:
            child = self._children[slot]
            code = await asyncio.shield(child.ended)
            failures = failures + 1 if child.age < _YOUNG else 0
            how = ending(code)
            note("worker ended", level=logging.WARNING, worker=slot, pid=child.pid, ended=how)
            others = [one for one in self._children.values() if one is not child]
            if failures >= _FAILURES and not any(_serves(one) for one in others):
                self._lost(code if code > 0 else Exit.FAILED)
                return
            await self._again(slot, failures)

    async def _again(self, slot: int, failures: int) -> None:
        """Start a worker, after a while if it failed before."""
        while True:
            if failures:
                await asyncio.sleep(min(0.1 * 2 ** min(failures, _DOUBLINGS), _LONGEST_WAIT))
            try:
                self._children[slot] = self._start(slot)
            except OSError as error:
                note("worker not started", level=logging.ERROR, worker=slot, reason=str(error))
                failures += 1
            else:
                return

    async def _watch(self) -> None:
        """Kill what hangs."""
        interval = self._patience / 8
        while True:
            before = time.monotonic()
            await asyncio.sleep(interval)
            if time.monotonic() - before > 2 * interval:
                continue  # it was this process that stood still: signs of life may wait
            for child in self._children.values():
                silent = time.monotonic() - child.heard
                if _serves(child) and silent > self._patience:
                    note("worker hangs", level=logging.ERROR, worker=child.slot, pid=child.pid)
                    child.signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children.values():
            child.signal(number)

    async def _wait(self, seconds: float | None) -> None:
        if self._children:
            ends = [child.ended for child in self._children.values()]
            await asyncio.wait(ends, timeout=seconds)


def ending(code: int) -> str:
    """How a process ended, in words."""
    return f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"


def _serves(child: Child) -> bool:
    return child.ready.is_set() and not child.ended.done()
