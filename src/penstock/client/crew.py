"""As many connections for one download as make it faster, and no more."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from penstock.client.arrivals import NO_END, Arrivals, Claim
from penstock.client.carrying import NoRanges
from penstock.client.lanes import Lanes
from penstock.client.retry import is_temporary
from penstock.errors import PenstockError, SourceChanged

FIRST_STRETCH = 8 << 20
LONGEST_STRETCH = 64 << 20
STRETCH_SECONDS = 4.0
"""How long a connection should be busy with one request."""

LOOK_SECONDS = 1.0
WORTH_SECONDS = 2.0
"""A download that will end sooner gets no other connection."""

GAIN = 1.1
"""So much faster must a connection have made the download for another one to be tried."""

REST_SECONDS = 20.0
"""How long no other connection is tried after the server refused or broke one."""

Fetch: TypeAlias = Callable[[Claim], Awaitable[None]]

Pause: TypeAlias = Callable[[PenstockError, bool], Awaitable[None]]
"""Waits before another try, told the error and whether anything came since the last; or raises."""


class Crew:
    """Fetches what is missing of one version by ``fetch``, with at most ``most`` connections.

    ``size`` is bytes of each request, ``None`` if that follows from how fast they come.
    """

    def __init__(
        self,
        lanes: Lanes,
        arrivals: Arrivals,
        fetch: Fetch,
        pause: Pause,
        *,
        most: int,
        size: int | None,
    ) -> None:
        self._lanes = lanes
        self._arrivals = arrivals
        self._fetch = fetch
        self._pause = pause
        self._most = most
        self._size = size
        self._stretch = FIRST_STRETCH
        self._furthest = arrivals.done
        self._rest_until = 0.0
        self._workers: set[asyncio.Task[None]] = set()
        self._working = 0

    async def run(self, first: Claim | None = None) -> None:
        """Fetch until all is there; ``first`` is on its way already, as ``fetch`` knows.

        :raises PenstockError: what no other try can mend.
        """
        self._hire(first)
        growing = asyncio.create_task(self._grow())
        try:
            while not self._arrivals.is_whole or self._workers:
                if not self._workers:  # the last ones gave up what another one could have taken
                    self._hire(self._rest())
                ended, _ = await asyncio.wait(self._workers, return_when=asyncio.FIRST_COMPLETED)
                self._workers -= ended
                for worker in ended:
                    worker.result()
        finally:
            left = [growing, *self._workers]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _hire(self, claim: Claim | None) -> "asyncio.Task[None]":
        worker = asyncio.create_task(self._work(claim))
        self._workers.add(worker)
        return worker

    async def _work(self, claim: Claim | None) -> None:
        self._working += 1
        try:
            await self._work_on(claim)
        finally:
            self._working -= 1

    async def _work_on(self, claim: Claim | None) -> None:
        while claim is not None or (claim := self._claim()) is not None:
            try:
                began, start = time.monotonic(), claim.at
                try:
                    await self._fetch(claim)
                finally:
                    self._arrivals.let_go(claim)
                self._learn(claim.at - start, time.monotonic() - began)
            except NoRanges:
                self._most = 1
                return
            except PenstockError as error:
                if not await self._goes_on(error):
                    return
            claim = None

    def _rest(self) -> Claim:
        claim = self._claim()
        if claim is None:
            raise PenstockError("what came is not what was announced; run the command again")
        return claim

    def _claim(self) -> Claim | None:
        alone = self._working == 1
        most = self._size or (NO_END if alone else self._stretch)
        return self._arrivals.claim(most)

    def _learn(self, size: int, seconds: float) -> None:
        """How much to ask for at a time follows from how long that took."""
        fitting = int(size / max(seconds, 0.001) * STRETCH_SECONDS)
        self._stretch = max(FIRST_STRETCH, min(fitting, LONGEST_STRETCH))

    async def _goes_on(self, error: PenstockError) -> bool:
        """Whether this connection tries again, after a while: the last one does.

        A server that refuses or breaks one of several gets fewer.
        """
        if isinstance(error, SourceChanged) or not is_temporary(error):
            raise error
        if self._working > 1:
            self._rest_until = time.monotonic() + REST_SECONDS
            return False
        progressed = self._arrivals.done > self._furthest
        self._furthest = self._arrivals.done
        await self._pause(error, progressed)
        return True

    async def _grow(self) -> None:
        """Add a connection as long as the last one added made it faster."""
        best, done = 0.0, self._arrivals.done
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before, done = done, self._arrivals.done
            rate = (done - before) / LOOK_SECONDS
            if not self._may_grow(rate, done) or rate <= best * GAIN:
                continue
            best = rate
            await self._add()

    def _may_grow(self, rate: float, done: int) -> bool:
        size = self._arrivals.size
        return (
            size is not None
            and len(self._workers) < self._most
            and time.monotonic() >= self._rest_until
            and size - done > rate * WORTH_SECONDS
            and not self._lanes.more.locked()
        )

    async def _add(self) -> None:
        """Another worker, for as long as there is something to do for it."""
        claim = self._arrivals.claim(self._size or self._stretch)
        if claim is not None:
            await self._lanes.more.acquire()
            self._hire(claim).add_done_callback(lambda _: self._lanes.more.release())
