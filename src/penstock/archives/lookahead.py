"""Reading several sources ahead, one behind the other: bounded in connections and bytes."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from typing import NamedTuple, Self

_FLOOR = 256 << 10
"""What the source that is being read may hold even if those behind it have used the budget."""
_MOST_BEHIND = 64


class Stretch(NamedTuple):
    """Bytes ``start`` to ``stop`` of a source; ``None`` is its end."""

    source: int
    start: int
    stop: int | None


Open = Callable[[Stretch], AsyncGenerator[bytes, None]]


class LookAhead:
    """Opens the sources that come next while the first of them is being read.

    At most ``connections`` are open and at most ``budget`` bytes (and a piece for each
    connection) wait to be read. ``open_source`` reads one stretch; ``upcoming`` names those that
    will be asked for, in that order. As an async context manager it ends all reading on leaving.
    """

    def __init__(
        self, open_source: Open, upcoming: Iterator[Stretch], *, connections: int, budget: int
    ) -> None:
        self._open = open_source
        self._upcoming = upcoming
        self._ahead: deque[_Reading] = deque()
        self._connections = asyncio.Semaphore(connections)
        self._budget = budget
        self._held = 0
        self._changed = asyncio.Event()
        self._behind = min(_MOST_BEHIND, 4 * connections)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def read(self, stretch: Stretch) -> AsyncGenerator[bytes, None]:
        """The bytes of a stretch; raises what its source raised."""
        if not self._ahead or self._ahead[0].stretch != stretch:
            await self.close()
            self._begin(stretch)
        self._fill()
        reading = self._ahead[0]
        try:
            while (data := await self._take(reading)) is not None:
                yield data
        finally:
            if reading in self._ahead:
                self._ahead.remove(reading)
            await self._end(reading)

    def _fill(self) -> None:
        while len(self._ahead) < self._behind:
            stretch = next(self._upcoming, None)
            if stretch is None:
                return
            self._begin(stretch)

    def _begin(self, stretch: Stretch) -> None:
        reading = _Reading(stretch)
        reading.task = asyncio.ensure_future(self._run(reading))
        self._ahead.append(reading)

    async def _end(self, reading: "_Reading") -> None:
        assert reading.task is not None
        reading.task.cancel()
        await asyncio.gather(reading.task, return_exceptions=True)
        self._held -= reading.held
        reading.held = 0
        self._changed.set()

    async def close(self) -> None:
        """End all reading; what is asked for later is begun anew."""
        while self._ahead:
            await self._end(self._ahead.popleft())

    async def _run(self, reading: "_Reading") -> None:
        try:
            # Permits are given in order, so the source that is read first always has one.
            async with self._connections, aclosing(self._open(reading.stretch)) as pieces:
                async for data in pieces:
                    while not self._may_hold(reading, len(data)):
                        await self._change()
                    reading.pieces.append(data)
                    self._hold(reading, len(data))
        except Exception as error:  # noqa: BLE001 - kept for whoever reads this source
            reading.error = error
        finally:
            reading.ended = True
            self._changed.set()

    def _may_hold(self, reading: "_Reading", length: int) -> bool:
        if self._held + length <= self._budget or not reading.held:
            return True
        return self._ahead[0] is reading and reading.held + length <= _FLOOR

    async def _take(self, reading: "_Reading") -> bytes | None:
        """The next piece; ``None`` at the end."""
        while not reading.pieces:
            if reading.error is not None:
                raise reading.error
            if reading.ended:
                return None
            await self._change()
        data = reading.pieces.popleft()
        self._hold(reading, -len(data))
        return data

    def _hold(self, reading: "_Reading", length: int) -> None:
        reading.held += length
        self._held += length
        self._changed.set()

    async def _change(self) -> None:
        """Wait until something was read, taken or ended."""
        self._changed.clear()
        await self._changed.wait()


class _Reading:
    """One source: what has been read of it and not been taken yet."""

    __slots__ = ("ended", "error", "held", "pieces", "stretch", "task")

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.pieces: deque[bytes] = deque()
        self.held = 0
        self.ended = False
        self.error: Exception | None = None
        self.task: asyncio.Task[None] | None = None
