"""What a job is to those who ask for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from penstock.catalog import queue
from penstock.catalog.job_log import LogRow as Line
from penstock.catalog.queue import JobRow
from penstock.errors import TooLarge

__all__ = ["ENDED", "Job", "Line", "State", "decoded", "encoded"]


class State(StrEnum):
    """Where a job is in its life."""

    WAITING = queue.WAITING
    RUNNING = queue.RUNNING
    DONE = queue.DONE
    FAILED = queue.FAILED
    CANCELLED = queue.CANCELLED


ENDED = frozenset((State.DONE, State.FAILED, State.CANCELLED))


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stood when it was read.

    Times are seconds since 1970 by the database's clock, ``done`` and ``total`` bytes, ``rate``
    bytes per second. ``key`` is what the same request is known by, ``attempts`` how often the job
    was begun. ``wakes`` is when it may begin, while it waits. ``error`` is why it failed, or why
    it waits again: ``code`` and ``detail`` as in a problem document. ``cancelling``: somebody
    asked for its end, and it has not ended yet. ``token`` rises with each holder: whatever else a
    handler writes to can refuse the lower one. ``revision`` rises with every change.

    ``spec`` and ``checkpoint`` may hold secrets: they are not shown by ``repr``.
    """

    id: str
    kind: str
    state: State
    lane: str
    owner: str
    key: str
    spec: dict[str, Any] = field(repr=False)
    checkpoint: dict[str, Any] = field(repr=False)
    result: dict[str, Any] | None = field(repr=False)
    error: dict[str, Any] | None
    created: float
    started: float | None
    ended: float | None
    wakes: float | None
    cancelling: bool
    attempts: int
    done: int
    total: int | None
    files_done: int
    files_total: int | None
    rate: float | None
    token: int
    revision: int

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more, unless somebody has it tried again."""
        return self.state in ENDED

    @property
    def next_try(self) -> float | None:
        """When it goes on, if it waits after an attempt; in seconds since 1970."""
        return self.wakes if self.attempts else None

    @property
    def trouble(self) -> dict[str, Any] | None:
        """What may be shown of the error: ``code`` and ``detail``."""
        return self.error and {name: self.error[name] for name in ("code", "detail")}

    @property
    def eta(self) -> float | None:
        """Seconds until all bytes are done, if it goes on as it does; ``None`` if nobody knows."""
        if not self.rate or self.total is None:
            return None
        return max(0, self.total - self.done) / self.rate


def decoded(row: JobRow) -> Job:
    """The job that a row of the catalog is."""
    return Job(
        id=row.id,
        kind=row.kind,
        state=State(row.state),
        lane=row.lane,
        owner=row.owner,
        key=row.key,
        spec=json.loads(row.spec),
        checkpoint=json.loads(row.checkpoint),
        result=None if row.result is None else json.loads(row.result),
        error=None if row.error is None else json.loads(row.error),
        created=row.created,
        started=row.started,
        ended=row.ended,
        wakes=row.due if row.state == State.WAITING and not row.cancelling else None,
        cancelling=row.cancelling,
        attempts=row.attempts,
        done=row.done,
        total=row.total,
        files_done=row.files_done,
        files_total=row.files_total,
        rate=row.rate,
        token=row.token,
        revision=row.revision,
    )


def encoded(what: str, value: Mapping[str, Any], longest: int) -> str:
    """As JSON, for the catalog.

    :raises TooLarge: it would be more than ``longest`` bytes.
    """
    # All in ASCII: characters are bytes, and PostgreSQL takes no NUL as it is.
    text = json.dumps(dict(value), separators=(",", ":"), allow_nan=False)
    if len(text) > longest:
        raise TooLarge(f"the {what} of a job may have {longest} bytes as JSON, not {len(text)}")
    return text
