"""``/v1/zip`` and ``/v1/zips``: many stored files as one ZIP, made while it is sent."""

from functools import partial

from aiohttp import web

from penstock.archives import PlannedZip, Selection, plan_selection
from penstock.downloads import Representation, etag_field
from penstock.errors import UnsupportedMediaType
from penstock.server.receiving import small_body
from penstock.server.sending import answer
from penstock.server.services import services_of
from penstock.server.urls import content_disposition, rfc3339
from penstock.server.zip_sending import send_zip_span
from penstock.threads import in_thread

_MOST_JSON = 16 << 20
_MOST_RENAMES_SHOWN = 1000


async def get_zip(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/zip?prefix=…&key=…&name=…``."""
    query = request.query
    selection = Selection.make(
        query.getall("key", []), query.getall("prefix", []), query.get("name")
    )
    return await _answer_zip(request, selection)


async def post_zip(request: web.Request) -> web.StreamResponse:
    """``POST /v1/zip``: as the GET, with the selection as JSON."""
    return await _answer_zip(request, await _selection_of(request))


async def make_zip_link(request: web.Request) -> web.Response:
    """``POST /v1/zips``: keep a selection under a URL that browsers can resume."""
    services = services_of(request)
    selection = await _selection_of(request)
    planned = await _plan(request, selection)
    crc32 = await in_thread(lambda: planned.plan.crc32)
    identity, expires = await in_thread(
        services.selections.add, selection.to_json(), services.settings.zip_expiry
    )
    url = f"/v1/zips/{identity}"
    document = {
        "id": identity,
        "url": url,
        "name": planned.file_name,
        "size": planned.plan.size,
        "etag": etag_field(planned.plan.etag),
        "crc32": f"{crc32:08x}",
        "entries": len(planned.plan),
        "renamed": [
            {"from": rename.wanted, "to": rename.given}
            for rename in planned.plan.renames[:_MOST_RENAMES_SHOWN]
        ],
        "expires": rfc3339(expires),
    }
    return web.json_response(document, status=201, headers={"Location": url})


async def get_kept_zip(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/zips/{id}``."""
    selections = services_of(request).selections
    spec = await in_thread(selections.get, request.match_info["id"])
    return await _answer_zip(request, Selection.from_json(spec))


async def _selection_of(request: web.Request) -> Selection:
    if request.content_type != "application/json":
        raise UnsupportedMediaType("send the selection as application/json")
    return Selection.from_json(await small_body(request, _MOST_JSON))


async def _plan(request: web.Request, selection: Selection) -> PlannedZip:
    services = services_of(request)
    return await plan_selection(services.store, selection, most=services.settings.max_zip_entries)


async def _answer_zip(request: web.Request, selection: Selection) -> web.StreamResponse:
    services = services_of(request)
    with services.traffic:
        planned = await _plan(request, selection)
        # No Last-Modified: the time of no member says whether the ZIP changed. The ETag does.
        what = Representation(planned.plan.size, planned.plan.etag, None, "application/zip")
        headers = {
            "Content-Disposition": content_disposition("attachment", planned.file_name),
            "X-Content-Type-Options": "nosniff",
        }
        return await answer(request, what, headers, partial(send_zip_span, services.store, planned))
