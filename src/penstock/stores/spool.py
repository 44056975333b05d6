"""Bytes on their way to another host, which must be there until it has them: to be sent again."""

import os
import tempfile
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from typing import Final

from penstock.stores.budget import Budget
from penstock.stores.local_writer import storage_errors, write_all
from penstock.threads import in_pool, to_the_end

MIB: Final = 1 << 20
PIECE: Final = 256 << 10
"""Larger pieces cost TLS more, not less."""
_STRETCH: Final = 4 * MIB
MOST_IN_MEMORY: Final = 64 * MIB


class Spool:
    """Takes bytes in order, and gives any span of them as often as is asked.

    They stay in memory while the budget has room, up to 64 MiB; else they go to a file without a
    name in ``folder``, of which a crash leaves nothing. To be closed.
    """

    def __init__(self, budget: Budget, folder: str, pool: Executor) -> None:
        self._budget = budget
        self._folder = folder
        self._pool = pool
        self._memory = bytearray()
        self._room = 0
        self._fd: int | None = None
        self._filed = 0

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._filed + len(self._memory)

    async def append(self, data: bytes | memoryview) -> None:
        """Take the next bytes.

        :raises StorageFull: they go to a file, and there is no space left.
        """
        self._memory += data
        if self._fd is None and self._has_room():
            return
        if self._fd is None or len(self._memory) >= MIB:
            await to_the_end(in_pool(self._pool, self._write))

    def pread(self, start: int, stop: int) -> bytes | memoryview:
        """The bytes of a span of some MiB at most. Blocks: in a worker thread."""
        return self._in_memory(start, stop) or self._pread(start, stop)

    async def read(self, start: int, stop: int) -> AsyncGenerator[memoryview, None]:
        """The bytes of a span in small pieces."""
        for at in range(start, stop, _STRETCH):
            until = min(at + _STRETCH, stop)
            view = self._in_memory(at, until)
            if view is None:
                view = memoryview(await to_the_end(in_pool(self._pool, self._pread, at, until)))
            for first in range(0, len(view), PIECE):
                yield view[first : first + PIECE]

    async def seal(self) -> None:
        """Nothing follows: what is to go to the file goes there."""
        if self._fd is not None and self._memory:
            await to_the_end(in_pool(self._pool, self._write))

    def close(self) -> None:
        """Drop everything."""
        self._memory = bytearray()
        self._budget.give_back(self._room)
        self._room = 0
        if self._fd is not None:
            fd, self._fd = self._fd, None
            try:
                # Freeing a large file takes the disk a while.
                self._pool.submit(os.close, fd)
            except RuntimeError:  # the store was closed
                os.close(fd)

    def _has_room(self) -> bool:
        if len(self._memory) <= self._room:
            return True
        if len(self._memory) > MOST_IN_MEMORY:
            return False
        more = -(-(len(self._memory) - self._room) // MIB) * MIB
        if not self._budget.take(more):
            return False
        self._room += more
        return True

    def _in_memory(self, start: int, stop: int) -> memoryview | None:
        return memoryview(self._memory)[start:stop] if self._fd is None else None

    # Below here: in a worker thread.

    def _write(self) -> None:
        with storage_errors():
            if self._fd is None:
                self._fd = _nameless(self._folder)
            write_all(self._fd, [memoryview(self._memory)], self._filed)
        self._filed += len(self._memory)
        self._memory = bytearray()
        self._budget.give_back(self._room)
        self._room = 0

    def _pread(self, start: int, stop: int) -> bytes:
        assert self._fd is not None
        data = bytearray()
        while len(data) < stop - start:
            piece = os.pread(self._fd, stop - start - len(data), start + len(data))
            if not piece:
                raise OSError("a spool file became shorter")
            data += piece
        return bytes(data)


def _nameless(folder: str) -> int:
    if folder:
        os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder or None) as file:
        return os.dup(file.fileno())
