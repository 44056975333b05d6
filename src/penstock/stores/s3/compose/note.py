"""The sign of life of a composition, by which the sweeper leaves it alone."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from penstock.stores.s3.compose.keeping import Kept
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.trouble import Broken, Refused
from penstock.threads import to_the_end

_LEAST_PAUSE: Final = 1.0


class Note:
    """That of what is kept, for the object ``name``."""

    def __init__(self, orphans: Orphans, name: str, kept: Kept) -> None:
        self._orphans = orphans
        self._name = name
        self._kept = kept
        self._due = 0.0
        self._turn = asyncio.Lock()
        """One server keeps the earlier of two that come at once, and tells no ETag of it."""

    @property
    def made(self) -> str:
        """The folder of the temporary objects."""
        return self._orphans.made(self._kept.token)

    async def write(self) -> None:
        """Give the sign, and keep by what name."""
        self._due = time.monotonic() + self._orphans.renewal
        kept = self._kept
        made = self.made if kept.nested else ""
        kept.note = await self._orphans.note(self._name, kept.upload, kept.note, made=made)

    async def renew(self) -> None:
        """Give it again if it is due."""
        async with self._turn:
            if time.monotonic() >= self._due:
                await self.write()

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Give it whenever it is due: hours may be between two parts, if much is read for one."""
        renewing = asyncio.ensure_future(self._renew_on())
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew_on(self) -> None:
        while True:
            await asyncio.sleep(max(_LEAST_PAUSE, self._due - time.monotonic()))
            with suppress(Refused, Broken):  # there are some more before it is too old
                # To the end: it shall not arrive when the note was removed.
                await to_the_end(self.renew())
