"""``/v1/pulls``: have the server fetch a file, watch it, end it, try it again."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiohttp import web

from penstock.pulls import Pull, Pulls, Wish
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.events import Event, send_events, wants_events
from penstock.server.json_body import json_body
from penstock.server.listing import limit_of
from penstock.server.pulls.pull_json import pull_event, pull_json, pull_path
from penstock.server.services import services_of

_DEFAULT_LISTED = 100
_MOST_BODY = 1 << 17

_NO_STORE = {"Cache-Control": "no-store"}
# Events and JSON are told apart by Accept, so a cache must not take one for the other.
_EITHER = {"Vary": "Accept"}


async def begin_pull(request: web.Request) -> web.Response:
    """``POST /v1/pulls``: fetch a URL to a key, in the background."""
    wish = Wish.from_json(await json_body(request, _MOST_BODY, "what is to be pulled"))
    grant = grant_of(request)
    about(request, wish.key)
    grant.check_key(wish.key)
    pull = await _pulls(request).begin(wish, grant.prefix)
    return _answer(pull, 202, {"Location": pull_path(pull.id)})


async def list_pulls(request: web.Request) -> web.Response:
    """``GET /v1/pulls``: a page of them, the newest first."""
    limit = limit_of(request, _DEFAULT_LISTED)
    after, owner = request.query.get("after", ""), grant_of(request).owner
    found = await _pulls(request).page(after=after, limit=limit, owner=owner)
    document = {
        "pulls": [pull_json(pull) for pull in found],
        "next": found[-1].id if len(found) == limit else None,
    }
    return web.json_response(document, headers=_NO_STORE)


async def get_pull(request: web.Request) -> web.StreamResponse:
    """``GET /v1/pulls/{id}``: how it stands, or its events for who accepts those."""
    if wants_events(request):
        return await _send_events(request, _EITHER)
    return _answer(await _pulls(request).get(*_which(request)), 200, _EITHER)


async def pull_events(request: web.Request) -> web.StreamResponse:
    """``GET /v1/pulls/{id}/events``: how it stands, again whenever that changes."""
    return await _send_events(request, {})


async def cancel_pull(request: web.Request) -> web.Response:
    """``DELETE /v1/pulls/{id}``: end it, and remove what came."""
    pull = await _pulls(request).cancel(*_which(request))
    return _answer(pull, 200 if pull.has_ended else 202)


async def retry_pull(request: web.Request) -> web.Response:
    """``POST /v1/pulls/{id}/retry``: go on with one that failed or was cancelled."""
    return _answer(await _pulls(request).retry(*_which(request)), 202)


async def _send_events(request: web.Request, headers: Mapping[str, str]) -> web.StreamResponse:
    if request.method == "HEAD":
        await _pulls(request).get(*_which(request))
    return await send_events(request, _events(request), headers)


async def _events(request: web.Request) -> AsyncGenerator[Event, None]:
    async with aclosing(_pulls(request).watch(*_which(request))) as stands:
        async for pull in stands:
            yield pull_event(pull)


def _pulls(request: web.Request) -> Pulls:
    return services_of(request).pulls


def _which(request: web.Request) -> tuple[str, str | None]:
    """The id of a pull, and whose it must be."""
    return request.match_info["id"], grant_of(request).owner


def _answer(pull: Pull, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(
        pull_json(pull), status=status, headers={**_NO_STORE, **(headers or {})}
    )
