"""tus 1.0: uploads that are resumed at the offset a ``HEAD`` tells.

The routes are in :mod:`penstock.server.uploads.routes`; here is what they do for clients that send
``Tus-Resumable``. https://tus.io/protocols/resumable-upload
"""

from aiohttp import web

from penstock.errors import BadRequest, Busy, Superseded
from penstock.octets.digests import digest_field, wants_sha256
from penstock.server.access.granted import grant_of
from penstock.server.access.within import condition_of
from penstock.server.services import services_of
from penstock.server.tus import fields as tus_fields
from penstock.server.tus.answers import file_fields, is_whole, progress_fields, status_fields
from penstock.server.tus.appending import (
    check_octets,
    check_place,
    checksum_of,
    finish_if_whole,
    receive,
)
from penstock.server.tus.creation import parse_creation
from penstock.server.uploads.intake import begin, body_length, cancel, held
from penstock.server.uploads.upload_json import upload_json
from penstock.server.urls import upload_path
from penstock.stores.interface import FileInfo
from penstock.uploads import Kind, Upload


async def create(request: web.Request) -> web.Response:
    """``POST /v1/uploads``: begin an upload, perhaps with its first bytes."""
    fields = request.headers
    tus_fields.check_version(fields)
    wish = parse_creation(
        fields, request.rel_url.raw_path, condition_of(request), grant_of(request).prefix
    )
    checksum = checksum_of(request)
    has_body = body_length(request) != 0
    if has_body and wish.kind is Kind.FINAL:
        raise BadRequest("a final upload has the bytes of its parts; send none")
    if has_body:
        check_octets(request, 0, wish.length)
    with services_of(request).traffic:
        session = await begin(request, wish)
        async with held(request, session):
            if has_body:
                await receive(request, session, checksum)
            file = await finish_if_whole(session)
    headers = {"Location": upload_path(session.upload.id)}
    headers |= _told(session.upload, file)
    return web.json_response(upload_json(session.upload), status=201, headers=headers)


async def status(request: web.Request) -> web.Response:
    """``HEAD /v1/uploads/{id}``: how far it is; ends a request that is still sending.

    An upload that has all its bytes is finished first, or tells why it cannot be: no client that
    lost the last answer takes a failure for success.
    """
    tus_fields.check_version(request.headers)
    uploads = services_of(request).uploads
    try:
        upload = await uploads.look(request.match_info["id"])
        if not upload.ended and is_whole(upload):
            upload = await _finish(request, upload)
        fields = status_fields(upload) | file_fields(upload.result())
        wants = wants_sha256(request.headers.get("Want-Repr-Digest", ""))
        if wants and _has_bytes_of_its_own(upload):
            offset, sha256 = await uploads.digest(upload.id)
            fields |= {"Upload-Offset": str(offset), "Repr-Digest": digest_field(sha256)}
    except Busy as error:
        # After a 503 to a HEAD there are clients that begin anew; after a 423 they ask again.
        raise Superseded(error.detail, **error.extra) from None
    return web.Response(headers=fields)


async def append(request: web.Request) -> web.Response:
    """``PATCH /v1/uploads/{id}``: the bytes from ``Upload-Offset`` on."""
    fields = request.headers
    tus_fields.check_version(fields)
    offset = tus_fields.number(fields, "Upload-Offset")
    length = tus_fields.number(fields, "Upload-Length")
    checksum = checksum_of(request)
    check_octets(request, offset or 0, length)
    if offset is None:
        raise BadRequest("send Upload-Offset: the bytes that the upload has, as HEAD tells")
    services = services_of(request)
    with services.traffic:
        session = await services.uploads.take(request.match_info["id"])
        async with held(request, session):
            file = session.upload.result()
            check_place(request, session, offset, length)
            if not session.ended:
                await receive(request, session, checksum, length)
                file = await finish_if_whole(session)
    return web.Response(status=204, headers=_told(session.upload, file))


async def terminate(request: web.Request) -> web.Response:
    """``DELETE /v1/uploads/{id}``: end it and drop what it had; the stored file stays."""
    tus_fields.check_version(request.headers)
    await cancel(request, request.match_info["id"])
    return web.Response(status=204)


def _has_bytes_of_its_own(upload: Upload) -> bool:
    """Whether an upload's bytes are neither those of its parts nor those of a stored file."""
    return upload.kind is Kind.PARTIAL or not (upload.ended or upload.kind is Kind.FINAL)


async def _finish(request: web.Request, seen: Upload) -> Upload:
    services = services_of(request)
    with services.traffic:
        # Not held(): an answer that tells the offset of a HEAD looks like success to some.
        async with await services.uploads.take(seen.id) as session:
            if not session.ended:
                await finish_if_whole(session)
    return session.upload


def _told(upload: Upload, file: FileInfo | None) -> dict[str, str]:
    return progress_fields(upload) | file_fields(file)
