"""``/v1/zip`` and ``/v1/zips``: many files as one ZIP, made while it is sent."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from aiohttp import web

from penstock.archives import PlannedZip, Selection, UrlMember
from penstock.archives.selection import Compress, OnError
from penstock.downloads import Representation, etag_field
from penstock.errors import NotFound, SourceChanged
from penstock.server.access.within import selection_within
from penstock.server.json_body import json_body
from penstock.server.receiving import MOST_SMALL
from penstock.server.sending import Admit, answer, answer_chunked
from penstock.server.services import Services, services_of
from penstock.server.serving import serving_of
from penstock.server.urls import content_disposition, rfc3339
from penstock.server.zip_sending import STATUS, send_zip_span, send_zip_stream
from penstock.threads import in_thread
from penstock.zipstream.deflate import Engine

_MOST_RENAMES_SHOWN = 1000
_TYPE = "application/zip"
_NOTHING: Mapping[str, str] = MappingProxyType({})


async def get_zip(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/zip?prefix=…&key=…&url=…&name=…``."""
    query = request.query
    selection = Selection.make(
        query.getall("key", []),
        query.getall("prefix", []),
        query.get("name"),
        urls=map(UrlMember, query.getall("url", [])),
        compress=query.get("compress", Compress.STORE),
        level=query.get("level", Engine.FAST),
        on_error=query.get("on_error", OnError.ABORT),
    )
    return await _answer_zip(request, selection_within(request, selection))


async def post_zip(request: web.Request) -> web.StreamResponse:
    """``POST /v1/zip``: as the GET, with the selection as JSON."""
    return await _answer_zip(request, await _selection_of(request))


async def make_zip_link(request: web.Request) -> web.Response:
    """``POST /v1/zips``: keep a selection under a URL that browsers can resume."""
    services = services_of(request)
    selection = await _selection_of(request)
    planned = services.kept_plans.same(await services.planner.plan(selection))
    plan = planned.plan
    crc32 = await in_thread(lambda: plan.crc32)
    identity, expires = await in_thread(
        services.selections.add, selection.to_json(), services.settings.zip_expiry
    )
    url = f"/v1/zips/{identity}"
    document = {
        "id": identity,
        "url": url,
        "name": selection.file_name,
        "layout": plan.layout,
        "size": plan.size,
        "etag": etag_field(plan.etag) if plan.etag and planned.pinned else None,
        "crc32": None if crc32 is None else f"{crc32:08x}",
        "entries": planned.members,
        "renamed": [
            {"from": rename.wanted, "to": rename.given}
            for rename in plan.renames[:_MOST_RENAMES_SHOWN]
        ],
        "expires": rfc3339(expires),
    }
    return web.json_response(document, status=201, headers={"Location": url})


async def get_kept_zip(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/zips/{id}``."""
    selections = services_of(request).selections
    spec = await in_thread(selections.get, request.match_info["id"])
    selection = selection_within(request, Selection.from_json(spec))
    return await _answer_zip(request, selection)


async def _selection_of(request: web.Request) -> Selection:
    selection = Selection.from_json(await json_body(request, MOST_SMALL, "the selection"))
    return selection_within(request, selection)


async def _answer_zip(request: web.Request, selection: Selection) -> web.StreamResponse:
    services = services_of(request)
    disposition = content_disposition("attachment", selection.file_name)
    with services.traffic:
        return await send_zip(request, await plan_zip(services, selection), disposition)


async def plan_zip(services: Services, selection: Selection) -> PlannedZip:
    """The ZIP of a selection as it is now; raises as :meth:`Planner.plan` does."""
    planned = services.kept_plans.fresh(selection)
    if planned is None:
        planned = services.kept_plans.same(await services.planner.plan(selection))
    return planned


async def send_zip(
    request: web.Request,
    planned: PlannedZip,
    disposition: str,
    more: Mapping[str, str] = _NOTHING,
    admit: Admit | None = None,
) -> web.StreamResponse:
    """Answer a request for a planned ZIP; ``more`` are further headers, ``admit`` is asked before
    anything is sent."""
    services = services_of(request)
    watch = serving_of(request).watch
    if watch is not None and request.method != "HEAD":
        watch.zip_begun(planned.plan.layout, planned.members)
    headers = {
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
        "X-Zip-Layout": planned.plan.layout,
        **more,
    }
    try:
        if not planned.exact:
            send_all = partial(send_zip_stream, services.sources, planned)
            headers["Content-Type"] = _TYPE
            return await answer_chunked(request, headers, STATUS, send_all, admit)
        return await _send_exact(request, services, planned, headers, admit)
    except (SourceChanged, NotFound):
        services.kept_plans.forget(planned)
        raise


async def _send_exact(
    request: web.Request,
    services: Services,
    planned: PlannedZip,
    headers: dict[str, str],
    admit: Admit | None,
) -> web.StreamResponse:
    plan = planned.plan
    assert plan.size is not None
    etag = plan.etag if planned.pinned else None
    # No Last-Modified: the time of no member says whether the ZIP changed. The ETag does.
    what = Representation(plan.size, etag, None, _TYPE, starts_at=planned.learned.covers)
    send_span = partial(send_zip_span, services.sources, planned)
    return await answer(request, what, headers, send_span, admit)
