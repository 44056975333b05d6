"""The pages and their assets, all served from the package."""

import re
from hashlib import sha256
from html import escape
from pathlib import Path

from aiohttp import ETag, web
from aiohttp.typedefs import Handler

from penstock.server.masthead import masthead_texts

HERE = Path(__file__).parent
STATIC = HERE / "static"

# Listed once: no request can name another file, and none waits for the disk to say so. Pages have
# addresses of their own, where somebody may be asked to log in.
_FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
_ASSETS = {name for name in _FILES if not name.endswith(".html")}
_PAGES = {
    name: path.read_text(encoding="utf-8")
    for name, path in _FILES.items()
    if name.endswith(".html")
}
_MASTHEAD = "masthead.html"
_GAP = re.compile(r"\{\{(\w+)\}\}")

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
# A page names who is logged in.
_PAGE_HEADERS = _HEADERS | {
    "Cache-Control": "private, no-cache",
    "Vary": "Cookie, Authorization",
}


def page(request: web.Request, name: str, status: int = 200, **texts: str) -> web.Response:
    """One of the pages of the package, with the rules that browsers are to keep on it.

    ``{{word}}`` in it stands for the text of that name in ``texts``, or for nothing;
    ``{{masthead}}`` for what all pages begin with, as who asks may see it.
    """
    masthead = _filled(_PAGES[_MASTHEAD], masthead_texts(request, name))
    words = {word: escape(text) for word, text in texts.items()} | {"masthead": masthead}
    body = _filled(_PAGES[name], words).encode()
    response = web.Response(
        body=body, status=status, content_type="text/html", charset="utf-8", headers=_PAGE_HEADERS
    )
    response.etag = ETag(sha256(body).hexdigest()[:32])
    if status == 200 and _is_known(request, response.etag):
        response.set_status(304)
        response.body = None
    return response


def shown(name: str) -> Handler:
    """A handler that answers with one of the pages."""

    async def show(request: web.Request) -> web.Response:
        return page(request, name)

    return show


def sentence(detail: str) -> str:
    """What an error says, as pages say it."""
    return f"{detail[:1].upper()}{detail[1:]}."


def _filled(template: str, words: dict[str, str]) -> str:
    return _GAP.sub(lambda gap: words.get(gap[1], ""), template)


def _is_known(request: web.Request, etag: ETag) -> bool:
    known = request.if_none_match or ()
    return any(one.value in (etag.value, "*") for one in known)


async def contract(request: web.Request) -> web.FileResponse:
    """``GET /openapi.yaml``: the contract of the HTTP interface."""
    headers = _HEADERS | {"Content-Type": "application/yaml"}
    return web.FileResponse(HERE / "openapi.yaml", headers=headers)


async def asset(request: web.Request) -> web.FileResponse:
    """``GET /static/…``: scripts, styles and pictures."""
    name = request.match_info["path"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    return web.FileResponse(STATIC / name, headers=_HEADERS)
