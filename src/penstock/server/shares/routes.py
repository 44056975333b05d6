"""``/v1/shares``: make links, list them, end them."""

import re

from aiohttp import web

from penstock.access import Grant, Scope
from penstock.archives import Selection
from penstock.errors import BadRequest, Forbidden
from penstock.server.access.auditing import audit
from penstock.server.access.granted import grant_of
from penstock.server.json_body import json_body
from penstock.server.listing import limit_of
from penstock.server.services import services_of
from penstock.server.shares.selecting import is_file
from penstock.server.shares.share_json import share_json
from penstock.server.shares.wish import UPLOAD, Wish

_DEFAULT_LISTED = 100
_MOST_BODY = 1 << 20
_AFTER = re.compile(r"(\d{1,12}\.\d{1,9})~([a-z0-9]{16})", re.ASCII)
_NO_STORE = {"Cache-Control": "no-store"}


async def make_share(request: web.Request) -> web.Response:
    """``POST /v1/shares``: a link to fetch files by, or to put some."""
    services, grant = services_of(request), grant_of(request)
    body = await json_body(request, _MOST_BODY, "what is to be shared")
    wish = Wish.from_json(body, services.settings.share_expiry)
    _check(grant, wish)
    title = wish.title or f"Files for {_name(wish.prefix) or 'us'}"
    if wish.selection is not None:
        title = await _title_of(request, wish.selection)
    share = await services.shares.add(
        grant,
        wish.kind,
        title,
        wish.spec,
        expires_in=wish.expires_in,
        most=wish.most,
        most_bytes=wish.most_bytes,
        password=wish.password,
    )
    await audit(request, "share.add", f"{share.id} {title}", status=201)
    return web.json_response(await share_json(request, share), status=201, headers=_NO_STORE)


async def list_shares(request: web.Request) -> web.Response:
    """``GET /v1/shares``: a page of those that have not ended, the newest first."""
    limit = limit_of(request, _DEFAULT_LISTED)
    after = _after(request.query.get("after", ""))
    found = await services_of(request).shares.page(grant_of(request), after, limit)
    more = len(found) == limit
    document = {
        "shares": [await share_json(request, share) for share in found],
        "next": f"{found[-1].created:.9f}~{found[-1].id}" if more else None,
    }
    return web.json_response(document, headers=_NO_STORE)


async def remove_share(request: web.Request) -> web.Response:
    """``DELETE /v1/shares/{id}``: from now on its link leads nowhere."""
    identity = request.match_info["id"]
    await services_of(request).shares.remove(grant_of(request), identity)
    await audit(request, "share.remove", identity, status=204)
    return web.Response(status=204)


def _check(grant: Grant, wish: Wish) -> None:
    """Nobody shares what is not his.

    :raises Forbidden: the grant is not good for it.
    """
    if grant.creates_only:
        raise Forbidden("who puts files by a link makes none")
    grant.check_scope(Scope.WRITE if wish.kind == UPLOAD else Scope.READ)
    if wish.selection is None:
        grant.check_key(wish.prefix)
        return
    for key in (*wish.selection.keys, *wish.selection.prefixes):
        grant.check_key(key)


async def _title_of(request: web.Request, selection: Selection) -> str:
    """The name of what is shared, which is there.

    :raises NotFound: it is not.
    """
    services = services_of(request)
    if is_file(selection):
        await services.store.stat(selection.keys[0])
        return selection.name or _name(selection.keys[0])
    planned = services.kept_plans.same(await services.planner.plan(selection))
    return planned.selection.file_name


def _name(key: str) -> str:
    return key.rstrip("/").rpartition("/")[2]


def _after(text: str) -> tuple[float, str] | None:
    """What :func:`list_shares` told as ``next``.

    :raises BadRequest: it did not.
    """
    if not text:
        return None
    match = _AFTER.fullmatch(text)
    if match is None:
        raise BadRequest('"after" is the "next" of an earlier page')
    return float(match[1]), match[2]
