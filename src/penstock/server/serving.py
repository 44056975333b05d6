"""What serving HTTP takes, whatever is served: limits, and a count of what is in flight."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from penstock.errors import Busy

if TYPE_CHECKING:
    from penstock.server.observing.watch import Watch


class Limits(Protocol):
    """Where to listen, and how long and how much a client may take; times are seconds."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...

    @property
    def max_ranges(self) -> int: ...

    @property
    def idle_timeout(self) -> float: ...

    @property
    def stall_timeout(self) -> float: ...

    @property
    def shutdown_timeout(self) -> float: ...


@dataclass(slots=True)
class Traffic:
    """Counts the transfers in flight and refuses what is too much.

    ``followers`` read along an upload. Most of the time they wait for its writer, so they are
    counted apart: they must not take the place that it needs.
    """

    most: int
    transfers: int = 0
    followers: int = 0
    received: int = 0
    """Bytes of bodies that came in so far."""
    sent: int = 0
    """Bytes of bodies that went out so far."""
    draining: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __enter__(self) -> None:
        if self.transfers >= self.most:
            raise Busy("too many transfers at once; try again in a moment", retry_after=1)
        self.transfers += 1

    def __exit__(self, *exc: object) -> None:
        self.transfers -= 1
        self._look()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Count a follower.

        :raises Busy: there are half as many as there may be transfers.
        """
        if self.followers >= max(1, self.most // 2):
            raise Busy("too many follow uploads at once; try again in a moment", retry_after=1)
        self.followers += 1
        try:
            yield
        finally:
            self.followers -= 1
            self._look()

    @property
    def in_flight(self) -> int:
        """Transfers and followers."""
        return self.transfers + self.followers

    def drain(self) -> None:
        """From now on only what is in flight counts; ``idle`` is set when nothing is."""
        self.draining = True
        self._look()

    def _look(self) -> None:
        if self.draining and not self.in_flight:
            self.idle.set()


@dataclass(frozen=True, slots=True)
class Serving:
    """What middleware and sending need of the application they work for."""

    settings: Limits
    traffic: Traffic
    watch: "Watch | None" = None


SERVING = web.AppKey("serving", Serving)


def serving_of(request: web.Request) -> Serving:
    """That of the application that handles ``request``."""
    return request.app[SERVING]
