"""Carrying out a :class:`penstock.downloads.SendPlan` on a connection."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from penstock.downloads import Representation, SendPlan, plan_download
from penstock.errors import PreconditionFailed, RangeNotSatisfiable
from penstock.octets.ranges import Span
from penstock.server.context import BEGUN, SENT
from penstock.server.services import services_of
from penstock.server.wire import Wire, corked

SendSpan = Callable[[Wire, int, int], Awaitable[None]]
"""Sends the bytes start to stop of a representation."""

_WORTH_CORKING = 1 << 20


async def answer(
    request: web.Request,
    what: Representation,
    headers: dict[str, str],
    send_span: SendSpan,
) -> web.StreamResponse:
    """Answer a GET or HEAD for ``what``; ``headers`` go with every answer that has content.

    :raises PreconditionFailed: If-Match or If-Unmodified-Since says no.
    :raises RangeNotSatisfiable: with the ``Content-Range`` that tells the size.
    """
    settings = services_of(request).settings
    plan = plan_download(request.headers, what, now=time.time(), most_ranges=settings.max_ranges)
    # Only a GET or HEAD has "not modified" for an answer (RFC 9110 §13.1.2).
    if plan.status == 412 or (plan.status == 304 and request.method == "POST"):
        raise PreconditionFailed("the file is not the version that the request asks for")
    if plan.status == 416:
        raise RangeNotSatisfiable(
            f"the file has {what.size:,} bytes; ask for a range within", headers=plan.headers
        )
    response = web.StreamResponse(status=plan.status, headers=plan.headers | headers)
    if plan.status != 304:
        response.content_length = plan.length
    has_body = request.method != "HEAD" and bool(plan.pieces)
    with corked(request, has_body and plan.length >= _WORTH_CORKING):
        await response.prepare(request)
        request[BEGUN] = response
        if has_body:
            await _send_pieces(request, plan, send_span, settings.stall_timeout)
    await response.write_eof()
    return response


async def _send_pieces(
    request: web.Request, plan: SendPlan, send_span: SendSpan, stall_timeout: float
) -> None:
    async with Wire(request, stall_timeout) as wire:
        try:
            for piece in plan.pieces:
                if isinstance(piece, Span):
                    await send_span(wire, piece.start, piece.stop)
                else:
                    await wire.send(piece, more=True)
        finally:
            request[SENT] = wire.sent
