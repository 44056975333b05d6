"""Answers that are not kept: each caller reads the upstream's own."""

import asyncio
from collections.abc import Iterable

import aiohttp
from aiohttp import HttpVersion11, web

from penstock.errors import HttpTooOld, PenstockError, Stalled
from penstock.relay.fields import values_of
from penstock.relay.upstream import Upstream, passed_on
from penstock.server.context import BEGUN, SENT
from penstock.server.serving import serving_of

_ASKED = ("Accept", "Accept-Encoding", "If-Match", "If-Range", "If-Unmodified-Since", "Range")
"""Fields of a caller that the upstream is sent."""

_ANSWERED = (
    "Accept-Ranges", "Cache-Control", "Content-Digest", "Content-Disposition", "Content-Encoding",
    "Content-Language", "Content-Range", "Content-Security-Policy", "Content-Type", "ETag",
    "Expires", "Follow-Id", "Last-Modified", "Repr-Digest", "Vary", "X-Content-Type-Options",
)  # fmt: skip
"""Fields of the upstream that a caller is sent."""


async def pass_through(
    request: web.Request,
    upstream: Upstream,
    path: str,
    how: str = "fwd=bypass",
    *,
    more: Iterable[str] = (),
    silence: float = 0.0,
) -> web.StreamResponse:
    """Answer as the upstream answers for ``path``, at the pace of the slower of both.

    ``more`` are fields of the caller that the upstream is sent beside the usual ones. It may be
    silent for ``silence`` seconds, if that is more than its timeout.

    :raises PenstockError: the upstream answers an error, or breaks off.
    :raises HttpTooOld: the length is not known, and the caller could not tell a cut from the end.
    """
    headers = values_of(request.headers, more)
    headers |= {"Accept-Encoding": "identity", **values_of(request.headers, _ASKED)}
    try:
        async with upstream.request(request.method, path, headers, silence) as answer:
            return await _send_on(request, upstream, answer, how)
    except HttpTooOld:
        raise
    except PenstockError as error:
        raise passed_on(error) from error


async def _send_on(
    request: web.Request, upstream: Upstream, answer: aiohttp.ClientResponse, how: str
) -> web.StreamResponse:
    told = values_of(answer.headers, _ANSWERED)
    response = web.StreamResponse(
        status=answer.status, headers=told | {"Cache-Status": f"penstock-relay; {how}"}
    )
    length = answer.headers.get("Content-Length")
    if length is not None:
        response.content_length = int(length)
    elif request.version < HttpVersion11:
        raise HttpTooOld("the length of this is not known beforehand, so it needs HTTP/1.1")
    else:
        response.enable_chunked_encoding()
    await response.prepare(request)
    request[BEGUN] = response
    stall_timeout, sent = serving_of(request).settings.stall_timeout, 0
    try:
        while data := await upstream.read(answer):
            async with asyncio.timeout(stall_timeout):
                await response.write(data)
            sent += len(data)
    except TimeoutError:
        raise Stalled(f"the client read nothing for {stall_timeout:g} seconds") from None
    finally:
        request[SENT] = sent
    await response.write_eof()
    return response
