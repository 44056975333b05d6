"""How fast the bytes of one token go: all its transfers in this process share one pace."""

import asyncio
from typing import Final

from aiohttp import web

from penstock.octets.rate import BURST_SECONDS, TokenBucket

_MOST: Final = 1 << 20
"""Bytes that go at once even where there is time for more."""


class Pace:
    """``rate`` bytes per second, in both directions together. Belongs to one event loop.

    ``stretch`` is how many bytes may go before the next :meth:`keep`: what a quarter of a second
    is worth, so that no side waits for long and takes the other for stalled.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.stretch = max(1, min(_MOST, int(rate * BURST_SECONDS)))
        self._bucket = TokenBucket(rate)

    async def keep(self, count: int) -> None:
        """Count bytes that went, and wait until others may."""
        pause = self._bucket.delay(asyncio.get_running_loop().time(), count)
        if pause > 0:
            await asyncio.sleep(pause)


PACE = web.RequestKey("pace", Pace)
"""Of a request whose token is not to go as fast as it can."""


def pace_of(request: web.Request) -> Pace | None:
    """The pace that ``request`` has to keep, if any."""
    return request.get(PACE)
