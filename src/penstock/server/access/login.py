"""Logging in and out, on pages and for them."""

import time
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from penstock.access import Access, Grant, Scope
from penstock.access.sessions import operator_grant
from penstock.errors import BadRequest, LoginNeeded, TooManyAttempts, UnsupportedMediaType
from penstock.server import pages
from penstock.server.access.auditing import audit, audit_refusal
from penstock.server.access.credentials import CHALLENGE, COOKIE, not_known, session_of
from penstock.server.access.granted import grant_of
from penstock.server.access.operator import OPERATOR
from penstock.server.public import is_secure
from penstock.server.receiving import small_body
from penstock.server.services import services_of
from penstock.server.urls import time_json

_MOST_BODY = 16 << 10
_FORM = "application/x-www-form-urlencoded"
_NO_STORE = {"Cache-Control": "no-store"}
_HOME = "/"
_CONTROLS = frozenset(map(chr, range(0x20))) | {"\x7f"}


async def show_login(request: web.Request) -> web.StreamResponse:
    """``GET /login``: the page to log in on; to where ``next`` says, if there is nothing to log in
    to."""
    onward = _checked(request.query.get("next", _HOME))
    if not services_of(request).access.is_on:
        return _see(onward)
    return _page(request, 200, "", onward)


async def log_in(request: web.Request) -> web.StreamResponse:
    """``POST /login``: the form of that page. A browser that is logged in goes on as ``next``
    says, with a cookie that nobody had before.

    :raises BadRequest: it is no such form.
    """
    form = await _form(request)
    onward = _checked(form.get("next") or _HOME)
    access = services_of(request).access
    if not access.is_on:
        return _see(onward)
    try:
        text, expires, grant = await _begun(request, access, form.get("secret", ""))
    except (LoginNeeded, TooManyAttempts) as error:
        audit_refusal(request, "login.failed", error.status)
        return _again(request, error, onward)
    if old := session_of(request):
        await _end(request, access, old)
    await audit(request, "login", "", status=303, grant=grant)
    response = _see(onward)
    _set_cookie(request, response, text, expires)
    return response


async def log_out(request: web.Request) -> web.StreamResponse:
    """``POST /logout``: from then on the cookie is good for nothing, whoever has it."""
    access = services_of(request).access
    response = _see("/login")
    text = session_of(request)
    if access.is_on and text:
        operator = request.app[OPERATOR]
        grant = await access.session_of(text, operator.mark, operator.user)
        await _end(request, access, text)
        if grant is not None:
            await audit(request, "logout", "", status=303, grant=grant)
    response.del_cookie(COOKIE, path="/")
    return response


async def show_session(request: web.Request) -> web.Response:
    """``GET /v1/session``: who asks, and what that may do."""
    grant = grant_of(request)
    document = {
        "access": services_of(request).access.is_on,
        "actor": grant.actor,
        "name": grant.name,
        "scopes": [scope for scope in Scope if scope in grant.scopes],
        "prefix": grant.prefix,
        "expires": time_json(grant.expires),
    }
    return web.json_response(document, headers=_NO_STORE)


async def _begun(request: web.Request, access: Access, secret: str) -> tuple[str, float, Grant]:
    """The new login's cookie, when it ends, and what it is good for."""
    pasted = secret.strip()
    if access.is_token(pasted):
        token = await access.tokens.find(pasted)
        if token is None:
            raise not_known()
        return *await access.sessions.begin(token), token.grant
    operator = request.app[OPERATOR]
    if not secret or not await operator.knows(f"{operator.user}:{secret}", request.remote or ""):
        raise not_known()
    begun = await access.sessions.begin_operator(operator.mark)
    return *begun, operator_grant(operator.user)


async def _end(request: web.Request, access: Access, text: str) -> None:
    await access.log_out(text, request.app[OPERATOR].mark)


def _again(
    request: web.Request, error: LoginNeeded | TooManyAttempts, onward: str
) -> web.StreamResponse:
    """A browser is shown the form again; others are told what is wrong."""
    if "text/html" not in request.headers.get("Accept", ""):
        raise error
    return _page(request, error.status, pages.sentence(error.detail), onward)


def _page(request: web.Request, status: int, problem: str, onward: str) -> web.StreamResponse:
    response = pages.page(request, "login.html", status, problem=problem, next=onward)
    response.headers.update(_NO_STORE)
    if status == LoginNeeded.status:
        response.headers.update(CHALLENGE)
    return response


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != _FORM:
        raise UnsupportedMediaType(f"send the form as {_FORM}")
    body = await small_body(request, _MOST_BODY)
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=8)
    except ValueError:
        raise BadRequest("the form cannot be read; send the fields secret and next") from None
    return dict(fields)


def _checked(onward: str) -> str:
    """A place on this server, whatever was sent: else anybody could make a link to our login that
    leads to a page of theirs.

    Browsers take a backslash for a slash, drop tabs and line ends, and go to another host after
    two slashes (WHATWG URL §4.4).
    """
    path = onward.partition("?")[0]
    is_ours = (
        onward.startswith("/")
        and not onward.startswith("//")
        and "\\" not in onward
        and _CONTROLS.isdisjoint(onward)
        and path not in ("/login", "/logout")
    )
    if not is_ours:
        return _HOME
    try:
        parts = urlsplit(onward)
        onward.encode()
    except ValueError:
        return _HOME
    return onward if not parts.scheme and not parts.netloc else _HOME


def _see(onward: str) -> web.Response:
    """RFC 9110 §15.4.4: the browser gets what it wanted next."""
    return web.Response(status=303, headers=_NO_STORE | {"Location": onward})


def _set_cookie(
    request: web.Request, response: web.StreamResponse, text: str, expires: float
) -> None:
    """No script sees it, and no other site's page can have it sent (RFC 6265bis §5.6)."""
    response.set_cookie(
        COOKIE,
        text,
        max_age=max(1, int(expires - time.time())),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="Strict",
    )
