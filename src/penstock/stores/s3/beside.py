"""Spans of a file that lies beside the store: read when they are sent, and again if need be."""

import hashlib
from collections.abc import AsyncGenerator
from typing import Final, Self

from isal.isal_zlib import crc32

from penstock.stores.arrivals import Beside
from penstock.stores.s3.parts import MIB
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.spool import PIECE, Integrity
from penstock.threads import in_pool, to_the_end

_STRETCH: Final = 4 * MIB


class BesideSource:
    """A file as the source of one part; use it with ``with``.

    Its bytes pass through memory, for which the store has a budget: where that is spent, in small
    pieces.
    """

    def __init__(self, shared: Shared, read: Beside) -> None:
        self._shared = shared
        self._read = read
        self._has_room = False

    def __enter__(self) -> Self:
        self._has_room = self._shared.budget.take(_STRETCH)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._has_room:
            self._shared.budget.give_back(_STRETCH)

    def integrity(self, start: int, stop: int, *, md5: bool) -> Integrity:
        """The digests of a span. Blocks: in a worker thread."""
        digest = hashlib.md5(usedforsecurity=False) if md5 else None
        value = 0
        for at in range(start, stop, MIB):
            data = self._read(at, min(at + MIB, stop))
            value = crc32(data, value)
            if digest is not None:
                digest.update(data)
        return Integrity(value, None if digest is None else digest.digest())

    async def read(self, start: int, stop: int) -> AsyncGenerator[memoryview, None]:
        """The bytes of a span in small pieces."""
        step = _STRETCH if self._has_room else PIECE
        for at in range(start, stop, step):
            work = in_pool(self._shared.pool, self._read, at, min(at + step, stop))
            view = memoryview(await to_the_end(work))
            for first in range(0, len(view), PIECE):
                yield view[first : first + PIECE]
