"""``POST /upload`` and ``GET /files/{name}``, as the file service of s3testcase has them.

Errors are told in one line of text, as there, or as a problem document to who accepts one by name.
"""

from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from aiohttp import web
from aiohttp.typedefs import Handler

from penstock.catalog.away import told_when_away
from penstock.downloads import Representation
from penstock.errors import (
    BadKey,
    BadRequest,
    Forbidden,
    KeyConflict,
    NotFound,
    PenstockError,
    TooLarge,
)
from penstock.octets.digests import wants_sha256
from penstock.octets.dispositions import content_disposition
from penstock.octets.media_types import DEFAULT
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.access.within import condition_of
from penstock.server.compat.storing import store_body, stored_fields
from penstock.server.content import Content, open_content
from penstock.server.context import BEGUN
from penstock.server.media import SAFETY
from penstock.server.part_digest import part_digest
from penstock.server.sending import carry_out, planned
from penstock.server.services import services_of
from penstock.stores.keys import MAX_KEY_BYTES, MAX_SEGMENT_BYTES, check_key

MAX_UPLOAD = 10 << 30
"""Bytes of the largest body; the server's own limit may be lower."""
MAX_NAME = 512
"""Characters of the longest name; keys have limits of their own besides."""

_FILES: Final = "/files/"
_PROBLEM: Final = "application/problem+json"


async def upload(request: web.Request) -> web.Response:
    """``POST /upload``: the raw body becomes the file that ``X-File-Name`` names."""
    with services_of(request).traffic:
        try:
            key = grant_of(request).check_key(_key_in(request))
            about(request, key)
            _check_length(request)
            with told_when_away():
                info = await store_body(request, key, condition_of(request))
        except TooLarge as error:
            return _failed(request, error, "Request body too large", {"Connection": "close"})
        except PenstockError as error:
            return _failed(request, error)
    return web.Response(headers=stored_fields(info))


async def download(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /files/{name}``, with ranges and conditions besides."""
    with services_of(request).traffic:
        try:
            with told_when_away(), closing(await _named(request)) as content:
                return await _send(request, content)
        except PenstockError as error:
            if BEGUN in request:
                raise
            return _failed(request, error)


@web.middleware
async def refuse_quietly(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer other methods of ``/files/{name}`` without a body, as there."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed as error:
        if not request.rel_url.raw_path.startswith(_FILES):
            raise
        return web.Response(status=405, headers={"Allow": error.headers["Allow"]})


def _key_in(request: web.Request) -> str:
    """The key that ``X-File-Name`` gives.

    :raises BadRequest: there is none, or it cannot name a file.
    """
    octets = request.headers.get("X-File-Name", "").encode(errors="surrogateescape")
    if not octets:
        raise BadRequest("Missing X-File-Name header or filename is empty")
    # The one octet that has no character in Windows-1251 becomes U+FFFD.
    name = _decoded(octets, "replace")
    try:
        check_key(name)
    except BadKey:
        reason = "Filename too long" if _is_long(name) else "Filename is not URL safety"
        raise BadRequest(reason) from None
    if len(name) > MAX_NAME:
        raise BadRequest("Filename too long")
    return name


def _decoded(octets: bytes, errors: str = "strict") -> str:
    """A name in UTF-8, or else in Windows-1251."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("cp1251", errors)


def _is_long(name: str) -> bool:
    sizes = [len(segment.encode()) for segment in name.split("/")]
    return len(name) > MAX_NAME or max(sizes) > MAX_SEGMENT_BYTES or sum(sizes) > MAX_KEY_BYTES


def _check_length(request: web.Request) -> None:
    if request.content_length is None:
        raise BadRequest("Request content size is not set")
    if request.content_length > MAX_UPLOAD:
        raise TooLarge("Request body too large")


def _names_in(path: str) -> list[str]:
    """The names that the path may mean, the likeliest first.

    The client of s3testcase encodes a name as a query is: a space is a ``+``. A ``%`` that begins
    no escape stands for itself.

    :raises BadRequest: it is text in no encoding.
    """
    octets = path.removeprefix(_FILES).encode(errors="surrogateescape")
    try:
        names = [_decoded(unquote_to_bytes(one)) for one in (octets, octets.replace(b"+", b" "))]
    except UnicodeDecodeError:
        raise BadRequest("bad encoding of filename") from None
    return names[:1] if names[0] == names[1] else names


async def _named(request: web.Request) -> Content:
    """The file that the path names; to be closed.

    :raises BadRequest: the name has no encoding that could be known.
    :raises NotFound: there is no such file, or cannot be.
    :raises Forbidden: it is outside of the folder that the request is bound to.
    """
    grant, names = grant_of(request), _names_in(request.rel_url.raw_path)
    names = list(filter(grant.covers, names)) or [grant.check_key(names[0])]
    for name in names:
        try:
            return await _opened(request, name)
        except (NotFound, BadKey, KeyConflict):
            continue
    raise NotFound(f"nothing is stored at {names[0]!r}")


async def _opened(request: web.Request, name: str) -> Content:
    services, key = services_of(request), check_key(name)
    if wants_sha256(request.headers.get("Want-Repr-Digest", "")):
        await services.store.checksum(key)
    return await open_content(services, key)


async def _send(request: web.Request, content: Content) -> web.StreamResponse:
    """Send it as it is, never in a coding: the length is part of what the route promises."""
    info = content.info
    content_type = info.content_type or DEFAULT
    what = Representation(info.size, info.etag, info.modified_ns, content_type, info.sha256)
    plan = planned(request, what)
    name = info.key.rpartition("/")[2]
    headers = {**SAFETY, "Content-Disposition": content_disposition("attachment", name)}
    fields = headers | await part_digest(request, content, plan)
    return await carry_out(request, plan, fields, content.send)


def _failed(
    request: web.Request,
    error: PenstockError,
    text: str = "",
    more: Mapping[str, str] = MappingProxyType({}),
) -> web.Response:
    """The answer for an error, in the words of ``text`` if that is given.

    A missing file has no text, as there.

    :raises PenstockError: ``error``, if the client accepts a problem document by that name, or if
        it is one that the system there does not have.
    """
    if isinstance(error, Forbidden) or _PROBLEM in request.headers.get("Accept", ""):
        raise error
    fields = error.extra.get("headers", {})
    assert isinstance(fields, dict)
    headers = {"X-Content-Type-Options": "nosniff", **fields, **more}
    if "retry_after" in error.extra:
        headers["Retry-After"] = str(error.extra["retry_after"])
    if error.status == 404:
        return web.Response(status=404, headers=headers)
    return web.Response(
        text=f"{text or error.detail}\n",
        status=error.status,
        headers=headers,
        content_type="text/plain",
        charset="utf-8",
    )
