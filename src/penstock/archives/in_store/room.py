"""Room in memory for what is read ahead, shared by all that read for one archive."""

import asyncio
from collections import deque


class Room:
    """Room for ``total`` bytes; whoever asks first is given it first."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.peak = 0

    def take_at_once(self, size: int) -> bool:
        """Whether there was room, which is taken now. More than the total fits when all is free."""
        if self._waiting or not self._fits(size):
            return False
        self._take(size)
        return True

    async def take(self, size: int) -> None:
        """Wait for room. Only who holds none may wait, so that nobody waits in a circle."""
        if self.take_at_once(size):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if (size, turn) in self._waiting:
                self._waiting.remove((size, turn))
                self._wake()
            elif not turn.cancelled():
                self.give_back(size)
            raise

    def give_back(self, size: int) -> None:
        """Let others have it."""
        self._used -= size
        self._wake()

    def _fits(self, size: int) -> bool:
        return self._used + size <= self._total or not self._used

    def _take(self, size: int) -> None:
        self._used += size
        self.peak = max(self.peak, self._used)

    def _wake(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.done():
                self._take(size)
                turn.set_result(None)
