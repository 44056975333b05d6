"""What becomes of a job whose handler has ended."""

import asyncio
import logging
import random
from dataclasses import dataclass
from typing import Any

from penstock.errors import PenstockError
from penstock.jobs.handling import Again, Final
from penstock.jobs.hold import AWAY, Hold, Stop
from penstock.jobs.job import State
from penstock.jobs.limits import JobLimits

_log = logging.getLogger("penstock.jobs")

GIVEN_BACK = "given back: its worker ends"
SILENT = {
    "code": "internal",
    "detail": "every worker that began this job died without getting further; retry it when the "
    "reason is found",
}
_BROKEN = {
    "code": "internal",
    "detail": "an unexpected error ended this job; the server's log has the details",
}
_AWAY = {"code": "unavailable", "detail": "the server's database could not be used"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` is what the job becomes: ``WAITING`` is another attempt after ``pause`` seconds,
    or ``unbegun``, one that does not count the last."""

    state: State
    line: str
    error: dict[str, Any] | None = None
    pause: float = 0.0
    unbegun: bool = False


def verdict_on(hold: Hold, error: BaseException, limits: JobLimits) -> Verdict | None:
    """What the ``error`` of a handler means; ``None`` if the job is no longer ours to settle."""
    if hold.reason is Stop.LOST:
        return None
    if hold.reason is Stop.CANCELLED:
        if not isinstance(error, asyncio.CancelledError):
            _log.warning("a handler failed while it was cancelled", exc_info=error)
        return Verdict(State.CANCELLED, "cancelled")
    if hold.reason is Stop.CLOSING and isinstance(error, asyncio.CancelledError):
        return Verdict(State.WAITING, GIVEN_BACK, unbegun=True)
    told, again, after = _told(error)
    if not again:
        return Verdict(State.FAILED, f"failed: {told['detail']}", told)
    if hold.row.failures >= limits.tries:
        line = f"given up after {hold.row.failures} attempts in a row: {told['detail']}"
        return Verdict(State.FAILED, line, told)
    pause = max(_pause(hold.row.failures, limits), min(after, limits.longest_asked))
    line = f"failed: {told['detail']}; again in {pause:.1f} s"
    return Verdict(State.WAITING, line, told, pause)


def _told(error: BaseException) -> tuple[dict[str, Any], bool, float]:
    """What is told of the error, whether to try again, and after how many seconds at least."""
    if isinstance(error, Again):
        return _problem(error.error), True, error.after
    if isinstance(error, Final):
        return _problem(error.error), False, 0.0
    if isinstance(error, PenstockError):
        return _problem(error), error.retryable, _seconds(error.extra.get("retry_after"))
    if isinstance(error, AWAY):
        return _AWAY, True, 0.0
    _log.error("a job's handler failed", exc_info=error)
    return _BROKEN, False, 0.0


def _problem(error: PenstockError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail}


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _pause(failures: int, limits: JobLimits) -> float:
    pause = min(limits.longest_pause, limits.first_pause * 2.0 ** min(max(failures - 1, 0), 32))
    return pause * random.uniform(0.5, 1.0)
