"""``/v1/archives``: have a folder archived in the store, watch it, end it, try it again."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiohttp import web

from penstock.archives.in_store import Archive, Archives, Wish
from penstock.server.access.granted import grant_of
from penstock.server.access.within import wish_within
from penstock.server.archives.archive_json import (
    archive_event,
    archive_json,
    archive_path,
    estimate_json,
)
from penstock.server.events import Event, send_events, wants_events
from penstock.server.json_body import json_body
from penstock.server.listing import limit_of
from penstock.server.services import services_of

_DEFAULT_LISTED = 100
_MOST_BODY = 1 << 16

_NO_STORE = {"Cache-Control": "no-store"}
# Events and JSON are told apart by Accept, so a cache must not take one for the other.
_EITHER = {"Vary": "Accept"}


async def begin_archive(request: web.Request) -> web.Response:
    """``POST /v1/archives``: archive a folder, in the background."""
    wish, owner = await _wish(request), grant_of(request).prefix
    archive, _ = await _archives(request).begin(wish, owner)
    location = {"Location": archive_path(archive.id)}
    return await _answer(request, archive, 200 if archive.has_ended else 202, location)


async def plan_archive(request: web.Request) -> web.Response:
    """``POST /v1/archives/plan``: what that would take; nothing is begun."""
    estimate = await _archives(request).estimate(await _wish(request))
    return web.json_response(estimate_json(estimate), headers=_NO_STORE)


async def list_archives(request: web.Request) -> web.Response:
    """``GET /v1/archives``: a page of them, the newest first."""
    archives, limit = _archives(request), limit_of(request, _DEFAULT_LISTED)
    after, owner = request.query.get("after", ""), grant_of(request).owner
    found = await archives.page(after=after, limit=limit, owner=owner)
    document = {
        "archives": [await archive_json(archives, archive) for archive in found],
        "next": found[-1].id if len(found) == limit else None,
    }
    return web.json_response(document, headers=_NO_STORE)


async def get_archive(request: web.Request) -> web.StreamResponse:
    """``GET /v1/archives/{id}``: how it stands, or its events for who accepts those."""
    if wants_events(request):
        return await _send_events(request, _EITHER)
    return await _answer(request, await _archives(request).get(*_which(request)), 200, _EITHER)


async def archive_events(request: web.Request) -> web.StreamResponse:
    """``GET /v1/archives/{id}/events``: how it stands, again whenever that changes."""
    return await _send_events(request, {})


async def cancel_archive(request: web.Request) -> web.Response:
    """``DELETE /v1/archives/{id}``: end it, and remove what came."""
    archive = await _archives(request).cancel(*_which(request))
    return await _answer(request, archive, 200 if archive.has_ended else 202)


async def retry_archive(request: web.Request) -> web.Response:
    """``POST /v1/archives/{id}/retry``: go on with one that failed or was cancelled."""
    return await _answer(request, await _archives(request).retry(*_which(request)), 202)


async def _wish(request: web.Request) -> Wish:
    body = await json_body(request, _MOST_BODY, "what is to be archived")
    folder = grant_of(request).prefix
    return wish_within(request, Wish.from_json(body, _archives(request).options, within=folder))


async def _send_events(request: web.Request, headers: Mapping[str, str]) -> web.StreamResponse:
    if request.method == "HEAD":
        await _archives(request).get(*_which(request))
    return await send_events(request, _events(request), headers)


async def _events(request: web.Request) -> AsyncGenerator[Event, None]:
    archives = _archives(request)
    async with aclosing(archives.watch(*_which(request))) as stands:
        async for archive in stands:
            yield await archive_event(archives, archive)


def _archives(request: web.Request) -> Archives:
    return services_of(request).archives


def _which(request: web.Request) -> tuple[str, str | None]:
    """The id of an archive, and whose it must be."""
    return request.match_info["id"], grant_of(request).owner


async def _answer(
    request: web.Request, archive: Archive, status: int, headers: Mapping[str, str] | None = None
) -> web.Response:
    document = await archive_json(_archives(request), archive)
    return web.json_response(document, status=status, headers={**_NO_STORE, **(headers or {})})
