"""``/s/{link}``: what somebody sees who was sent a link."""

import json
import re
import shlex
from urllib.parse import parse_qs

from aiohttp import web

from penstock.access.shares import Share, folder_of
from penstock.errors import LoginNeeded, NotFound, PenstockError, UnsupportedMediaType
from penstock.server import pages
from penstock.server.receiving import small_body
from penstock.server.services import services_of
from penstock.server.shares.download import send_share, size_of
from penstock.server.shares.selecting import is_zip
from penstock.server.shares.share_json import path_of, url_of
from penstock.server.shares.visiting import (
    DOORS,
    check_password,
    knows_password,
    remember,
    share_of,
)
from penstock.server.shares.wish import UPLOAD
from penstock.server.shares.words import amount, day, number
from penstock.server.urls import time_json

_MOST_FORM = 1 << 14
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
# Without a referrer browsers do not say either that their form comes from this site.
_FORM_HEADERS = _HEADERS | {"Referrer-Policy": "same-origin"}
_HIDDEN = "hidden"
_LEADING = re.compile(r"\A[.\-\s]+")


async def show(request: web.Request) -> web.StreamResponse:
    """``GET /s/{link}``: a page on what can be fetched, or put."""
    try:
        share = await share_of(request)
        if not await knows_password(request, share):
            return _password_page(request, share)
        return await _page(request, share)
    except PenstockError as error:
        return _gone_page(request, error)


async def enter(request: web.Request) -> web.StreamResponse:
    """``POST /s/{link}``: the password, from the page's form; or as JSON, for a token."""
    wants_token = request.content_type == "application/json"
    try:
        share = await share_of(request)
        password = await _given(request)
        if share.password is not None and not await request.app[DOORS].try_password(
            request, share, password
        ):
            if wants_token:
                raise LoginNeeded("that is not the password of this link")
            return _password_page(request, share, "That is not the password.")
    except PenstockError as error:
        if wants_token:
            raise
        return _gone_page(request, error)
    if wants_token:
        token = await services_of(request).shares.bearer(share) if share.kind == UPLOAD else None
        return web.json_response({"token": token}, headers=_HEADERS)
    response = web.Response(
        status=303, headers=_HEADERS | {"Location": path_of(request.match_info["link"])}
    )
    if share.password is not None:
        await remember(request, response, share)
    return response


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /s/{link}/file``: the bytes, all of them or by range."""
    try:
        share = await share_of(request)
        if share.kind == UPLOAD:
            raise NotFound("this link is for putting files; none can be fetched by it")
        await check_password(request, share)
        return await send_share(request, share)
    except LoginNeeded:
        if not _is_browser(request):
            raise
        return web.Response(
            status=303, headers=_HEADERS | {"Location": path_of(request.match_info["link"])}
        )
    except PenstockError as error:
        if not _is_browser(request) or error.status not in (404, 410):
            raise
        return _gone_page(request, error)


async def get_info(request: web.Request) -> web.StreamResponse:
    """``GET /s/{link}/info``: what the page says, as JSON."""
    share = await share_of(request)
    await check_password(request, share)
    document: dict[str, object] = {
        "kind": share.kind,
        "title": share.title,
        "expires": time_json(share.expires),
        "most": share.most,
        "left": share.left,
    }
    if share.kind == UPLOAD:
        document |= {"prefix": folder_of(share), "most_bytes": share.most_bytes}
    else:
        size, files = await size_of(services_of(request), share)
        path = f"{path_of(request.match_info['link'])}/file"
        document |= {"name": share.title, "size": size, "files": files, "url": path}
    return web.json_response(document, headers=_HEADERS)


async def _given(request: web.Request) -> str:
    """The password that a form, or a JSON object, has."""
    is_json = request.content_type == "application/json"
    if not is_json and request.content_type != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("send the password as a form, or as application/json")
    body = await small_body(request, _MOST_FORM)
    if not is_json:
        fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True)
        return fields.get("password", [""])[0]
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    password = document.get("password") if isinstance(document, dict) else None
    return password if isinstance(password, str) else ""


async def _page(request: web.Request, share: Share) -> web.Response:
    if share.kind == UPLOAD:
        return await _upload_page(request, share)
    size, files = await size_of(services_of(request), share)
    url = f"{await url_of(request, share)}/file"
    texts = {
        "title": share.title,
        "size": "as large as its files" if size is None else amount(size),
        "files": number(files, "file"),
        "one_file": _HIDDEN if files == 1 and not is_zip(share) else "",
        "may_change": "" if is_zip(share) else _HIDDEN,
        "href": f"{path_of(request.match_info['link'])}/file",
        "command": _command(url, share),
        "none_left": "" if share.left == 0 else _HIDDEN,
        "some_left": _HIDDEN if share.left == 0 else "",
        **_ending(share),
    }
    return _answer(request, "share.html", 410 if share.left == 0 else 200, texts)


async def _upload_page(request: web.Request, share: Share) -> web.Response:
    texts = {
        "title": share.title,
        "prefix": folder_of(share),
        "token": await services_of(request).shares.bearer(share),
        "most_bytes": "" if share.most_bytes is None else str(share.most_bytes),
        "largest": "" if share.most_bytes is None else amount(share.most_bytes),
        "largest_hidden": _HIDDEN if share.most_bytes is None else "",
        "none_left": "" if share.left == 0 else _HIDDEN,
        "some_left": _HIDDEN if share.left == 0 else "",
        **_ending(share),
    }
    return _answer(request, "request.html", 200, texts)


def _ending(share: Share) -> dict[str, str]:
    """Until when, and how often."""
    what = "file" if share.kind == UPLOAD else "download"
    return {
        "expires": "" if share.expires is None else day(share.expires),
        "expires_time": time_json(share.expires) or "",
        "expires_hidden": _HIDDEN if share.expires is None else "",
        "left": "" if share.left is None else number(share.left, what),
        "left_hidden": _HIDDEN if share.left is None else "",
    }


def _command(url: str, share: Share) -> str:
    """What fetches it on a terminal, and goes on when it is called again."""
    login = "-u share " if share.password is not None else ""
    # Who made the link chose the title, but not where on a stranger's disk the file goes.
    name = _LEADING.sub("", share.title.replace("/", "_")) or "download"
    return f"curl -f {login}-C - -o {shlex.quote(name)} {shlex.quote(url)}"


def _password_page(request: web.Request, share: Share, problem: str = "") -> web.Response:
    texts = {
        "href": path_of(request.match_info["link"]),
        "problem": problem,
        "what": "Files are asked for here" if share.kind == UPLOAD else "Files are shared here",
    }
    return _answer(request, "share-password.html", 403 if problem else 200, texts, _FORM_HEADERS)


def _gone_page(request: web.Request, error: PenstockError) -> web.Response:
    """Of a link that leads nowhere, or not now."""
    headings = {404: "There is nothing here", 410: "This link has ended", 429: "Please wait"}
    texts = {
        "heading": headings.get(error.status, "This cannot be shown"),
        "detail": pages.sentence(error.detail),
    }
    response = _answer(request, "share-gone.html", error.status, texts)
    if (retry_after := error.extra.get("retry_after")) is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def _answer(
    request: web.Request,
    name: str,
    status: int,
    texts: dict[str, str],
    headers: dict[str, str] = _HEADERS,
) -> web.Response:
    response = pages.page(request, name, status, **texts)
    response.headers.update(headers)
    return response


def _is_browser(request: web.Request) -> bool:
    return "text/html" in request.headers.get("Accept", "")
