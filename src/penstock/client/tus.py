"""tus 1.0 as a client speaks it: create, append, ask, delete; each is one request, in one try.

https://tus.io/protocols/resumable-upload
"""

from collections.abc import Sequence

from yarl import URL

from penstock.client.http import Http
from penstock.client.sending import Body, send
from penstock.client.tus_fields import Standing, number, standing_of
from penstock.errors import (
    KeyConflict,
    NotFound,
    OffsetMismatch,
    PenstockError,
    ServerUnavailable,
    UploadGone,
)

UPLOADS = "/v1/uploads"
OCTETS = "application/offset+octet-stream"

_VERSION = {"Tus-Resumable": "1.0.0"}


async def create(
    http: Http,
    metadata: str,
    *,
    length: int | None = None,
    partial: bool = False,
    parts: Sequence[str] = (),
) -> tuple[str, Standing]:
    """Begin an upload; answers its location as it was told, and how it stands.

    Without ``length`` it is told at the end. ``parts`` are the locations of the partial uploads
    that this one is put together from (Concatenation), ``length`` bytes together.

    :raises UploadGone: a part is no more.
    """
    headers = {**_VERSION, "Upload-Metadata": metadata}
    patience = http.timeout
    if parts:
        headers["Upload-Concat"] = f"final;{' '.join(parts)}"
        patience = http.answer_seconds(length)
    elif length is not None:
        headers["Upload-Length"] = str(length)
    else:
        headers["Upload-Defer-Length"] = "1"
    if partial:
        headers["Upload-Concat"] = "partial"
    url = http.url(UPLOADS)
    try:
        told, _ = await http.ask("POST", url, headers=headers, answer_within=patience)
    except NotFound as error:
        if not parts:
            raise
        raise _gone(error) from error
    location = told.get("Location")
    if not location:
        raise PenstockError(f"{http.base} began an upload, but does not tell where")
    return location, standing_of(told, 0, length)


async def append(
    http: Http,
    url: URL,
    body: Body,
    offset: int,
    size: int,
    *,
    length: int | None = None,
    checksum: str | None = None,
) -> Standing:
    """Send ``size`` bytes that begin at ``offset``; ``length`` tells the end of a deferred one.

    :raises OffsetMismatch: the upload is not at ``offset``.
    :raises UploadGone: the upload is no more.
    """
    headers = {**_VERSION, "Content-Type": OCTETS, "Upload-Offset": str(offset)}
    if length is not None:
        headers["Upload-Length"] = str(length)
    if checksum is not None:
        headers["Upload-Checksum"] = checksum
    patience = http.answer_seconds(offset + size)
    try:
        told, _ = await send(
            http, "PATCH", url, body, size=size, headers=headers, answer_within=patience
        )
    except KeyConflict as error:
        if "code" in error.extra:
            raise
        raise OffsetMismatch(error.detail) from error  # a 409 of a server that says no more
    except NotFound as error:
        raise _gone(error) from error
    standing = standing_of(told, offset + size, length)
    if size and standing.offset <= offset:
        raise ServerUnavailable(f"{http.base} took none of the bytes that it was sent")
    return standing


async def ask(http: Http, url: URL, size: int, *, digest: bool = False) -> Standing:
    """Where an upload of about ``size`` bytes stands; whatever still sends to it is ended.

    :raises UploadGone: the upload is no more.
    :raises PenstockError: what the upload has failed with.
    """
    headers = dict(_VERSION)
    if digest:
        headers["Want-Repr-Digest"] = "sha-256=10"
    try:
        told, _ = await http.ask(
            "HEAD", url, headers=headers, answer_within=http.answer_seconds(size)
        )
    except NotFound as error:
        raise _gone(error) from error
    except PenstockError as error:
        if not error.retryable and isinstance(error.extra.get("status"), int):
            await http.ask("GET", url, headers=_VERSION)  # the answer to a HEAD has no text
        raise
    if "Upload-Offset" not in told:  # a final one whose parts are not joined yet
        raise ServerUnavailable(f"{http.base} does not tell where the upload stands")
    return standing_of(told, 0, None)


async def delete(http: Http, url: URL) -> None:
    """End an upload (Termination)."""
    await http.ask("DELETE", url, headers=_VERSION)


async def abilities(http: Http) -> tuple[frozenset[str], int | None]:
    """The extensions that the server has, and the most bytes that it takes, if it tells."""
    told, _ = await http.ask("OPTIONS", http.url(UPLOADS))
    extensions = told.get("Tus-Extension", "").split(",")
    return frozenset(one.strip() for one in extensions), number(told, "Tus-Max-Size")


def _gone(error: NotFound) -> UploadGone:
    return UploadGone(f"the upload is not there any more ({error.detail})")
