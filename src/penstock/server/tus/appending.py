"""The bytes that a request of tus brings: refused beforehand, or taken in and made durable."""

from contextlib import aclosing

from aiohttp import web

from penstock.errors import (
    BodyIncomplete,
    Forbidden,
    LengthExceeded,
    LengthMismatch,
    OffsetMismatch,
)
from penstock.server.receiving import body_of, check_body
from penstock.server.tus import fields as tus_fields
from penstock.server.tus.checksum import BodyChecksum, parse_checksum
from penstock.server.uploads.intake import append_or_fail, body_length, take_in
from penstock.stores.interface import FileInfo
from penstock.uploads import Kind, Session

_DISCARDED = "none of it is kept: send it again"


def checksum_of(request: web.Request) -> BodyChecksum | None:
    """What the body must match, if the request says so.

    :raises BadRequest: that is malformed, or would come where it cannot be seen.
    """
    tus_fields.check_trailer(request.headers)
    return parse_checksum(tus_fields.given(request.headers, "Upload-Checksum"))


def check_octets(request: web.Request, offset: int, length: int | None) -> None:
    """Refuse a body that cannot be the bytes from ``offset`` on, before it is asked for.

    :raises UnsupportedMediaType: its type or coding is not that of an upload's bytes.
    :raises LengthExceeded: the upload has ``length`` bytes, which are fewer.
    """
    tus_fields.check_content_type(request.headers)
    check_body(request)
    if length is not None and offset + (body_length(request) or 0) > length:
        raise LengthExceeded(f"the upload was told to have {length:,} bytes, and more are coming")


def check_place(request: web.Request, session: Session, offset: int, length: int | None) -> None:
    """Refuse bytes that do not belong at the end of this upload, before they are asked for.

    :raises Forbidden: it is put together from others.
    :raises OffsetMismatch: its end is not at ``offset``.
    :raises LengthMismatch: it was told to have another ``length``.
    :raises LengthExceeded: they are too many.
    """
    if session.upload.kind is Kind.FINAL:
        raise Forbidden("a final upload has the bytes of its parts; none can be added")
    if offset != session.offset:
        raise OffsetMismatch(
            f"the upload has {session.offset:,} bytes, but those sent begin at {offset:,}; "
            "go on at its offset"
        )
    if length is not None and session.length not in (None, length):
        raise LengthMismatch(
            f"the upload was told to have {session.length:,} bytes; that cannot be changed"
        )
    check_octets(request, offset, session.length)
    if session.ended and body_length(request) != 0:
        raise LengthExceeded("the upload is complete; no more bytes can be added")


async def receive(
    request: web.Request,
    session: Session,
    checksum: BodyChecksum | None,
    length: int | None = None,
) -> None:
    """Take in the body; with a checksum all of it or nothing, and nothing else changes before.

    ``length`` is what the request says of the whole; errors are those of ``body_of``, of
    :meth:`Session.append` and :meth:`Session.set_length`, and

    :raises ChecksumMismatch: the body is not what was announced.
    """
    if checksum is None:
        if length is not None:
            await session.set_length(length)
        await take_in(request, session)
        return
    session.hold_back()
    async with aclosing(body_of(request, fate=_DISCARDED)) as body:
        async for data in body:
            await checksum.update(data)
            await append_or_fail(session, data)
    await checksum.verify()
    if length is not None:
        await session.set_length(length)
    session.confirm()


async def finish_if_whole(session: Session) -> FileInfo | None:
    """Finish an upload that has all its bytes; of others, what came is made durable on leaving."""
    if session.upload.kind is Kind.FINAL:
        return await _join(session)
    if session.offset == session.length:
        return await session.finish()
    await session.flush()
    return None


async def _join(session: Session) -> FileInfo | None:
    """Finish a final upload, unless parts are still under way (concatenation-unfinished)."""
    try:
        return await session.finish()
    except BodyIncomplete:
        return None
