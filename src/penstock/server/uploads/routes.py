"""``/v1/uploads``: uploads that can be resumed, by tus 1.0 or by the IETF draft."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from penstock.errors import BadRequest, MethodNotAllowed
from penstock.server.access.actions import METHOD
from penstock.server.access.granted import grant_of
from penstock.server.access.needs import needs_of
from penstock.server.draft import routes as draft
from penstock.server.receiving import check_origin
from penstock.server.services import services_of
from penstock.server.tus import fields as tus_fields
from penstock.server.tus import routes as tus
from penstock.server.uploads.intake import check_upload
from penstock.server.uploads.upload_json import upload_json
from penstock.server.urls import UPLOADS
from penstock.stores.keys import check_key

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def at_uploads(request: web.Request) -> web.StreamResponse:
    """``/v1/uploads``: begin an upload, list those of a key, ask what can be done here."""
    return await _by_method(
        request, {"OPTIONS": _options, "POST": _create, "GET": _list, "HEAD": _list}
    )


async def at_upload(request: web.Request) -> web.StreamResponse:
    """``/v1/uploads/{id}``: go on with an upload, by either protocol, whatever began it."""
    await check_upload(request, request.match_info["id"])
    return await _by_method(request, _TUS if _is_tus(request) else _DRAFT)


async def mark(request: web.Request, response: web.StreamResponse) -> None:
    """Every answer to a tus request says so, errors of the router too (tus 1.0, Tus-Resumable)."""
    if _is_tus(request) and request.path.startswith(UPLOADS):
        response.headers.setdefault("Tus-Resumable", tus_fields.VERSION)


def _is_tus(request: web.Request) -> bool:
    return "Tus-Resumable" in request.headers


async def _by_method(request: web.Request, handlers: Mapping[str, Handle]) -> web.StreamResponse:
    """Let the handler of the method answer; ``X-HTTP-Method-Override`` is the method if sent.

    :raises MethodNotAllowed: there is none.
    """
    method = request.headers.get("X-HTTP-Method-Override", request.method).strip().upper()
    handle = handlers.get(method)
    if handle is None:
        allowed = ", ".join(handlers)
        raise MethodNotAllowed(f"the methods here are {allowed}", headers={"Allow": allowed})
    if method != request.method:
        check_origin(request.clone(method=method))
        needs_of(request, method).check(grant_of(request))
        request[METHOD] = method
    return await handle(request)


async def _options(request: web.Request) -> web.StreamResponse:
    response = await draft.options(request)
    limits = services_of(request).uploads.limits
    response.headers.update(tus_fields.offer(limits.max_size))
    return response


async def _create(request: web.Request) -> web.StreamResponse:
    if _is_tus(request):
        return await tus.create(request)
    if "Upload-Complete" in request.headers or "Upload-Incomplete" in request.headers:
        return await draft.create(request)
    raise BadRequest(
        f"say which protocol you speak: Tus-Resumable: {tus_fields.VERSION} for tus, "
        "or Upload-Complete for the IETF draft of resumable uploads"
    )


async def _list(request: web.Request) -> web.StreamResponse:
    key = grant_of(request).check_key(check_key(request.query.get("key", "")))
    found = await services_of(request).uploads.open_for(key)
    response = web.json_response({"uploads": [upload_json(upload) for upload in found]})
    response.headers["Cache-Control"] = "no-store"
    return response


_TUS: Mapping[str, Handle] = {
    "OPTIONS": _options,
    "HEAD": tus.status,
    "GET": tus.status,
    "PATCH": tus.append,
    "DELETE": tus.terminate,
}
_DRAFT: Mapping[str, Handle] = {
    "OPTIONS": _options,
    "HEAD": draft.status,
    "GET": draft.status,
    "PATCH": draft.append,
    "DELETE": draft.cancel,
}
