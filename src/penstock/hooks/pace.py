"""How fast to go on delivering, by how the receiver takes it."""

import time

from penstock.hooks.limits import HookLimits


class Pace:
    """Spares a receiver that is down, and the database the work of failing on every event.

    Events of several subjects that fail in a row mean that it is down; one that fails again and
    again does not.
    """

    def __init__(self, limits: HookLimits) -> None:
        self._limits = limits
        self._failed: set[str] = set()
        self._down_since: float | None = None
        self._rests = 0
        self._rests_until = 0.0

    @property
    def is_down(self) -> bool:
        """The receiver is taken to be down."""
        return self._down_since is not None

    @property
    def is_hopeless(self) -> bool:
        """It has been so for longer than anybody's patience lasts."""
        since = self._down_since
        return since is not None and time.monotonic() - since >= self._limits.patience

    def rest(self) -> float:
        """Seconds to wait before the next delivery may begin."""
        return max(0.0, self._rests_until - time.monotonic()) if self.is_down else 0.0

    def room(self, flying: int) -> int:
        """How many more may be delivered, beside so many that are under way."""
        return max(0, (1 if self.is_down else self._limits.parallel) - flying)

    def succeeded(self) -> None:
        """The receiver has answered an event in a way that settles it."""
        self._failed.clear()
        self._down_since = None

    def failed(self, subject: str) -> None:
        """An event of that subject did not get through."""
        now = time.monotonic()
        if self._down_since is None:
            self._failed.add(subject)
            if len(self._failed) < self._limits.doubt:
                return
            self._down_since, self._rests = now, 0
        elif now < self._rests_until:
            return  # it was sent before the rest began
        self._rests_until = now + min(
            self._limits.longest_rest, self._limits.first_rest * 2.0 ** min(self._rests, 32)
        )
        self._rests += 1
