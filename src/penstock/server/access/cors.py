"""Pages of other origins that may use the HTTP interface (CORS, WHATWG Fetch §3.2).

They send a token. Cookies and passwords that a browser sends by itself are not accepted from
them, so ``Access-Control-Allow-Credentials`` is never said.
"""

import re
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from penstock.server.access.credentials import bearer_of
from penstock.web_origins import ANY, origins_of

_METHODS: Final = "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS"
_MAX_AGE: Final = "7200"
"""Seconds that browsers need not ask again; none heeds more than this."""

_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,4096}", re.ASCII)
_EXPOSED: Final = ", ".join(
    (
        "Accept-Ranges",
        "Allow",
        "Content-Digest",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Length",
        "Content-Location",
        "Content-Range",
        "ETag",
        "Follow-Id",
        "Location",
        "Repr-Digest",
        "Retry-After",
        "Tus-Checksum-Algorithm",
        "Tus-Extension",
        "Tus-Max-Size",
        "Tus-Resumable",
        "Tus-Version",
        "Unencoded-Digest",
        "Upload-Complete",
        "Upload-Concat",
        "Upload-Defer-Length",
        "Upload-Draft-Interop-Version",
        "Upload-Expires",
        "Upload-Incomplete",
        "Upload-Length",
        "Upload-Limit",
        "Upload-Metadata",
        "Upload-Offset",
        "WWW-Authenticate",
        "X-Request-ID",
        "X-Zip-Layout",
    )
)
"""What scripts may read besides what they always may."""


class Cors:
    """The origins whose pages are let in."""

    def __init__(self, origins: frozenset[str]) -> None:
        self._origins = origins
        self.is_any = ANY in origins

    def allows(self, origin: str | None) -> bool:
        """Whether pages of ``origin`` are let in."""
        return origin is not None and (self.is_any or origin in self._origins)

    def accepts(self, request: web.Request) -> bool:
        """Whether a change that a page asks for is one it may ask for: it brings a token, which no
        browser sends by itself."""
        is_allowed = self.allows(request.headers.get("Origin"))
        return is_allowed and bearer_of(request.headers.get("Authorization", "")) is not None


CORS = web.AppKey("cors", Cors)


def accepts_elsewhere(request: web.Request) -> bool:
    """Whether a change that a page of another origin asks for is accepted."""
    cors = request.app.get(CORS)
    return cors is not None and cors.accepts(request)


def prepare_cors(app: web.Application, origins: str) -> None:
    """Let pages of these origins in, before ``app`` starts; without any nothing changes.

    What they ask beforehand is answered before anything else but the log sees it.
    """
    found = origins_of(origins)
    if found:
        app[CORS] = Cors(found)
        app.middlewares.insert(1, preflight)
        app.on_response_prepare.append(_mark)


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what browsers ask beforehand, which brings no token, if the origin is let in."""
    cors = request.app[CORS]
    asked = request.headers.get("Access-Control-Request-Method")
    if request.method != "OPTIONS" or asked is None:
        return await handler(request)
    names = request.headers.get("Access-Control-Request-Headers", "")
    if not cors.allows(request.headers.get("Origin")) or not _NAMES.fullmatch(names):
        return await handler(request)
    headers = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Max-Age": _MAX_AGE}
    if names:
        headers["Access-Control-Allow-Headers"] = names
    return web.Response(status=204, headers=headers)


async def _mark(request: web.Request, response: web.StreamResponse) -> None:
    """Let the script that asked read the answer, errors too."""
    cors = request.app[CORS]
    if not cors.is_any:
        # Caches keep the answers to several origins apart.
        fields = response.headers.getall("Vary", [])
        response.headers["Vary"] = ", ".join([*fields, "Origin"])
    origin = request.headers.get("Origin")
    if origin is not None and cors.allows(origin):
        response.headers["Access-Control-Allow-Origin"] = ANY if cors.is_any else origin
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
