"""The bytes of one part on their way to several nodes, and their sums."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Final, NamedTuple, Self, TypeAlias

from isal.isal_zlib import crc32, crc32_combine

from penstock.catalog.cluster.rows import BLOCK
from penstock.cluster.shared import Shared
from penstock.errors import PenstockError
from penstock.stores.spool import PIECE
from penstock.threads import in_pool, to_the_end

Read: TypeAlias = Callable[[int, int], bytes | memoryview]
"""The bytes ``start`` to ``stop`` of a part. It blocks: called in worker threads."""

_STRETCH: Final = 1 << 20
"""Bytes that one thread reads at once for a node."""
_SUMMED: Final = 16 << 20
"""Bytes that one thread reads at once for the sums."""


def within(read: Read, first: int) -> Read:
    """The bytes of a part that begins at ``first`` in what ``read`` reads."""
    return lambda start, stop: read(first + start, first + stop)


class Sums(NamedTuple):
    """The CRC-32 of a part, and of each ``BLOCK`` of it, four bytes each, little-endian."""

    crc32: int
    blocks: bytes


class PartBytes:
    """A part of ``size`` bytes; use it with ``async with``, at whose end nobody reads any more.

    What is read passes through memory, for which the store has a budget: where that is spent, in
    smaller pieces. A part of one piece is read once.
    """

    def __init__(self, shared: Shared, size: int, read: Read) -> None:
        self._shared = shared
        self._size = size
        self._read = read
        self._room = 0
        self._whole: bytes | memoryview | None = None
        self._reading: set[asyncio.Future[bytes | memoryview]] = set()

    async def __aenter__(self) -> Self:
        wanted = _STRETCH * max(1, self._shared.options.replicas)
        if self._shared.budget.take(wanted):
            self._room = wanted
        return self

    async def __aexit__(self, *exc: object) -> None:
        # Who sends the body of a request may be cancelled without being waited for.
        if self._reading:
            await to_the_end(asyncio.wait(self._reading))
        self._whole = None
        self._shared.budget.give_back(self._room)
        self._room = 0

    async def sums(self) -> Sums:
        """Read it, and sum it up."""
        value, blocks = 0, bytearray()
        for at in range(0, self._size, _SUMMED):
            until = min(at + _SUMMED, self._size)
            work = in_pool(self._shared.pool, self._sum, at, until)
            for block, length in await to_the_end(work):
                value = crc32_combine(value, block, length)
                blocks += block.to_bytes(4, "little")
        return Sums(value, bytes(blocks))

    async def pieces(self) -> AsyncGenerator[bytes | memoryview, None]:
        """Its bytes, from the first one on, for one node."""
        step = _STRETCH if self._room else PIECE
        for at in range(0, self._size, step):
            view = memoryview(await self._had(at, min(at + step, self._size)))
            for first in range(0, len(view), PIECE):
                yield view[first : first + PIECE]

    async def _had(self, start: int, stop: int) -> bytes | memoryview:
        if self._whole is not None:
            return self._whole[start:stop]
        work = asyncio.ensure_future(in_pool(self._shared.pool, self._span, start, stop))
        self._reading.add(work)
        work.add_done_callback(self._reading.discard)
        return await to_the_end(work)

    # Below here: in a worker thread.

    def _sum(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The CRC-32 and the length of each block."""
        sums = []
        for at in range(start, stop, BLOCK):
            data = self._span(at, min(at + BLOCK, stop))
            sums.append((crc32(data), len(data)))
            if self._room and self._size <= _STRETCH:
                self._whole = data
        return sums

    def _span(self, start: int, stop: int) -> bytes | memoryview:
        data = self._read(start, stop)
        if len(data) != stop - start:
            raise PenstockError("a part of the file went missing; store it again")
        return data
