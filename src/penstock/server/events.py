"""Server-Sent Events (WHATWG HTML §9.2): what happens, told while it does."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from penstock.errors import Busy, Stalled
from penstock.server.access.gate import is_still_good
from penstock.server.context import BEGUN, SENT
from penstock.server.serving import serving_of

TYPE = "text/event-stream"
KEEP_ALIVE = 15.0
"""Seconds between comments, which tell proxies and clients that the stream lives."""

MOST = 1000
"""Streams that may be open at once."""
_RETRY_MS = 2000


class Event(NamedTuple):
    """``id`` is what a client that comes back names in ``Last-Event-ID``; ``last``: no other
    follows."""

    name: str
    id: str
    data: Mapping[str, Any]
    last: bool


class Streams:
    """Counts the streams that are open."""

    def __init__(self) -> None:
        self._open = 0

    def __enter__(self) -> None:
        if self._open >= MOST:
            raise Busy("too many streams of events are open; ask without them", retry_after=5)
        self._open += 1

    def __exit__(self, *exc: object) -> None:
        self._open -= 1


STREAMS = web.AppKey("streams", Streams)


def wants_events(request: web.Request) -> bool:
    """Whether ``Accept`` names a stream of events (RFC 9110 §12.5.1)."""
    if request.method != "GET":
        return False
    for accepted in request.headers.get("Accept", "").split(","):
        media_type, *parameters = (part.strip().lower() for part in accepted.split(";"))
        if media_type == TYPE and not any(part in _REFUSALS for part in parameters):
            return True
    return False


_REFUSALS = {"q=0", "q=0.", "q=0.0", "q=0.00", "q=0.000"}


async def send_events(
    request: web.Request, events: AsyncGenerator[Event, None], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Answer with the events until there are no more, or the client leaves.

    Whoever comes back after the last of them (``Last-Event-ID``) is told by 204 not to come again.

    :raises Busy: too many are listening, or there is nothing to hear any more.
    :raises Stalled: the client reads nothing for the stall timeout.
    """
    if request.method == "HEAD":
        return web.Response(headers={**headers, "Content-Type": TYPE, "Cache-Control": "no-cache"})
    with request.app[STREAMS]:
        async with aclosing(events):
            first = await anext(events, None)
            if first is None:  # those who watch were sent away, or it was just removed
                raise Busy("no more events can be sent; ask again", retry_after=5)
            if first.last and first.id == request.headers.get("Last-Event-ID"):
                return web.Response(status=204, headers=headers)
            return await _send(request, first, events, headers)


async def _send(
    request: web.Request,
    first: Event,
    following: AsyncGenerator[Event, None],
    headers: Mapping[str, str],
) -> web.StreamResponse:
    stall_timeout = serving_of(request).settings.stall_timeout
    response = EventSourceResponse(
        headers=headers, sep="\n", send_timeout=stall_timeout, ping_interval=KEEP_ALIVE
    )
    await response.prepare(request)
    request[BEGUN] = response
    try:
        async with response:
            await _tell(request, response, first, retry=_RETRY_MS)
            async for event in following:
                if not await is_still_good(request):
                    break  # who comes back is told why
                await _tell(request, response, event)
    except TimeoutError:
        raise Stalled(f"the client read nothing for {stall_timeout:g} seconds") from None
    return response


async def _tell(
    request: web.Request, response: EventSourceResponse, event: Event, retry: int | None = None
) -> None:
    data = json.dumps(event.data)
    await response.send(data, id=event.id, event=event.name, retry=retry)
    request[SENT] = request.get(SENT, 0) + len(data)
