"""When to try again, and how long to wait before."""

import asyncio
import logging
import random

from penstock.remote.limits import RemoteLimits
from penstock.remote.trouble import Trouble

_log = logging.getLogger("penstock.remote")


class Backoff:
    """Waits between tries: exponential, with jitter, and not for ever.

    ``tries`` is how many in a row may bring nothing before the error is final.
    """

    def __init__(self, limits: RemoteLimits, tries: int) -> None:
        self._limits = limits
        self._tries = tries
        self._failures = 0

    async def after(self, trouble: Trouble, *, progressed: bool = False) -> None:
        """Wait before the next try; ``progressed`` if the failed one brought something.

        :raises SourceFailed: what the trouble comes to, when it was the last try.
        """
        self._failures = 0 if progressed else self._failures + 1
        if self._failures >= self._tries:
            raise trouble.error from trouble
        pause = self._pause(trouble.pause)
        _log.info("%s; trying again in %.1f s", trouble, pause)
        await asyncio.sleep(pause)

    def _pause(self, asked: float | None) -> float:
        limits = self._limits
        pause = min(limits.longest_pause, limits.first_pause * 2.0 ** max(0, self._failures - 1))
        pause *= random.uniform(0.5, 1.0)
        return pause + min(asked or 0.0, limits.longest_asked_pause)
