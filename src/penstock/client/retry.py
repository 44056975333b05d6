"""When to try again, and how long to wait before."""

import asyncio
import random

from penstock.errors import PenstockError

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
LONGEST_ASKED_WAIT = 120.0

MAX_CHANGES = 5
"""So often may a source change while it is fetched or asked about."""

# How fast a server surely gets through a file that it must make durable or hash before it answers.
_SLOWEST_DISK = 20e6


def thinking_seconds(size: int | None) -> float:
    """How much longer than usual a server may take to answer about a body of ``size`` bytes."""
    return (size or 0) / _SLOWEST_DISK


def is_temporary(error: PenstockError) -> bool:
    """Whether the same request may succeed later."""
    status = error.extra.get("status")
    server_failed = error.code == "internal" and isinstance(status, int) and status >= 500
    return error.retryable or (server_failed and status != 501)


class Backoff:
    """Waits between tries: exponential, with jitter, and not for ever.

    ``tries`` is how many in a row may bring nothing before the error is final.
    """

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._failures = 0

    async def after(self, error: PenstockError, *, progressed: bool = False) -> None:
        """Wait before the next try; ``progressed`` if the failed one brought something.

        :raises PenstockError: ``error`` itself, when another try would not help.
        """
        if not is_temporary(error):
            raise error
        self._failures = 1 if progressed else self._failures + 1
        if self._failures >= self._tries:
            raise error
        await asyncio.sleep(self._wait(error))

    def exhaust(self) -> None:
        """Make the next error final: it was met by tries that are not counted here."""
        self._failures = self._tries

    def _wait(self, error: PenstockError) -> float:
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (self._failures - 1))
        wait *= random.uniform(0.5, 1.0)
        asked = error.extra.get("retry_after")
        return wait + min(asked, LONGEST_ASKED_WAIT) if isinstance(asked, float) else wait
