"""A limit of bytes per second, as arithmetic: whoever uses it brings the clock and the sleep."""

BURST_SECONDS = 0.25


class TokenBucket:
    """Tells how long to wait so that bytes pass at ``rate`` bytes per second.

    The bucket holds ``burst`` tokens (bytes; by default what a quarter of a second is worth), so
    a pause is made up for by at most that much. A piece larger than the bucket is let through on
    credit and paid for by the wait that follows it.
    """

    def __init__(self, rate: float, burst: float | None = None) -> None:
        if not rate > 0:
            raise ValueError("the rate must be more than 0 bytes per second")
        self.rate = rate
        self.burst = rate * BURST_SECONDS if burst is None else burst
        self._tokens = self.burst
        self._then: float | None = None

    def missing(self, now: float, n: float) -> float:
        """Seconds from ``now`` until ``n`` bytes are in the bucket, 0 if they are; takes none.

        Of more than the bucket holds it is the time until it is full.
        """
        then = now if self._then is None else self._then
        held = min(self.burst, self._tokens + max(0.0, now - then) * self.rate)
        return max(0.0, (min(n, self.burst) - held) / self.rate)

    def delay(self, now: float, n: int) -> float:
        """Take ``n`` bytes at the time ``now`` (seconds of any monotonic clock).

        Answers how many seconds to wait before the next bytes may be taken; 0 while the rate is
        not reached. A clock that steps back counts as standing still.
        """
        then = now if self._then is None else self._then
        self._then = max(then, now)
        earned = (self._then - then) * self.rate
        self._tokens = min(self.burst, self._tokens + earned) - n
        return max(0.0, -self._tokens / self.rate)
