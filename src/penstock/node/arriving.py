"""A file on its way into a node: a temporary that nobody sees."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeAlias, TypeVar

from penstock.errors import StorageFull
from penstock.octets.digests import Digester
from penstock.stores.batches import BATCH, Batches
from penstock.stores.local_writer import storage_errors, write_all
from penstock.threads import in_pool, to_the_end

T = TypeVar("T")

Source: TypeAlias = Callable[[], memoryview]
"""Gives the next bytes, which are good until the next call; empty when there are none yet."""

SPARE = 1 << 20
"""Bytes that no file gets: without some the catalog could not even be opened."""

_LONGEST_PULL = 0.1
"""Seconds after which a source that never runs dry lets others have the thread."""


class Arriving:
    """A file of ``size`` bytes, if that is known, on its way into ``folder``.

    Worker threads of ``pool`` make the temporary, digest what comes and write it. What was not
    taken is dropped by :meth:`drop`.
    """

    def __init__(self, pool: Executor, folder: int, size: int | None) -> None:
        self.name = ""
        self._pool = pool
        self._folder = folder
        self._expected = size
        self._fd = -1
        self._taken = False
        self._digester = Digester(sha256=False)
        self._batches = Batches(pool, self._write)

    async def begin(self) -> None:
        """Make sure that there is space for it, before its bytes are asked for.

        :raises StorageFull: there is not.
        """
        if self._expected is None or self._expected > BATCH:  # else it is not worth the trip
            await to_the_end(in_pool(self._pool, self._made))

    @property
    def size(self) -> int:
        """Bytes that were written."""
        return self._digester.size

    @property
    def crc32(self) -> int:
        """The CRC-32 of what was written."""
        return self._digester.crc32

    async def put(self, data: bytes) -> None:
        """Take the next bytes; waits while those before are still on their way to the disk.

        :raises StorageFull: there is no space left.
        """
        await self._batches.put(data)

    async def pull(self, source: Source, most: int) -> None:
        """Let a worker thread take some ``most`` bytes from ``source``, or as many as it has.

        :raises StorageFull: there is no space left.
        """
        await self._batches.drain()
        await to_the_end(in_pool(self._pool, self._pull, source, most))

    async def drain(self) -> None:
        """Wait until all is written; only then size and CRC-32 are those of all.

        :raises StorageFull: there is no space left.
        """
        await self._batches.drain()

    async def finish(self, work: Callable[[int], T]) -> T:
        """What ``work``, in a worker thread, makes of the descriptor, which is closed then.

        The caller is not to be cancelled meanwhile.
        """
        return await in_pool(self._pool, self._finish, work)

    def taken(self) -> None:
        """The file has another name now."""
        self._taken = True

    async def drop(self) -> None:
        """Remove it, unless it was taken."""
        if not self._taken:
            await to_the_end(self._drop())

    async def _drop(self) -> None:
        await self._batches.stop()
        if self.name:
            await in_pool(self._pool, self._discard)

    # Below here: in a worker thread.

    def _pull(self, source: Source, most: int) -> None:
        until, end = self.size + most, time.monotonic() + _LONGEST_PULL
        while self.size < until and time.monotonic() < end and (data := source()):
            self._write([data])

    def _write(self, batch: Sequence[bytes | memoryview]) -> None:
        at = self.size
        with storage_errors():
            write_all(self._made(), batch, at)
        for data in batch:
            self._digester.update(data)

    def _finish(self, work: Callable[[int], T]) -> T:
        fd = self._made()
        try:
            return work(fd)
        finally:
            self._fd = -1
            os.close(fd)

    def _made(self) -> int:
        """The descriptor of the temporary, which is made if there is none."""
        if self._fd < 0:
            if (self._expected or 0) > free_in(os.fstatvfs(self._folder)):
                raise StorageFull(
                    f"the node has no space for {self._expected:,} bytes; nothing was stored"
                )
            name = f"{secrets.token_hex(16)}.part"
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with storage_errors():
                self._fd = os.open(name, flags, 0o666, dir_fd=self._folder)
            self.name = name
        return self._fd

    def _discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        with suppress(FileNotFoundError):  # it got its name, but that could not be made durable
            os.unlink(self.name, dir_fd=self._folder)


def sweep(folder: int) -> int:
    """Remove what an earlier process left; answers how many files."""
    left = os.listdir(folder)
    for name in left:
        os.unlink(name, dir_fd=folder)
    return len(left)


def free_in(space: os.statvfs_result) -> int:
    """Bytes of files that a disk still takes."""
    return max(0, space.f_bavail * space.f_frsize - SPARE)
