"""One attempt at a job, from its claim until it is let go."""

import asyncio
import logging

from penstock.catalog.leases import Leases
from penstock.catalog.queue import JobRow
from penstock.errors import Superseded
from penstock.jobs.handling import Cleanup, Handler
from penstock.jobs.hold import Hold, Stop
from penstock.jobs.job import State, decoded, encoded
from penstock.jobs.limits import JobLimits
from penstock.jobs.run import Run
from penstock.jobs.verdicts import GIVEN_BACK, SILENT, Verdict, verdict_on

_log = logging.getLogger("penstock.jobs")


class Attempt:
    """Runs the handler of a job that was just claimed, and settles what becomes of it.

    ``only_ends``: its end was asked for before; the handler is not called.
    """

    def __init__(
        self,
        hold: Hold,
        leases: Leases,
        limits: JobLimits,
        handler: Handler,
        cleanup: Cleanup | None,
    ) -> None:
        self.hold = hold
        self.run = Run(hold, leases, limits)
        self.only_ends = hold.row.cancelling
        self._leases = leases
        self._limits = limits
        self._handler = handler
        self._cleanup = cleanup

    async def work(self) -> None:
        """To the end: done, failed, postponed, cancelled, given back, or lost to another."""
        hold = self.hold
        try:
            if hold.lost:
                raise Superseded("another worker goes on with this job")
            if hold.reason is Stop.CANCELLED:
                await self._cancel()
            elif hold.reason is Stop.CLOSING:
                await self._give_back()
            elif hold.row.failures > self._limits.tries:
                await self._settle(Verdict(State.FAILED, "given up: its workers died", SILENT))
            else:
                _tell(logging.INFO, "job begun", hold.row)
                await self._handle()
        except Superseded:
            _tell(logging.WARNING, "job outlived its lease", hold.row)

    async def _handle(self) -> None:
        task = await self.hold.work(self._result())
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            await self._end(State.DONE, "done", **task.result(), error=None)
            return
        verdict = verdict_on(self.hold, error, self._limits)
        if verdict is None:
            raise Superseded("another worker goes on with this job")
        if verdict.state is State.CANCELLED:
            await self._cancel()
        elif verdict.unbegun:
            await self._give_back()
        else:
            await self._settle(verdict)

    async def _result(self) -> dict[str, object]:
        longest = self._limits.longest
        result = encoded("result", await self._handler(self.run), longest)
        values: dict[str, object] = {"result": result, **self.run.reached()}
        if self.run.retained is not None:
            values["spec"] = encoded("spec", self.run.retained, longest)
        return values

    async def _cancel(self) -> None:
        """Remove what the job left, then end it; a worker that closes leaves that to another."""
        values: dict[str, object] = {}
        if self._cleanup is not None:
            task = await self.hold.work(_cleaned(self._cleanup, self.hold.row), is_cleanup=True)
            if task.cancelled():
                await self._give_back()
                return
            if (error := task.exception()) is not None:
                _log.error("what a cancelled job left was not removed", exc_info=error)
            values = {"checkpoint": "{}"}
        await self._end(State.CANCELLED, "cancelled", **values)

    async def _settle(self, verdict: Verdict) -> None:
        error = encoded("error", verdict.error or {}, self._limits.longest)
        if verdict.state is State.FAILED:
            await self._end(State.FAILED, verdict.line, error=error)
            return
        claim, pause, line = self.hold.claim, verdict.pause, verdict.line
        await self.hold.insist(lambda: self._leases.postpone(claim, pause, line, error))
        _tell(logging.INFO, "job postponed", self.hold.row, pause=round(pause, 1))

    async def _end(self, state: State, line: str, **values: object) -> None:
        claim = self.hold.claim
        await self.hold.insist(lambda: self._leases.end(claim, state, line, **values))
        _tell(logging.INFO, f"job {state}", self.hold.row)

    async def _give_back(self) -> None:
        await self.hold.insist(lambda: self._leases.give_back(self.hold.claim, GIVEN_BACK))
        _tell(logging.INFO, "job given back", self.hold.row)


async def _cleaned(cleanup: Cleanup, row: JobRow) -> None:
    await cleanup(decoded(row))


def _tell(level: int, event: str, row: JobRow, **fields: object) -> None:
    fields = {"id": row.id, "kind": row.kind, "attempts": row.attempts, **fields}
    _log.log(level, event, extra={"fields": fields})
