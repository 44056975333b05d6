"""How often a token may ask, and how fast its bytes may go, in this process.

With several processes (``settings.workers``) each grants its share of both.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from penstock.access import Grant
from penstock.errors import TooManyRequests
from penstock.octets.rate import TokenBucket
from penstock.server.access.granted import grant_of
from penstock.server.pacing import PACE, Pace

_MOST: Final = 10_000
"""Tokens that are remembered, those used last: forgetting one lets it burst anew."""
_LONGEST: Final = 86_400.0
"""Seconds that anybody is told to wait."""


class _Limited:
    """What one token has used."""

    def __init__(self, grant: Grant, share: int) -> None:
        self.request_rate = grant.request_rate
        self.byte_rate = grant.byte_rate
        self.requests: TokenBucket | None = None
        if grant.request_rate is not None:
            rate = grant.request_rate / share
            self.requests = TokenBucket(rate, max(1.0, rate))
        self.pace = None if grant.byte_rate is None else Pace(grant.byte_rate / share)

    def is_of(self, grant: Grant) -> bool:
        """Whether the rates are still those of the token."""
        return (self.request_rate, self.byte_rate) == (grant.request_rate, grant.byte_rate)


class Limits:
    """All tokens that have rates. Belongs to one event loop.

    :param share: processes that the rates of a token are for
    :param clock: seconds, monotonic
    """

    def __init__(self, share: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._clock = clock
        self._known: OrderedDict[str, _Limited] = OrderedDict()

    def admit(self, grant: Grant) -> Pace | None:
        """Count a request, if it may be; answers the pace that its bytes have to keep.

        :raises TooManyRequests: it comes too early.
        """
        limited = self._limited(grant)
        if limited.requests is not None:
            now = self._clock()
            missing = limited.requests.missing(now, 1)
            if missing > 0:
                raise TooManyRequests(
                    f"this token is good for {grant.request_rate:g} requests per second; wait "
                    "as long as Retry-After says",
                    retry_after=max(1, math.ceil(min(missing, _LONGEST))),
                )
            limited.requests.delay(now, 1)
        return limited.pace

    def _limited(self, grant: Grant) -> _Limited:
        found = self._known.get(grant.actor)
        if found is None or not found.is_of(grant):
            found = self._known[grant.actor] = _Limited(grant, self._share)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        self._known.move_to_end(grant.actor)
        return found


LIMITS = web.AppKey("limits", Limits)


def limit(request: web.Request, grant: Grant | None = None) -> None:
    """Hold a request to the rates of its token; most tokens have none.

    :raises TooManyRequests: it comes too early.
    """
    grant = grant or grant_of(request)
    if grant.request_rate is None and grant.byte_rate is None:
        return
    pace = request.app[LIMITS].admit(grant)
    if pace is not None:
        request[PACE] = pace


def prepare_limits(app: web.Application, workers: int) -> None:
    """Give ``app`` its limits, before it starts."""
    app[LIMITS] = Limits(workers)
