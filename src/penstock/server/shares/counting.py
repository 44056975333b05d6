"""Downloads by a link are counted.

A request for the first byte is a download. One for later bytes goes on with a download, be it with
several connections or after one broke; those are counted by what is really sent, some at a time, so
that a client may ask for more than it takes.
"""

from typing import Final

from aiohttp import web

from penstock.access import Grant
from penstock.access.shares import Share
from penstock.downloads import SendPlan
from penstock.octets.ranges import Span
from penstock.server.access.auditing import audit_soon
from penstock.server.context import METER, Meter
from penstock.server.services import services_of

_STEPS: Final = 64
"""Into how many steps the bytes of a share are counted."""
_LEAST_STEP: Final = 64 << 10
_MOST_STEP: Final = 64 << 20


class Counting(Meter):
    """The downloads of one share, of which all is ``size`` bytes."""

    def __init__(self, request: web.Request, share: Share, size: int) -> None:
        self._request = request
        self._share = share
        self._size = size
        self._shares = services_of(request).shares
        self._counted = 0
        self._sent = 0
        self._to_send = 0

    async def admit(self, plan: SendPlan | None) -> None:
        """Count what is about to be sent; ``None``: all, of which nobody knows the length.

        :raises ShareGone: the link was used as often as it may be.
        """
        if self._request.method == "HEAD" or (plan is not None and plan.status == 304):
            return
        if plan is None or _begins(plan):
            await self._shares.count(self._share)
            by = Grant(f"share:{self._share.id}", self._share.title, frozenset())
            audit_soon(self._request, "share.get", self._share.title, grant=by)
            return
        if self._share.most is None:
            return
        self._to_send = plan.length
        await self._count_more()
        self._request[METER] = self

    async def was_sent(self, count: int) -> None:
        """As :class:`Meter` has it.

        :raises ShareGone: nothing is left of the downloads that were counted.
        """
        self._sent += count
        while self._counted < min(self._sent + 1, self._to_send):
            await self._count_more()

    async def _count_more(self) -> None:
        step = min(max(self._size // _STEPS, _LEAST_STEP), _MOST_STEP)
        amount = min(step, self._to_send - self._counted)
        await self._shares.take(self._share, amount, self._size)
        self._counted += amount


def _begins(plan: SendPlan) -> bool:
    """Whether the first byte is among those sent; where there are none, there is no other."""
    spans = [piece for piece in plan.pieces if isinstance(piece, Span)]
    return not spans or any(span.start == 0 for span in spans)
