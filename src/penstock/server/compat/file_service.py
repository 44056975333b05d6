"""``POST /upload``, as the file service of s3testcase has it."""

from aiohttp import web

from penstock.downloads import check_write
from penstock.errors import BadKey, BadRequest, PenstockError, TooLarge
from penstock.server.compat.storing import store_body, stored_fields
from penstock.server.services import services_of
from penstock.stores.keys import MAX_KEY_BYTES, MAX_SEGMENT_BYTES, check_key

MAX_UPLOAD = 10 << 30
"""Bytes of the largest body; the server's own limit may be lower."""
MAX_NAME = 512
"""Characters of the longest name; keys have limits of their own besides."""


async def upload(request: web.Request) -> web.Response:
    """``POST /upload``: the raw body becomes the file that ``X-File-Name`` names."""
    with services_of(request).traffic:
        try:
            key = _key_in(request)
            _check_length(request)
            info = await store_body(request, key, check_write(request.headers))
        except TooLarge:
            return _failed(413, "Request body too large", {"Connection": "close"})
        except PenstockError as error:
            return _failed(error.status, error.detail, {})
    return web.Response(headers=stored_fields(info))


def _key_in(request: web.Request) -> str:
    """The key that ``X-File-Name`` gives.

    :raises BadRequest: there is none, or it cannot name a file.
    """
    octets = request.headers.get("X-File-Name", "").encode(errors="surrogateescape")
    if not octets:
        raise BadRequest("Missing X-File-Name header or filename is empty")
    name = _decoded(octets)
    try:
        check_key(name)
    except BadKey:
        reason = "Filename too long" if _is_long(name) else "Filename is not URL safety"
        raise BadRequest(reason) from None
    if len(name) > MAX_NAME:
        raise BadRequest("Filename too long")
    return name


def _decoded(octets: bytes) -> str:
    """A name in UTF-8, or else in Windows-1251."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        # The one octet that has no character there becomes U+FFFD.
        return octets.decode("cp1251", "replace")


def _is_long(name: str) -> bool:
    sizes = [len(segment.encode()) for segment in name.split("/")]
    return len(name) > MAX_NAME or max(sizes) > MAX_SEGMENT_BYTES or sum(sizes) > MAX_KEY_BYTES


def _check_length(request: web.Request) -> None:
    if request.content_length is None:
        raise BadRequest("Request content size is not set")
    if request.content_length > MAX_UPLOAD:
        raise TooLarge("Request body too large")


def _failed(status: int, reason: str, headers: dict[str, str]) -> web.Response:
    return web.Response(
        text=f"{reason}\n",
        status=status,
        headers={"X-Content-Type-Options": "nosniff", **headers},
        content_type="text/plain",
        charset="utf-8",
    )
