"""Keeping a version that is read for long from being removed once another took its place."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from penstock.catalog.cluster.files import Files

_LONG: Final = 30.0
"""Seconds between two looks at what is being read, at most."""
_SHORT: Final = 1.0
_LOOKS: Final = 6
"""Looks that may come too late before a version that is read is kept no more."""

_log = logging.getLogger("penstock.cluster")


class Keeping:
    """Tells the catalog which versions are being read for long; one task for all of them.

    Whoever has been reading at two looks in a row reads for long. There are three looks while a
    version is kept that was replaced, for ``grace`` seconds, unless that is less than three.
    """

    def __init__(self, files: Files, grace: float) -> None:
        self._files = files
        self._every = max(_SHORT, min(_LONG, grace / 3))
        self._reading: dict[str, int] = {}
        self._new: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def during(self, file: str) -> Iterator[None]:
        """A version is being read."""
        readers = self._reading.get(file, 0)
        self._reading[file] = readers + 1
        if not readers:
            self._new.add(file)
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            self._reading[file] -= 1
            if not self._reading[file]:
                del self._reading[file]

    async def close(self) -> None:
        """Keep nothing any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        """Until nobody reads."""
        try:
            while self._reading:
                await asyncio.sleep(self._every)
                long, self._new = self._reading.keys() - self._new, set()
                if long:
                    await self._register(long)
        finally:
            self._task = None

    async def _register(self, files: set[str]) -> None:
        try:
            await self._files.reading(files, _LOOKS * self._every)
        except Exception:  # noqa: BLE001 - the database may be away; there is another look
            _log.exception("versions that are being read cannot be kept")
