"""What was found lately, for two seconds: a busy token is not looked up for every request."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from penstock.access.grant import Grant
from penstock.access.patience import in_time

_AGE = 2.0
"""Seconds after which it is looked up again: so long another process may not know of a change."""
_MOST = 1024

Find = Callable[[], Awaitable[Grant | None]]


class Recent:
    """Grants by the digest of the secret that they were found with, also those not found."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Grant | None, float]] = OrderedDict()
        self._finding: dict[bytes, asyncio.Task[Grant | None]] = {}

    def get(self, digest: bytes) -> tuple[bool, Grant | None]:
        """Whether that is known, and what."""
        known = self._known.get(digest)
        if known is None or known[1] < self._clock():
            return False, None
        grant = known[0]
        if grant is not None and grant.expires is not None and grant.expires <= time.time():
            grant = None
        return True, grant

    async def find(self, digest: bytes, find: Find) -> Grant | None:
        """What is known, or what ``find`` finds: once for all who ask meanwhile.

        :raises ServerUnavailable: it does not find anything in time.
        """
        is_known, grant = self.get(digest)
        if is_known:
            return grant
        finding = self._finding.get(digest)
        if finding is None:
            finding = self._finding[digest] = asyncio.ensure_future(self._find(digest, find))
            finding.add_done_callback(_seen)
        # Who leaves must not end it for the others.
        return await asyncio.shield(finding)

    async def _find(self, digest: bytes, find: Find) -> Grant | None:
        mine = asyncio.current_task()
        try:
            until = self._clock() + _AGE
            async with in_time():
                grant = await find()
            # Not if all was forgotten meanwhile: it may have been read before the change.
            if self._finding.get(digest) is mine:
                self._known[digest] = grant, until
                self._known.move_to_end(digest)
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
            return grant
        finally:
            if self._finding.get(digest) is mine:
                del self._finding[digest]

    def forget(self) -> None:
        """Forget everything, after a change."""
        self._known.clear()
        self._finding.clear()


def _seen(finding: "asyncio.Task[Grant | None]") -> None:
    """An error that nobody waits for any longer is no forgotten one."""
    if not finding.cancelled():
        finding.exception()
