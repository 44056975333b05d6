"""A bounded number of connections, kept for reuse as long as nobody else needs their place."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL


class NoPlace(Exception):
    """All connections are in use, and stay so."""


class Closed(Exception):
    """Nothing is opened any more."""


class Lane:
    """A place for one connection to one origin."""

    def __init__(self, origin: URL, session: aiohttp.ClientSession) -> None:
        self.origin = origin
        self.session = session


class Lanes:
    """At most ``most`` lanes, whose sockets are open or kept.

    The library's own limit does not count the connections that it keeps for later; here each
    lane has one socket at most, and belongs to one origin until another takes its place. Who
    waits for a place may be waited for by those who have one, hence ``patience`` seconds.
    """

    def __init__(
        self, most: int, patience: float, make: Callable[[URL], aiohttp.ClientSession]
    ) -> None:
        self._make = make
        self._patience = patience
        self._most = most
        self._places = asyncio.Semaphore(most)
        self._lanes: set[Lane] = set()
        self._free: list[Lane] = []  # the longest unused first
        self._closed = False

    @asynccontextmanager
    async def to(self, origin: URL) -> AsyncIterator[aiohttp.ClientSession]:
        """A session for one request to ``origin``.

        :raises NoPlace: all were taken, and none became free in time.
        :raises Closed: it is too late.
        """
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            raise NoPlace from None
        try:
            if self._closed:
                raise Closed
            lane = await self._take(origin)
            try:
                yield lane.session
            finally:
                self._free.append(lane)
        finally:
            self._places.release()

    async def close(self) -> None:
        """Close every connection, those in use too; none is opened any more."""
        self._closed = True
        lanes, self._lanes, self._free = self._lanes, set(), []
        for lane in lanes:
            await lane.session.close()

    async def _take(self, origin: URL) -> Lane:
        for lane in reversed(self._free):
            if lane.origin == origin:
                self._free.remove(lane)
                return lane
        other = self._free.pop(0) if len(self._lanes) >= self._most else None
        lane = Lane(origin, self._make(origin))
        self._lanes.add(lane)
        if other is not None:
            self._lanes.remove(other)
            try:
                await other.session.close()
            except asyncio.CancelledError:
                self._free.append(lane)
                raise
        return lane
