"""``GET /v1/files/{key}?follow``: a file that is still being uploaded, sent while it arrives.

The answer ends as any other when the upload has become a file, and is cut when it does not. The
upload has a name in it, ``Follow-Id``: with ``follow=NAME&offset=BYTES`` a reader that was cut off
goes on with the very same one, or is told that it cannot.
"""

import re

from aiohttp import HttpVersion11, web

from penstock.downloads import etag_field, http_date, precondition_status
from penstock.errors import (
    BadRequest,
    HttpTooOld,
    NotFound,
    OffsetMismatch,
    PreconditionFailed,
    SourceChanged,
)
from penstock.octets.digests import digest_field, wants_sha256
from penstock.octets.media_types import DEFAULT, type_by_name
from penstock.server.arriving import Arriving, replaced
from penstock.server.context import BEGUN, SENT
from penstock.server.media import SAFETY, disposition_of
from penstock.server.sending import send_chunked
from penstock.server.services import services_of
from penstock.server.urls import content_disposition
from penstock.server.wire import Wire
from penstock.uploads import Reader

_NAME = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_OFFSET = re.compile(r"\d{1,19}", re.ASCII)
_NO = {"0", "false"}


async def open_followed(request: web.Request, key: str) -> Reader | None:
    """What a GET or HEAD of a file asks to follow; ``None`` if the stored file is meant.

    :raises BadRequest: an offset goes with the name of an upload only.
    :raises UploadGone: the upload of that name has failed, or is no more.
    """
    if "follow" not in request.query_string:
        return None
    name = request.query.get("follow", "0")
    if name.lower() in _NO:
        return None
    services = services_of(request)
    if _NAME.fullmatch(name):
        return await services.uploads.following.named(key, name)
    if "offset" in request.query:
        raise BadRequest("offset goes with follow=NAME, the Follow-Id of an earlier answer")
    idle = services.settings.follow_timeout
    return await services.uploads.following.newest(key, idle=idle)


async def answer_followed(request: web.Request, reader: Reader) -> web.StreamResponse:
    """Answer with an upload from its offset on, as it arrives.

    :raises BadRequest: the offset is none.
    :raises OffsetMismatch: there are fewer bytes yet: they cannot have been sent.
    :raises UploadGone: it became a file that was replaced or removed since.
    :raises PreconditionFailed: the request speaks of another version.
    :raises HttpTooOld: the length is not known, and the client speaks HTTP/1.0.
    """
    start = _offset_of(request, reader)
    length = None if reader.length is None else reader.length - start
    if not length and reader.stored is None:
        length = None  # a body of no bytes would look whole as soon as that is told
    if length is None and request.version < HttpVersion11:
        raise HttpTooOld(
            "the length of this is not known yet, so it needs HTTP/1.1; "
            "behind nginx say proxy_http_version 1.1"
        )
    arriving = Arriving(request, reader, start)
    try:
        headers = await _headers(request, reader, start)
        if reader.stored is not None:
            await arriving.open_stored()
        if length is None:
            return await send_chunked(request, 200, headers, arriving.send_in_chunks)
        return await _send_known(request, headers, length, arriving)
    finally:
        arriving.close()


def _offset_of(request: web.Request, reader: Reader) -> int:
    told = request.query.get("offset", "0")
    if not _OFFSET.fullmatch(told):
        raise BadRequest("offset must be a number of bytes")
    offset, there = int(told), reader.upload.offset
    if offset > there:
        raise OffsetMismatch(f"the upload has {there:,} bytes yet; follow it from one of them on")
    return offset


async def _headers(request: web.Request, reader: Reader, start: int) -> dict[str, str]:
    """The fields of the answer; of what is stored by now also those that name its version."""
    upload, stored = reader.upload, reader.stored
    given = (stored or upload).content_type
    content_type = given or type_by_name(upload.key) or DEFAULT
    name = upload.key.rpartition("/")[2]
    headers = {
        **SAFETY,
        "Content-Type": content_type,
        "Content-Disposition": content_disposition(disposition_of(content_type), name),
        "Accept-Ranges": "none",
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",  # nginx would wait until its buffers are full
        "Follow-Id": reader.name,
    }
    etag = None
    if stored is not None and not start:
        if stored.sha256 is None and wants_sha256(request.headers.get("Want-Repr-Digest", "")):
            store = services_of(request).store
            try:
                stored = await store.checksum(stored.key, etag=stored.etag)
            except (NotFound, SourceChanged):
                raise replaced() from None
        etag = stored.etag
        headers |= {"ETag": etag_field(etag), "Last-Modified": http_date(stored.modified_ns)}
        if stored.sha256 is not None:
            headers["Repr-Digest"] = digest_field(stored.sha256)
    if precondition_status(request.headers, etag, None) is not None:
        raise PreconditionFailed("what is followed is no version yet; ask without a condition")
    return headers


async def _send_known(
    request: web.Request, headers: dict[str, str], length: int, arriving: Arriving
) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    response.content_length = length
    await response.prepare(request)
    request[BEGUN] = response
    if request.method != "HEAD":
        async with Wire(request, services_of(request).settings.stall_timeout) as wire:
            try:
                await arriving.send(wire)
            finally:
                request[SENT] = wire.sent
    await response.write_eof()
    return response
