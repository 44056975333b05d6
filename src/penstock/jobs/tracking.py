"""How far a job is, and how fast its bytes go by."""

import math

from penstock.catalog.leases import Progress
from penstock.catalog.queue import JobRow

_SMOOTHING = 10.0
"""Seconds after which a change of pace has been followed by two thirds."""
_LEAST = 0.2


class Meter:
    """A moving average, in bytes per second; times are seconds of a monotonic clock."""

    def __init__(self, done: int, now: float) -> None:
        self._done = done
        self._then = now
        self.rate: float | None = None

    def see(self, done: int, now: float) -> float | None:
        """Take in that so many bytes are done now; answers the rate, ``None`` if unknown yet."""
        seconds = now - self._then
        if done < self._done:  # begun anew
            self._done, self._then, self.rate = done, now, None
        elif seconds >= _LEAST:
            rate = (done - self._done) / seconds
            old = rate if self.rate is None else self.rate
            self.rate = old + (rate - old) * (1 - math.exp(-seconds / _SMOOTHING))
            self._done, self._then = done, now
        return self.rate


class Tracker:
    """What a handler told last, and whether the catalog knows it."""

    def __init__(self, row: JobRow, now: float) -> None:
        begun = row.checkpoint != "{}"
        self._now = Progress(
            done=row.done if begun else 0,
            total=row.total,
            files_done=row.files_done if begun else 0,
            files_total=row.files_total,
        )
        self._told = self._now
        self._meter = Meter(self._now.done, now)

    def note(
        self,
        done: int | None,
        total: int | None,
        files_done: int | None,
        files_total: int | None,
    ) -> None:
        """Take in what is new; ``None`` leaves a number as it is."""
        given = {
            "done": done, "total": total, "files_done": files_done, "files_total": files_total
        }  # fmt: skip
        self._now = self._now._replace(
            **{name: value for name, value in given.items() if value is not None}
        )

    @property
    def is_new(self) -> bool:
        """There is something to tell."""
        return self._now != self._told

    def tell(self, now: float) -> Progress:
        """What there is to tell, with the rate; it counts as told."""
        self._told = self._now
        return self._now._replace(rate=self._meter.see(self._now.done, now))
