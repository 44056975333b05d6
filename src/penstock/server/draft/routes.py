"""Resumable uploads as the IETF has them (draft-ietf-httpbis-resumable-upload-12).

The routes of uploads are in :mod:`penstock.server.uploads.routes`; here is what they do for
clients that do not speak tus.
"""

from aiohttp import web

from penstock.errors import BadRequest
from penstock.octets.digests import wants_sha256
from penstock.server.draft.answers import (
    acknowledge,
    finish,
    holding,
    limit_fields,
    name_upload,
    refusing,
    settle,
    status_answer,
    tell,
)
from penstock.server.draft.fields import draft_of
from penstock.server.draft.interim import Interim
from penstock.server.draft.rules import (
    asked_append,
    check_kind,
    check_length,
    check_no_state,
    check_offset,
    check_repeated,
    named_key,
    of_content,
    wish_of,
)
from penstock.server.receiving import check_body
from penstock.server.services import services_of
from penstock.server.uploads.intake import begin, take_in
from penstock.server.uploads.intake import cancel as end_upload
from penstock.server.urls import upload_path


async def create(request: web.Request) -> web.Response:
    """``POST /v1/uploads``: begin an upload of the file that ``Content-Disposition`` names."""
    with refusing(request, draft_of(request.headers)):
        key = named_key(request)
    return await create_at(request, key)


async def create_at(request: web.Request, key: str) -> web.Response:
    """Begin an upload of the file at ``key`` (Upload Creation); end it if all of it is here."""
    draft = draft_of(request.headers)
    complete = draft.complete(request.headers)
    if complete is None:
        raise BadRequest("say with Upload-Complete whether this is all of the file: ?1 or ?0")
    services = services_of(request)
    with refusing(request, draft), services.traffic:
        announced = check_body(request)
        wish = wish_of(request, key, announced, complete=complete)
        session = await begin(request, wish)
        interim = Interim(request, draft)
        async with holding(request, session, draft):
            limits = limit_fields(request, draft, session.upload)
            await interim.created(upload_path(session.upload.id), limits)
            ours = of_content(announced, complete=complete)
            await take_in(request, session, announced=ours, interim=interim)
            if complete:
                response = await finish(session, draft)
            else:
                sha256 = await settle(request, session)
    if not complete:
        response = acknowledge(request, draft, session.upload, 201, sha256)
    if draft.names_upload or not complete:
        name_upload(response, session.upload)
    return response


async def status(request: web.Request) -> web.Response:
    """``HEAD`` or ``GET /v1/uploads/{id}`` (Offset Retrieval); ends a request that still sends."""
    draft = draft_of(request.headers)
    check_no_state(request, draft)
    uploads = services_of(request).uploads
    upload = await uploads.look(request.match_info["id"])
    tell(request, draft.completeness(upload.ended))
    stored = upload.result()  # an upload that failed tells why, it never looks like success
    offset, sha256 = upload.offset, None if stored is None else stored.sha256
    if wants_sha256(request.headers.get("Want-Repr-Digest", "")) and not upload.ended:
        offset, sha256 = await uploads.digest(upload.id)
    return status_answer(request, draft, upload, offset, sha256)


async def append(request: web.Request) -> web.Response:
    """``PATCH /v1/uploads/{id}`` (Upload Append)."""
    draft = draft_of(request.headers)
    services = services_of(request)
    with refusing(request, draft), services.traffic:
        offset, complete = asked_append(request, draft)
        announced = check_body(request)
        session = await services.uploads.take(request.match_info["id"])
        async with holding(request, session, draft):
            session.upload.result()  # an upload that failed tells why
            check_offset(session, draft, offset)
            if session.ended:
                await check_repeated(request, draft, complete=complete)
                return await finish(session, draft)
            check_kind(session.upload)
            await check_length(request, session, complete=complete)
            interim = Interim(request, draft)
            await take_in(request, session, announced=announced, interim=interim)
            if complete:
                return await finish(session, draft)
            sha256 = await settle(request, session)
    return acknowledge(request, draft, session.upload, draft.appended, sha256)


async def cancel(request: web.Request) -> web.Response:
    """``DELETE /v1/uploads/{id}`` (Upload Cancellation)."""
    check_no_state(request, draft_of(request.headers))
    await end_upload(request, request.match_info["id"])
    return web.Response(status=204)


async def options(request: web.Request) -> web.Response:
    """``OPTIONS`` of what an upload can be begun at, or of an upload: methods and limits."""
    here = request.match_info.route.resource
    methods = {
        route.method
        for route in request.app.router.routes()
        if here is not None
        and route.resource is not None
        and route.resource.canonical == here.canonical
    }
    headers = limit_fields(request, draft_of(request.headers))
    return web.Response(status=204, headers={"Allow": ", ".join(sorted(methods)), **headers})
