"""How often is tried again, and how many requests go at once, so that no server is overrun."""

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 8.0

_RETRY_COSTS: Final = 5.0
_RETRIES_SAVED: Final = 500.0

_MOST_AT_ONCE: Final = 64
_LEAST_AT_ONCE: Final = 1.0


@dataclass(slots=True)
class Counts:
    """What became of the requests so far: ``refused`` and ``broken`` in a way that may pass."""

    requests: int = 0
    refused: int = 0
    broken: int = 0
    retries: int = 0


class Retries:
    """Whether and when to try again: back-off with full jitter, within a budget of all requests.

    Each retry takes from the budget and each success gives a little back. So when nearly
    everything fails, retries do not multiply the load of a server that is already down.
    """

    def __init__(self, tries: int) -> None:
        self._tries = tries
        self._saved = _RETRIES_SAVED

    def succeeded(self) -> None:
        """A request went well."""
        self._saved = min(_RETRIES_SAVED, self._saved + 1.0)

    def spend(self, cost: float) -> None:
        """Take from the budget; it begins with 500, and a retry costs 5."""
        self._saved -= cost

    def pause(self, failures: int) -> float | None:
        """Seconds to wait after so many failures in a row; ``None``: it is to be given up."""
        if failures >= self._tries or self._saved < _RETRY_COSTS:
            return None
        self.spend(_RETRY_COSTS)
        return random.uniform(0.0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**failures))


class Pace:
    """Bounds the requests that wait for the head of their answer, by what the server bears.

    Additive increase, multiplicative decrease: "slow down" halves the bound, success raises it.
    Answers to requests that were under way when it was halved do not halve it again.
    """

    def __init__(self) -> None:
        self._bound = float(_MOST_AT_ONCE)
        self._going = 0
        self._epoch = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def bound(self) -> int:
        """How many may go at once now."""
        return int(self._bound)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait for one's turn; what it gives is told to :meth:`slow_down`."""
        if self._going >= self.bound or self._waiting:
            await self._wait()
        self._going += 1
        try:
            yield self._epoch
        finally:
            self._going -= 1
            self._wake()

    def slow_down(self, turn: int) -> None:
        """The server asked for fewer requests."""
        if turn == self._epoch:
            self._epoch += 1
            self._bound = max(_LEAST_AT_ONCE, self._bound / 2)

    def went_well(self) -> None:
        """The server answered as it should."""
        self._bound = min(float(_MOST_AT_ONCE), self._bound + 1.0 / self._bound)

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._wake()
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                self._going -= 1  # it was given and is not used
                self._wake()
            raise
        self._going -= 1  # counted by _wake until now

    def _wake(self) -> None:
        while self._waiting and self._going < self.bound:
            turn = self._waiting.popleft()
            if not turn.done():
                self._going += 1
                turn.set_result(None)
