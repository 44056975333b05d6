"""What is done to uploads when nobody asks: stored after a crash, removed when they expire."""

import asyncio
import logging
import time
from concurrent.futures import Executor
from typing import Protocol

from penstock.catalog.ledger import Ledger, UploadRow
from penstock.errors import NotFound, Superseded, UploadGone
from penstock.threads import in_pool
from penstock.uploads import files
from penstock.uploads.upload import Kind, Upload

_EVERY = 60.0
_AT_ONCE = 100
_STRAY = 86_400.0
"""Seconds that a file may lie here without an upload."""

_log = logging.getLogger("penstock.uploads")


class Swept(Protocol):
    """The uploads, as far as sweeping goes."""

    def now(self) -> float:
        """Seconds since 1970."""

    async def look(self, identity: str, owner: str = "") -> Upload:
        """How an upload stands; one that was being stored is stored first."""

    async def expire(self, identity: str, owner: str = "") -> bool:
        """End an upload and remove it, if nobody goes on with it."""

    async def renew(self) -> None:
        """Have the store keep what was sent ahead of uploads that may be gone on with."""


class Sweeper:
    """A task that keeps the folder and the ledger in order while the server runs."""

    def __init__(
        self,
        uploads: Swept,
        ledger: Ledger,
        folder: files.Folder,
        pool: Executor,
    ) -> None:
        self._uploads = uploads
        self._ledger = ledger
        self._folder = folder
        self._pool = pool
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; call it in the event loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def recover(self) -> None:
        """Store what was about to be stored when a server died."""
        for row in await self._ledger.finishing():
            try:
                await self._uploads.look(row.id, row.owner)
            except UploadGone:  # or they are on another host, which stores it
                _log.warning("the bytes of an upload that was being stored are not here")
            except (NotFound, Superseded):
                continue  # another process is at it
            except Exception:  # noqa: BLE001 - one that is broken must not hold up the others
                _log.exception("storing an upload after a restart failed")

    async def sweep(self) -> int:
        """Remove what has expired, and files that belong to no upload; answers how many."""
        swept = at_once = _AT_ONCE
        total = await self._sweep_files()
        while swept == at_once:
            rows = await self._ledger.expired(self._uploads.now(), at_once)
            swept = sum([await self._expire(row) for row in rows])
            total += swept
        return total

    async def _run(self) -> None:
        work = self.recover
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 - logged, and tried again
                _log.exception("sweeping uploads failed")
            else:
                work = self._sweep_all
            await asyncio.sleep(_EVERY)

    async def _sweep_all(self) -> None:
        if swept := await self.sweep():
            _log.info("swept uploads", extra={"fields": {"swept": swept}})
        await self._uploads.renew()

    async def _expire(self, row: UploadRow) -> bool:
        if row.outcome is not None and row.kind != Kind.PARTIAL:
            return await self._ledger.remove(row, None)  # its bytes are stored, or dropped
        try:
            return await self._uploads.expire(row.id, row.owner)
        except (NotFound, Superseded):
            return False  # somebody was quicker, or goes on with it
        except Exception:  # noqa: BLE001 - one that is broken must not hold up the others
            _log.exception("removing an expired upload failed")
            return False

    async def _sweep_files(self) -> int:
        strays = set(await in_pool(self._pool, self._old_names))
        if strays:
            owners = {files.owner_of(name) for name in strays}
            rows = [*(await self._ledger.get_many(owners)).values(), *await self._ledger.grouped()]
            for row in rows:
                strays -= {files.data_place(row)[0], files.lock_name(row)}
        for name in strays:
            await in_pool(self._pool, self._folder.remove, name)
        return len(strays)

    def _old_names(self) -> list[str]:
        """In a worker thread."""
        return self._folder.names(older_than=time.time() - _STRAY)
