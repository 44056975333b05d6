"""What a request of the draft asks for, and what makes it impossible."""

from collections.abc import Mapping

from aiohttp import web

from penstock.errors import (
    BadRequest,
    Forbidden,
    LengthExceeded,
    LengthMismatch,
    OffsetMismatch,
    UnsupportedMediaType,
)
from penstock.octets.content_types import given_type
from penstock.server.access.within import condition_of
from penstock.server.draft.disposition import given_name
from penstock.server.draft.fields import OCTETS, Draft, integer, upload_lengths
from penstock.server.receiving import body_of
from penstock.server.tus.metadata import Metadata
from penstock.server.uploads.intake import body_length, whole_digest
from penstock.stores.keys import check_key
from penstock.uploads import Creation, Kind, Session, Upload

_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
_WHOLE = "Repr-Digest"
_NOT_OF_A_FILE = {OCTETS, "application/offset+octet-stream"}
"""Media types of pieces of files, which some clients send with the first piece too."""


def named_key(request: web.Request) -> str:
    """The key that a ``POST`` gives the file: in ``Content-Disposition``, as the draft says.

    Clients of tus that speak the draft as well name it in their metadata.

    :raises BadKey: the name cannot name a file.
    :raises BadRequest: there is none.
    """
    name = given_name(request.headers.get("Content-Disposition"))
    if name is None:
        name = Metadata(request.headers.get("Upload-Metadata")).key or None
    if name is None:
        raise BadRequest(
            'name the file: Content-Disposition: inline; filename="…", or PUT it to '
            "/v1/files/{key} with Upload-Complete"
        )
    return check_key(name)


def wish_of(
    request: web.Request, key: str, announced: Mapping[str, bytes], *, complete: bool
) -> Creation:
    """What the upload that a request creates shall become.

    :raises BadRequest: its fields contradict each other.
    :raises LengthExceeded: its body is longer than it says the whole is.
    """
    metadata = Metadata(request.headers.get("Upload-Metadata"))
    given = given_type(request.headers.get("Content-Type"))
    if given in _NOT_OF_A_FILE:
        given = None
    length = _length(request, 0, complete=complete)
    if length is not None and (body_length(request) or 0) > length:
        raise _exceeded(length)
    return Creation(
        key=key,
        length=length,
        content_type=given or metadata.content_type,
        metadata=metadata.field,
        sha256=whole_digest(announced) if complete else announced.get(_WHOLE),
        condition=condition_of(request),
    )


def of_content(announced: Mapping[str, bytes], *, complete: bool) -> Mapping[str, bytes]:
    """The digests that a creating request announces of its content, which is not all of the file.

    That of all of it is verified in the end, so nothing that arrives need be held back for it.
    """
    return {name: sha256 for name, sha256 in announced.items() if name != _WHOLE and not complete}


def check_no_state(request: web.Request, draft: Draft) -> None:
    """Refuse what asks for the state and claims to know it (interop version 3).

    :raises BadRequest: it does.
    """
    if draft.inverse and {"Upload-Offset", "Upload-Incomplete"} & set(request.headers):
        raise BadRequest("ask without Upload-Offset and Upload-Incomplete")


def asked_append(request: web.Request, draft: Draft) -> tuple[int, bool]:
    """The offset of the body in bytes, and whether it is the last of the upload.

    :raises UnsupportedMediaType: the body is not a part of an upload.
    :raises BadRequest: the request does not say.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if draft.needs_media_type and media_type != OCTETS:
        raise UnsupportedMediaType(
            f"send the bytes of an upload as Content-Type: {OCTETS}",
            headers={"Accept-Patch": OCTETS},
        )
    offset = integer(request.headers, "Upload-Offset")
    if offset is None:
        raise BadRequest("send Upload-Offset: the bytes that the upload has, as HEAD tells")
    complete = draft.complete(request.headers)
    if complete is None:
        # Older versions send the field only with what is not the last.
        if draft.needs_media_type:
            raise BadRequest("say with Upload-Complete whether this is the last of the file")
        complete = True
    return offset, complete


def check_offset(session: Session, draft: Draft, offset: int) -> None:
    """Refuse bytes that do not begin where the upload stands.

    :raises OffsetMismatch: with the fields and members that the draft gives to that problem.
    """
    if offset == session.offset:
        return
    members = {"expected-offset": session.offset, "provided-offset": offset}
    raise OffsetMismatch(
        f"the upload has {session.offset:,} bytes, but those sent begin at {offset:,}; "
        "go on at its offset",
        type=f"{_PROBLEMS}mismatching-upload-offset",
        title="offset from request does not match offset of resource",
        headers={"Upload-Offset": str(session.offset), **draft.completeness(False)},
        **members,
    )


def check_kind(upload: Upload) -> None:
    """Refuse bytes for what is put together of other uploads.

    :raises Forbidden: it is.
    """
    if upload.kind is Kind.FINAL:
        raise Forbidden("a final upload has the bytes of its parts; none can be added")


async def check_length(request: web.Request, session: Session, *, complete: bool) -> None:
    """Record the length of the whole if the request tells it; refuse what would exceed it.

    :raises LengthMismatch: the request contradicts itself or what was told before.
    :raises LengthExceeded: the body is longer than what is left; the upload is ended.
    :raises TooLarge: the whole is over the limit.
    """
    length = _length(request, session.offset, complete=complete)
    if length is not None:
        try:
            await session.set_length(length)
        except LengthMismatch as error:
            raise _inconsistent(error.detail) from None
    coming = body_length(request) or 0
    if session.length is not None and session.offset + coming > session.length:
        exceeded = _exceeded(session.length)
        await session.fail(exceeded)
        raise exceeded


async def check_repeated(request: web.Request, draft: Draft, *, complete: bool) -> None:
    """Refuse what would change a complete upload; asking for its answer again is fine.

    :raises BadRequest: the request brings bytes, or does not complete the upload.
    """
    if complete and not request.content_length:
        async for _ in body_of(request):
            break
        else:
            return
    raise BadRequest(
        "the upload is complete, nothing can be added; an empty PATCH with Upload-Complete: ?1 "
        "gives its answer again",
        headers=draft.completeness(False),
    )


def _length(request: web.Request, offset: int, *, complete: bool) -> int | None:
    """The length of the whole that a request tells, in bytes.

    :raises LengthMismatch: it tells two.
    """
    told = upload_lengths(
        request.headers, complete=complete, offset=offset, content_length=body_length(request)
    )
    if len(set(told)) > 1:
        raise _inconsistent(
            f"Upload-Length and Content-Length tell of {told[0]:,} and {told[1]:,} bytes"
        )
    return told[0] if told else None


def _inconsistent(detail: str) -> LengthMismatch:
    return LengthMismatch(
        detail,
        type=f"{_PROBLEMS}inconsistent-upload-length",
        title="inconsistent length values for upload",
    )


def _exceeded(length: int) -> LengthExceeded:
    return LengthExceeded(f"the upload was told to have {length:,} bytes, and more are coming")
