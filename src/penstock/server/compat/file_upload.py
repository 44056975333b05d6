"""``/download/{name}``, as the server of file_upload has it: chunks of a file, each of them a gzip
stream of its own where that helps.

There the ``Content-Range`` of a compressed chunk counts the bytes of the file as it is. Such an
answer has an entity tag that no other chunk has, so no cache can join it with others. Here a text
behind the range and a second range are refused; there they are passed over.
"""

import re
from contextlib import closing
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

from aiohttp import web

from penstock.downloads import Representation, named_first, plan_download
from penstock.errors import BadKey, BadRequest, Forbidden, PenstockError, RangeNotSatisfiable
from penstock.octets.codings import GZIP, LEAST, coded_tag, worth_coding
from penstock.octets.media_types import DEFAULT
from penstock.octets.ranges import Span
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.server.access.granted import grant_of
from penstock.server.coding import NO_RANGES, VARY, Coded, accepted_by, answer_coded
from penstock.server.content import Content, open_content
from penstock.server.context import BEGUN
from penstock.server.media import SAFETY, content_type_of
from penstock.server.sending import answer, carry_out, planned
from penstock.server.services import cpu_of, services_of
from penstock.server.urls import key_below

_PREFIX: Final = "/download/"
_RANGE: Final = re.compile(r"bytes=(-?\d{1,19})-(-?\d{1,19})", re.ASCII)


async def download(request: web.Request) -> web.StreamResponse:
    """``HEAD`` and ``GET /download/{name}``; a GET needs ``Range: bytes=FIRST-LAST``."""
    services = services_of(request)
    with services.traffic:
        try:
            key = grant_of(request).check_key(name_in(request))
            content = await open_content(services, key)
            with closing(content):
                return await _answer(request, content)
        except Forbidden:
            raise
        except PenstockError as error:
            if BEGUN in request:
                raise
            return failed(error)


def name_in(request: web.Request) -> str:
    """The one segment of the path behind ``/download/``.

    :raises BadRequest: it has a slash or ``..``, or cannot name a file.
    """
    try:
        name = key_below(request, _PREFIX)
    except BadKey:
        raise BadRequest("Bad Request") from None
    if ".." in name or "/" in name:
        raise BadRequest("Bad Request")
    return name


async def _answer(request: web.Request, content: Content) -> web.StreamResponse:
    info = content.info
    content_type = await _type_of(request, content)
    what = Representation(info.size, info.etag, info.modified_ns, content_type, info.sha256)
    may_be_coded = services_of(request).settings.compress and worth_coding(
        info.key, content_type, info.size
    )
    headers = SAFETY | VARY if may_be_coded else SAFETY
    if request.method == "HEAD":
        # Of the whole file, which is what a GET is to name a range of.
        return await carry_out(request, plan_download({}, what, now=0), headers)
    span = _span_in(request, what.size)
    if may_be_coded and len(span) >= LEAST:
        response = await _answer_coded(request, content, what, span, headers)
        if response is not None:
            return response
    return await answer(request, what, headers, content.send)


async def _type_of(request: web.Request, content: Content) -> str:
    """The type that is known or that the name tells; else what the first bytes show."""
    known = content_type_of(content.info)
    size = min(content.info.size, FIRST)
    if known != DEFAULT or not size:
        return known
    sniff = partial(content_type_of_bytes, name=content.info.key)
    return await content.block(0, size, sniff, cpu_of(request)) or DEFAULT


def _span_in(request: web.Request, size: int) -> Span:
    """The bytes that ``Range`` asks for.

    :raises BadRequest: there is none, or it has another form.
    :raises RangeNotSatisfiable: it does not lie within the file.
    """
    header = request.headers.get("Range")
    if not header:
        raise BadRequest("Range header required")
    match = _RANGE.fullmatch(header)
    if match is None:
        raise BadRequest("Invalid range format")
    first, last = int(match[1]), int(match[2])
    if header.count("-") > 1 or not first <= last < size:
        headers = {"Content-Range": f"bytes */{size}"}
        raise RangeNotSatisfiable("Invalid range", headers=headers)
    return Span(first, last + 1)


async def _answer_coded(
    request: web.Request,
    content: Content,
    what: Representation,
    span: Span,
    headers: dict[str, str],
) -> web.StreamResponse | None:
    """Answer with the chunk as one gzip stream; ``None`` if it is to go out as it is."""
    assert what.etag is not None
    codings = named_first(request.headers, what.etag, accepted_by(request, (GZIP,)))
    if codings[0] != GZIP or "If-Range" in request.headers:
        return None
    tag = coded_tag(what.etag, GZIP, f"{span.start}-{span.stop - 1}")
    plan = planned(request, replace(what, etag=tag, sha256=None))
    if plan.status == 304:
        return await carry_out(request, plan, headers | NO_RANGES)
    return await answer_coded(request, Coded(content, span, GZIP, cpu_of(request)), plan, headers)


def failed(error: PenstockError) -> web.Response:
    """The answer for an error: one line of text."""
    said = type(error) in (BadRequest, RangeNotSatisfiable)
    text = error.detail if said else HTTPStatus(error.status).phrase
    fields = error.extra.get("headers", {})
    assert isinstance(fields, dict)
    return web.Response(
        text=f"{text}\n",
        status=error.status,
        headers={"X-Content-Type-Options": "nosniff", **fields},
        content_type="text/plain",
        charset="utf-8",
    )
