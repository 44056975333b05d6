"""One job that this process holds: its lease, and what becomes of its handler."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from enum import IntEnum
from typing import Any, TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError

from penstock.catalog.leases import Claim
from penstock.catalog.queue import JobRow
from penstock.errors import Superseded
from penstock.jobs.limits import JobLimits

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError)
"""The database cannot be reached, or is restarted, or is locked by somebody for too long."""

_SAFE = 0.8
_PAUSE = 0.25

_log = logging.getLogger("penstock.jobs")


class Stop(IntEnum):
    """Why a handler has to end; the greater reason counts."""

    CANCELLED = 1
    CLOSING = 2
    LOST = 3


class Hold:
    """A claim on a job, until it is let go or lost.

    The lease is measured by the loop's clock from before it was asked for, and given up when four
    fifths are over: the handler ends before another worker may begin, even if the database is
    away, or this process was stopped and goes on.
    """

    def __init__(self, row: JobRow, limits: JobLimits, asked: float) -> None:
        self.claim = Claim(row.id, row.token)
        self.row = row
        self.reason: Stop | None = Stop.CANCELLED if row.cancelling else None
        self._limits = limits
        self._working: asyncio.Task[Any] | None = None
        self._is_cleanup = False
        self._guard: asyncio.TimerHandle | None = None
        self.renewed = asked
        self._watch_over()

    @property
    def lost(self) -> bool:
        """Another may hold the job by now, or it was let go."""
        return self.reason is Stop.LOST

    async def work(
        self, work: Coroutine[Any, Any, T], *, is_cleanup: bool = False
    ) -> "asyncio.Task[T]":
        """Run ``work`` until it ends, or is cancelled by :meth:`stop`; answers its task, ended."""
        self._working = working = asyncio.create_task(work)
        self._is_cleanup = is_cleanup
        try:
            await asyncio.wait([working])
        finally:
            self._working = None
            working.cancel()  # if this very task is cancelled: the loop is torn down
        return working

    def stop(self, reason: Stop) -> None:
        """End what runs, for that reason or a greater one."""
        if self.reason is not None and self.reason >= reason:
            return
        first = self.reason is None
        self.reason = reason
        # A handler that is ending is left to do so in order; but nobody waits for a cleanup.
        if self._working is not None and (first or self._is_cleanup):
            self._working.cancel()

    async def insist(self, write: Callable[[], Awaitable[JobRow | None]]) -> JobRow:
        """Make a write again and again while the database is away.

        :raises Superseded: the job is another's by now, or may be.
        """
        away = False
        while not self.lost:
            asked = asyncio.get_running_loop().time()
            try:
                row = await write()
            except AWAY:
                if not away:
                    _log.warning("a job waits for the catalog", exc_info=True)
                away = True
                await asyncio.sleep(_PAUSE)
                continue
            if row is None:
                self.stop(Stop.LOST)
                break
            self._note(row, asked)
            return row
        raise Superseded("another worker goes on with this job")

    def _note(self, row: JobRow, asked: float) -> None:
        self.row = row
        if not self.lost and row.due is not None and row.holder is not None:
            self.renewed = max(self.renewed, asked)
            self._watch_over()
            if row.cancelling:
                self.stop(Stop.CANCELLED)

    def release(self) -> None:
        """The job was let go: whoever still writes for it gives up, and nothing is watched."""
        self.reason = Stop.LOST
        self._disarm()

    def _disarm(self) -> None:
        if self._guard is not None:
            self._guard.cancel()

    def _watch_over(self) -> None:
        self._disarm()
        loop = asyncio.get_running_loop()
        until = self.renewed + self._limits.lease * _SAFE
        self._guard = loop.call_at(until, self.stop, Stop.LOST)
