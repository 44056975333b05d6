"""The tasks that take jobs out of the queue and look after those that are being done."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping

from penstock.errors import Superseded
from penstock.jobs.attempt import Attempt
from penstock.jobs.handling import Cleanup, Handler
from penstock.jobs.hold import AWAY, Hold, Stop
from penstock.jobs.jobs import Jobs
from penstock.jobs.watching import happened

_TIDY_EVERY = 10.0
_SWEEP_EVERY = 60.0
_ENDS = 8
"""Cancelled jobs whose leavings are removed at once, beside the places of the lanes."""

_log = logging.getLogger("penstock.jobs")


class Worker:
    """Does the jobs of some kinds, in as many processes at the same time as one likes.

    :param handlers: what does the work of each kind
    :param lanes: how many jobs of each lane are done at once by this worker
    :param cleanups: what removes the leavings of a cancelled job; its checkpoint is then emptied
    """

    def __init__(
        self,
        jobs: Jobs,
        handlers: Mapping[str, Handler],
        *,
        lanes: Mapping[str, int],
        cleanups: Mapping[str, Cleanup] | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._jobs = jobs
        self._leases = jobs.leases
        self._limits = jobs.limits
        self._handlers = dict(handlers)
        self._cleanups = dict(cleanups or {})
        self._lanes = {lane: most for lane, most in lanes.items() if most > 0}
        self._closing = False
        self._closed = asyncio.Event()
        self._woken = asyncio.Event()
        self._claiming: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._attempts: dict[asyncio.Task[None], Attempt] = {}
        self._tidy_at = self._sweep_at = 0.0
        self.on_first_claim: Callable[[str, float], None] | None = None
        """Is told the lane of a job that begins here, and the seconds that it waited."""

    @property
    def running(self) -> int:
        """How many jobs this worker holds now."""
        return len(self._attempts)

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._jobs.on_change(self._woken.set)
        self._claiming = asyncio.create_task(self._claim_forever())
        self._beating = asyncio.create_task(self._beat_forever())

    async def close(self) -> None:
        """End the handlers by cancelling them and wait for them; give the jobs back, so that
        another worker goes on with them at once."""
        if self._claiming is None or self._beating is None:
            return
        self._closing = True
        self._woken.set()
        await self._claiming
        for attempt in self._attempts.values():
            attempt.hold.stop(Stop.CLOSING)
        if self._attempts:
            _, late = await asyncio.wait(self._attempts, timeout=self._limits.farewell)
            if late:  # their leases end by themselves
                _log.warning("jobs do not end", extra={"fields": {"jobs": len(late)}})
        self._closed.set()
        await self._beating

    async def _claim_forever(self) -> None:
        while not self._closing:
            self._woken.clear()
            try:
                await self._tidy()
                await self._claim()
            except AWAY as error:
                _log.warning("jobs cannot be claimed now: %s", error.orig)
            except Exception:  # noqa: BLE001 - nobody else would go on
                _log.exception("jobs cannot be claimed")
            await happened(self._woken, self._limits.poll)

    async def _claim(self) -> None:
        """Begin as many jobs as there are places for, and end those that wait to be."""
        attempts = self._attempts.values()
        taken = [one.hold.row.lane for one in attempts if not one.only_ends]
        places = {lane: most - taken.count(lane) for lane, most in self._lanes.items()}
        ends = _ENDS - sum(one.only_ends for one in attempts)
        if self._closing or not places:
            return
        asked = asyncio.get_running_loop().time()
        rows = await self._leases.claim(self.name, places, self._handlers, self._limits.lease, ends)
        for row in rows:
            if self.on_first_claim is not None and row.attempts == 1 and row.started is not None:
                self.on_first_claim(row.lane, max(0.0, row.started - row.created))
            hold = Hold(row, self._limits, asked)
            handler, cleanup = self._handlers[row.kind], self._cleanups.get(row.kind)
            attempt = Attempt(hold, self._leases, self._limits, handler, cleanup)
            task = asyncio.create_task(self._work(attempt, self._earlier(row.id)))
            self._attempts[task] = attempt
            task.add_done_callback(self._ended)

    def _earlier(self, identity: str) -> "list[asyncio.Task[None]]":
        """Attempts at the same job here, whose lease was lost and whose handler still ends."""
        return [
            task for task, attempt in self._attempts.items() if attempt.hold.claim.id == identity
        ]

    async def _work(self, attempt: Attempt, earlier: "list[asyncio.Task[None]]") -> None:
        if earlier:
            await asyncio.wait(earlier)
        await attempt.work()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._attempts.pop(task).hold.release()
        self._jobs.changed()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease will end, and it is begun again.
            _log.error("a job was not settled", exc_info=error)

    async def _beat_forever(self) -> None:
        while not await happened(self._closed, self._limits.beat):
            try:
                await self._beat()
            except AWAY as error:  # the leases watch over themselves
                _log.warning("jobs cannot be looked after now: %s", error.orig)
            except Exception:  # noqa: BLE001 - nobody else would go on
                _log.exception("jobs cannot be looked after")

    async def _beat(self) -> None:
        """See what others want of the jobs that are held here, and renew their leases."""
        attempts = [one for one in self._attempts.values() if not one.hold.lost]
        if not attempts:
            return
        standings = await self._leases.standings({one.hold.claim.id for one in attempts})
        for attempt in attempts:
            hold = attempt.hold
            standing = standings.get(hold.claim.id)
            if standing is None or standing.token != hold.claim.token:
                hold.stop(Stop.LOST)
            elif standing.cancelling:
                hold.stop(Stop.CANCELLED)
        renewals = [one.run.renew() for one in attempts if not one.hold.lost]
        for outcome in await asyncio.gather(*renewals, return_exceptions=True):
            if isinstance(outcome, Exception) and not isinstance(outcome, Superseded):
                raise outcome

    async def _tidy(self) -> None:
        now, limits = asyncio.get_running_loop().time(), self._limits
        if now >= self._tidy_at:
            self._tidy_at = now + _TIDY_EVERY
            pause = max(limits.longest_pause, limits.longest_asked)
            await self._leases.mend(limits.lease, pause)
        if now >= self._sweep_at:
            self._sweep_at = now + _SWEEP_EVERY
            if swept := await self._jobs.sweep():
                _log.info("swept jobs", extra={"fields": {"swept": swept}})
