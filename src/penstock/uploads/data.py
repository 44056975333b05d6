"""The bytes of one upload on their way to the disk: written, digested, made durable."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import TypeAlias

from penstock.octets.digests import Digester
from penstock.stores.batches import Batches
from penstock.stores.local_writer import storage_errors
from penstock.threads import in_pool, to_the_end
from penstock.uploads import files

Source: TypeAlias = Callable[[], memoryview]
"""Gives the next bytes, which are good until the next call; empty when there are none yet."""

_CATCH_UP = 4
"""Bytes of an earlier process that are digested again for each byte that is written."""

_STRETCH = 32 << 20

_LONGEST_PULL = 0.1
"""Seconds after which a source that never runs dry lets others have the thread."""


class Data:
    """What one session adds to the file of its upload.

    ``fd`` is the file and ``base`` where in it the upload begins; ``written`` bytes of it are
    written. Belongs to one event loop.
    """

    def __init__(
        self,
        pool: Executor,
        folder: files.Folder,
        place: tuple[int | None, int],
        written: int,
        digester: Digester,
    ) -> None:
        self._pool = pool
        self._folder = folder
        self._fd, self.base = place
        self.written = written
        self._is_named = written > 0
        self._unsynced: Exception | None = None
        self._prefix = files.Prefix(digester)
        self._batches = Batches(pool, self._write)
        self._held_back: tuple[int, Digester] | None = None

    @property
    def fd(self) -> int:
        """The file that has the bytes."""
        assert self._fd is not None
        return self._fd

    @property
    def is_here(self) -> bool:
        """Whether the bytes are still here, not yet at the key."""
        return self._fd is not None

    @property
    def is_held_back(self) -> bool:
        """Whether what is written now does not count yet."""
        return self._held_back is not None

    async def put(self, data: bytes) -> None:
        """Take the next bytes; waits while those before are still on their way to the disk.

        :raises StorageFull: there is no space left.
        """
        await self._batches.put(data)

    async def pull(self, source: Source, most: int) -> None:
        """Let a worker thread take some ``most`` bytes from ``source``, or as many as it has.

        What comes is written even if the caller is cancelled meanwhile.

        :raises StorageFull: there is no space left.
        """
        await self._batches.drain()
        await to_the_end(in_pool(self._pool, self._pull, source, most))

    async def drain(self) -> None:
        """Wait until all is written.

        :raises StorageFull: there is no space left.
        """
        await self._batches.drain()

    async def stop(self) -> None:
        """Wait for what is at work, drop what is not; what was held back does not count."""
        await self._batches.stop()
        if self._held_back is not None:
            self.written, before = self._held_back
            self._prefix = files.Prefix(before)

    async def sync(self) -> None:
        """Make what was written durable, and at first the file's name."""
        await in_pool(self._pool, self._sync)

    def hold_back(self) -> None:
        """From here on nothing counts until :meth:`confirm`."""
        self._held_back = (self.written, self._prefix.digester.copy())

    def confirm(self) -> None:
        """What was held back is good."""
        self._held_back = None

    def replace(self, fd: int, base: int, size: int) -> None:
        """The bytes lie elsewhere now, and nobody has digested them."""
        if self._fd is not None and self._fd != fd:
            os.close(self._fd)
        self._fd, self.base, self.written = fd, base, size
        self._prefix = files.Prefix(Digester(sha256=self.digester.sha256 is not None))

    @property
    def digester(self) -> Digester:
        """The digests of the first bytes, as many as its ``size`` tells."""
        return self._prefix.digester

    async def digest(self, *, sha256: bool) -> Digester:
        """The digests of everything, with the SHA-256 even if it was not taken so far."""
        await self.drain()
        if sha256 and self.digester.sha256 is None:
            self._prefix = files.Prefix(Digester())
        behind = partial(self._prefix.catch_up, self.fd, self.base, self.written, _STRETCH)
        while not await to_the_end(in_pool(self._pool, behind)):
            pass
        return self.digester

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    # Below here: in a worker thread.

    def _pull(self, source: Source, most: int) -> None:
        until, end = self.written + most, time.monotonic() + _LONGEST_PULL
        while self.written < until and time.monotonic() < end and (data := source()):
            self._write([data])

    def _write(self, batch: Sequence[bytes | memoryview]) -> None:
        at = self.written
        size = sum(map(len, batch))
        files.write(self.fd, batch, self.base + at)
        self._prefix.take(batch, at)
        if self.digester.size < at:
            self._prefix.catch_up(self.fd, self.base, at + size, _CATCH_UP * size)
        self.written = at + size

    def _sync(self) -> None:
        # The kernel tells once that it could not write, and then takes the pages for written.
        if self._unsynced is not None:
            raise self._unsynced
        try:
            with storage_errors():
                os.fdatasync(self.fd)
                if not self._is_named:
                    self._folder.sync()
        except Exception as error:
            self._unsynced = error
            raise
        self._is_named = True
