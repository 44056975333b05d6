"""Spans of a file that lies beside the store: read when they are sent, and again if need be."""

from collections.abc import AsyncGenerator
from typing import Final, Self

from penstock.stores.arrivals import Beside
from penstock.stores.s3.parts import MIB
from penstock.stores.s3.shared import Shared
from penstock.stores.spool import PIECE
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

    def pread(self, start: int, stop: int) -> bytes:
        """The bytes of a span of some MiB at most. Blocks: in a worker thread."""
        return self._read(start, stop)

    async def read(self, start: int, stop: int) -> AsyncGenerator[memoryview, None]:
        """The bytes of a span in small pieces."""
        step = _STRETCH if self._has_room else PIECE
        for at in range(start, stop, step):
            work = in_pool(self._shared.pool, self._read, at, min(at + step, stop))
            view = memoryview(await to_the_end(work))
            for first in range(0, len(view), PIECE):
                yield view[first : first + PIECE]
