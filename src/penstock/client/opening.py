"""The first request for a file of which nothing is known: for everything."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from penstock.client.answers import Version
from penstock.client.arrivals import NO_END, Arrivals, Claim
from penstock.client.carrying import Question, answered, receive, whole_version
from penstock.client.lane import Lane
from penstock.client.origin import Origin
from penstock.client.part_file import PartFile
from penstock.octets.intervals import Intervals
from penstock.octets.ranges import Span

Check: TypeAlias = Callable[[Version], Version]
"""Answers the version, or raises that it cannot be right."""

Come: TypeAlias = Callable[[Arrivals, Mapping[str, str]], None]
"""Is told, in the event loop, what will come and the headers of the answer."""


class Opening:
    """A request whose body goes on coming after :meth:`begin`, until :meth:`rest` returns.

    :meth:`end` it in any case, before the part is closed: a thread writes there.
    """

    def __init__(self, origin: Origin, part: PartFile) -> None:
        self._origin = origin
        self._part = part
        self._running: asyncio.Task[None] | None = None

    async def begin(self, check: Check, come: Come) -> Claim:
        """Wait for the head of the answer; answers the claim that is on its way."""
        loop = asyncio.get_running_loop()
        begun: asyncio.Future[Claim] = loop.create_future()

        def told(arrivals: Arrivals, claim: Claim, headers: Mapping[str, str]) -> None:
            come(arrivals, headers)
            if not begun.done():
                begun.set_result(claim)

        def work(question: Question, lane: Lane) -> None:
            reply = answered(lane, "GET", question.url, question.headers)
            version = check(whole_version(reply, question.url))
            self._part.begin(version)
            arrivals = Arrivals(version.size, Intervals(), loop)
            claim = arrivals.claim(NO_END) or Claim(0, 0, 0)  # an empty file has none
            loop.call_soon_threadsafe(told, arrivals, claim, reply.headers)
            span = None if version.size is None else Span(0, version.size)
            receive(reply, question.url, self._part, arrivals, claim, span)

        self._running = asyncio.create_task(self._origin.use(work))
        either: list[asyncio.Future[Any]] = [self._running, begun]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not begun.done():
            await self.rest()  # raises why
        return await begun

    @property
    def is_under_way(self) -> bool:
        """Whether its body is still to be waited for."""
        return self._running is not None

    async def rest(self) -> None:
        """Wait until the body is at its place; raises what went wrong with it."""
        assert self._running is not None
        running, self._running = self._running, None
        try:
            await running
        finally:
            self._running = None if running.done() else running

    async def end(self) -> None:
        """Break it off."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
