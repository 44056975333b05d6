"""Carrying out a :class:`penstock.downloads.SendPlan` on a connection."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import HttpVersion11, web
from aiohttp.http import StreamWriter

from penstock.downloads import Representation, SendPlan, plan_download, precondition_status
from penstock.errors import HttpTooOld, PreconditionFailed, RangeNotSatisfiable
from penstock.octets.ranges import Span
from penstock.server.chunked import send_end
from penstock.server.context import BEGUN, SENT
from penstock.server.serving import serving_of
from penstock.server.wire import Wire, corked

SendSpan = Callable[[Wire, int, int], Awaitable[None]]
"""Sends the bytes start to stop of a representation."""

SendAll = Callable[[Wire], Awaitable[dict[str, str]]]
"""Sends a body of unknown length, chunk by chunk; answers its trailer fields."""

Admit = Callable[[SendPlan | None], Awaitable[None]]
"""Raises if what is planned must not be sent; ``None``: all of it, of unknown length."""

_WORTH_CORKING = 1 << 20


async def answer(
    request: web.Request,
    what: Representation,
    headers: dict[str, str],
    send_span: SendSpan,
    admit: Admit | None = None,
) -> web.StreamResponse:
    """Answer a GET or HEAD for ``what``; ``headers`` go with every answer that has content.

    ``admit`` is asked before anything is sent.

    :raises PreconditionFailed: If-Match or If-Unmodified-Since says no.
    :raises RangeNotSatisfiable: with the ``Content-Range`` that tells the size.
    """
    plan = planned(request, what)
    if admit is not None:
        await admit(plan)
    return await carry_out(request, plan, headers, send_span)


def planned(request: web.Request, what: Representation) -> SendPlan:
    """What to answer to a GET or HEAD for ``what``; raises as :func:`answer` does."""
    settings = serving_of(request).settings
    plan = plan_download(request.headers, what, now=time.time(), most_ranges=settings.max_ranges)
    # Only a GET or HEAD has "not modified" for an answer (RFC 9110 §13.1.2).
    if plan.status == 412 or (plan.status == 304 and request.method == "POST"):
        raise PreconditionFailed("the file is not the version that the request asks for")
    if plan.status == 416:
        raise RangeNotSatisfiable(
            f"the file has {what.size:,} bytes; ask for a range within", headers=plan.headers
        )
    return plan


async def carry_out(
    request: web.Request,
    plan: SendPlan,
    headers: dict[str, str],
    send_span: SendSpan | None = None,
) -> web.StreamResponse:
    """Send what ``plan`` says; ``send_span`` is needed if it has spans."""
    stall_timeout = serving_of(request).settings.stall_timeout
    response = web.StreamResponse(status=plan.status, headers=plan.headers | headers)
    if plan.status != 304:
        response.content_length = plan.length
    has_body = request.method != "HEAD" and bool(plan.pieces)
    with corked(request, has_body and plan.length >= _WORTH_CORKING):
        await response.prepare(request)
        request[BEGUN] = response
        if has_body:
            await _send_pieces(request, plan, send_span, stall_timeout)
    await response.write_eof()
    return response


async def answer_chunked(
    request: web.Request,
    headers: dict[str, str],
    trailer: str,
    send_all: SendAll,
    admit: Admit | None = None,
) -> web.StreamResponse:
    """Answer a GET or HEAD with a body of which nobody knows the length.

    ``trailer`` names the fields that follow it. There is no version to speak of, so neither
    conditions nor ranges. ``admit`` is asked before anything is sent.

    :raises PreconditionFailed: the request speaks of a version.
    :raises HttpTooOld: the client speaks HTTP/1.0, in which a body that was cut looks complete.
    """
    if precondition_status(request.headers, None, None) is not None:
        raise PreconditionFailed("this is made anew each time; there is no version to ask for")
    if request.version < HttpVersion11:
        raise HttpTooOld(
            "the length of this is not known beforehand, so it needs HTTP/1.1; "
            "behind nginx say proxy_http_version 1.1"
        )
    if admit is not None:
        await admit(None)
    fields = headers | {"Accept-Ranges": "none", "Trailer": trailer}
    return await send_chunked(request, 200, fields, send_all)


async def send_chunked(
    request: web.Request, status: int, headers: dict[str, str], send_all: SendAll
) -> web.StreamResponse:
    """Send a body of which nobody knows the length, to a client that speaks HTTP/1.1."""
    response = web.StreamResponse(status=status, headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    request[BEGUN] = response
    if request.method != "HEAD":
        async with Wire(request, serving_of(request).settings.stall_timeout) as wire:
            try:
                await send_end(wire, await send_all(wire))
            finally:
                request[SENT] = wire.sent
    # The end of the body is sent: aiohttp must not add its own.
    assert isinstance(request.writer, StreamWriter)
    request.writer.chunked = False
    await response.write_eof()
    return response


async def _send_pieces(
    request: web.Request, plan: SendPlan, send_span: SendSpan | None, stall_timeout: float
) -> None:
    async with Wire(request, stall_timeout) as wire:
        try:
            last = len(plan.pieces) - 1
            for number, piece in enumerate(plan.pieces):
                if isinstance(piece, Span):
                    assert send_span is not None
                    await send_span(wire, piece.start, piece.stop)
                else:
                    await wire.send(piece, more=number < last)
        finally:
            request[SENT] = wire.sent
