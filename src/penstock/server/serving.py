"""What serving HTTP takes, whatever is served: limits, and a count of what is in flight."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from penstock.errors import Busy


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
    """Counts the transfers in flight and refuses what is too much."""

    most: int
    transfers: int = 0
    draining: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __enter__(self) -> None:
        if self.transfers >= self.most:
            raise Busy("too many transfers at once; try again in a moment", retry_after=1)
        self.transfers += 1

    def __exit__(self, *exc: object) -> None:
        self.transfers -= 1
        if self.draining and not self.transfers:
            self.idle.set()

    def drain(self) -> None:
        """From now on only what is in flight counts; ``idle`` is set when nothing is."""
        self.draining = True
        if not self.transfers:
            self.idle.set()


@dataclass(frozen=True, slots=True)
class Serving:
    """What middleware and sending need of the application they work for."""

    settings: Limits
    traffic: Traffic


SERVING = web.AppKey("serving", Serving)


def serving_of(request: web.Request) -> Serving:
    """That of the application that handles ``request``."""
    return request.app[SERVING]
