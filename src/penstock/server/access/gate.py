"""The gate: finds out who asks, and lets pass what that is good for."""

from aiohttp import web
from aiohttp.typedefs import Handler

from penstock.access import ANYONE, Access, Grant
from penstock.access.sessions import operator_grant
from penstock.access.shares import BEARER as SHARE
from penstock.errors import Forbidden, LoginNeeded, ServerUnavailable, TooManyAttempts
from penstock.server import pages
from penstock.server.access.auditing import audit_end, audit_refusal
from penstock.server.access.credentials import (
    CHALLENGE,
    basic_of,
    bearer_of,
    not_known,
    session_of,
)
from penstock.server.access.granted import GRANT
from penstock.server.access.limits import limit
from penstock.server.access.needs import Needs, needs_of
from penstock.server.access.operator import OPERATOR
from penstock.server.context import CLOSING
from penstock.server.services import services_of

_SOON_READ = 64 << 10
"""Bytes of a refused body that may still come; before more of them the connection is closed."""


@web.middleware
async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note on the request what it may do, or refuse it.

    Where access is off everybody may do everything, but who comes with the link of a share, which
    is for nothing else. Routes that are open are not told who asks.
    """
    access = services_of(request).access
    if not access.is_on and not _brings_share(request):
        request[GRANT] = ANYONE
        return await handler(request)
    needs = needs_of(request)
    if needs.is_open:
        return await handler(request)
    try:
        grant = await asker(request, access)
        if grant is None:
            raise LoginNeeded("log in, or send a token", headers=CHALLENGE)
    except LoginNeeded as error:
        return _refused(request, needs, error)
    request[GRANT] = grant
    limit(request, grant)
    try:
        needs.check(grant)
    except Forbidden as error:
        audit_refusal(request, "access.denied", error.status)
        return _refused(request, needs, error)
    return await _noted(request, handler)


async def is_still_good(request: web.Request) -> bool:
    """Whether what let ``request`` in would let it in now: asked by answers that go on for hours,
    before they tell more. No if that cannot be told now: who comes back is told why."""
    access = services_of(request).access
    if request.get(GRANT, ANYONE) is ANYONE:
        return True
    try:
        return await asker(request, access) is not None
    except (LoginNeeded, TooManyAttempts, ServerUnavailable):
        return False


def _brings_share(request: web.Request) -> bool:
    token = bearer_of(request.headers.get("Authorization", ""))
    return token is not None and token.startswith(SHARE)


async def _noted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have it handled, and what came of it written to the audit log."""
    response = None
    try:
        response = await handler(request)
    except BaseException as error:
        audit_end(request, None, error)
        raise
    audit_end(request, response, None)
    return response


async def asker(request: web.Request, access: Access) -> Grant | None:
    """What who asks may do; ``None`` if the request does not say who that is, or if its login is
    over.

    :raises LoginNeeded: it has a token or a password, and that is wrong.
    :raises TooManyAttempts: too many wrong passwords came from its address.
    """
    field = request.headers.get("Authorization")
    if field is None:
        text = session_of(request)
        return await _logged_in(request, access, text) if text else None
    grant = await _authorised(request, access, field)
    if grant is None:
        audit_refusal(request, "login.failed", LoginNeeded.status)
        raise not_known()
    return grant


async def _logged_in(request: web.Request, access: Access, text: str) -> Grant | None:
    operator = request.app[OPERATOR]
    return await access.session_of(text, operator.mark, operator.user)


async def _authorised(request: web.Request, access: Access, field: str) -> Grant | None:
    token = bearer_of(field)
    if token is not None:
        return await access.grant_of(token)
    basic = basic_of(field)
    if basic is None:
        return None
    # Tokens are not slowed: nobody guesses one, and all who are behind one proxy have its address.
    if access.is_token(basic.password):
        return await access.grant_of(basic.password)
    operator = request.app[OPERATOR]
    is_right = await operator.knows(basic.whole, request.remote or "")
    return operator_grant(operator.user) if is_right else None


def _refused(
    request: web.Request, needs: Needs, error: LoginNeeded | Forbidden
) -> web.StreamResponse:
    """A page is answered by the login, anything else by a problem."""
    if _sends_much(request):
        request[CLOSING] = True
    if not needs.is_page:
        raise error
    shown = "Authorization" in request.headers or isinstance(error, Forbidden)
    response = pages.page(
        request,
        "login.html",
        error.status,
        problem=pages.sentence(error.detail) if shown else "",
        next=request.rel_url.raw_path_qs,
    )
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, LoginNeeded):
        response.headers.update(CHALLENGE)
    return response


def _sends_much(request: web.Request) -> bool:
    """Whether a body is under way, or held back, that nobody will read."""
    if not request.can_read_body:
        return False
    length = request.content_length
    return "Expect" in request.headers or length is None or length > _SOON_READ
