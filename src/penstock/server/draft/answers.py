"""What requests of the draft are answered, and what the answers to failed ones tell besides."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from penstock.errors import BadKey, KeyConflict, PreconditionFailed, TooLarge
from penstock.octets.digests import digest_field, wants_sha256
from penstock.server.context import ERROR_FIELDS
from penstock.server.draft.fields import Draft
from penstock.server.services import services_of
from penstock.server.stored import stored_answer
from penstock.server.uploads.intake import held
from penstock.server.uploads.upload_json import upload_json
from penstock.server.urls import upload_path
from penstock.stores.interface import FileInfo
from penstock.uploads import Session, Upload


def limit_fields(
    request: web.Request, draft: Draft, upload: Upload | None = None
) -> dict[str, str]:
    """``Upload-Limit``, of an upload or for those that may be begun."""
    services = services_of(request)
    limits, most_body = services.uploads.limits, int(services.settings.max_body)
    return draft.limit(
        most=limits.max_size,
        most_append=most_body if most_body < limits.max_size else None,
        age=limits.expiry if upload is None else upload.expires - services.uploads.now(),
    )


def status_answer(
    request: web.Request, draft: Draft, upload: Upload, offset: int, sha256: bytes | None
) -> web.Response:
    """How far an upload is; ``sha256`` is of its first ``offset`` bytes."""
    headers = {
        "Cache-Control": "no-store",
        "Upload-Offset": str(offset),
        **draft.completeness(upload.ended),
        **limit_fields(request, draft, upload),
    }
    if upload.length is not None:
        headers["Upload-Length"] = str(upload.length)
    if sha256 is not None:
        headers["Repr-Digest"] = digest_field(sha256)
    return web.Response(status=204, headers=headers)


async def finish(session: Session, draft: Draft) -> web.Response:
    """End the upload; answers what the resource that it is for would have answered.

    An upload that has ended gives the same answer again. Errors are those of
    :meth:`Session.finish`.
    """
    response = _stored(session, await session.finish())
    response.headers.update(draft.completeness(True))
    if draft.names_upload:  # they tell the offset in every answer
        response.headers["Upload-Offset"] = str(session.offset)
    return response


async def settle(request: web.Request, session: Session) -> bytes | None:
    """Write what came, to be durable on leaving; answers its SHA-256 if the client wants it."""
    await session.flush()
    wanted = wants_sha256(request.headers.get("Want-Repr-Digest", ""))
    return await session.digest() if wanted else None


def acknowledge(
    request: web.Request, draft: Draft, upload: Upload, status: int, sha256: bytes | None
) -> web.Response:
    """Tell how much there is of an upload that goes on; ``sha256`` is of that."""
    headers = {
        "Upload-Offset": str(upload.offset),
        **draft.completeness(False),
        **limit_fields(request, draft, upload),
    }
    if sha256 is not None:
        headers["Repr-Digest"] = digest_field(sha256)
    if status == 204:
        return web.Response(status=204, headers=headers)
    return web.json_response(upload_json(upload), status=status, headers=headers)


def name_upload(response: web.Response, upload: Upload) -> None:
    """Let the answer to a creation name the upload; it may have named the file so far."""
    if "Location" in response.headers:
        response.headers["Content-Location"] = response.headers["Location"]
    response.headers["Location"] = upload_path(upload.id)


@contextmanager
def refusing(request: web.Request, draft: Draft) -> Iterator[None]:
    """Let errors tell whether they are the answer of the target or of the way to it."""
    request[ERROR_FIELDS] = draft.completeness(False)
    with limits_told(request, draft):
        try:
            yield
        except (BadKey, KeyConflict, PreconditionFailed):
            tell(request, draft.completeness(True))
            raise


@contextmanager
def limits_told(request: web.Request, draft: Draft) -> Iterator[None]:
    """Let the answer to what is too large tell the limits."""
    try:
        yield
    except TooLarge:
        tell(request, limit_fields(request, draft))
        raise


@asynccontextmanager
async def holding(request: web.Request, session: Session, draft: Draft) -> AsyncIterator[None]:
    """Hold an upload; errors tell where it is and whether it can be gone on with."""
    try:
        async with held(request, session):
            yield
    finally:
        tell(request, draft.completeness(session.ended))


def tell(request: web.Request, fields: Mapping[str, str]) -> None:
    """Let the answer have these fields too if it turns out to be a problem."""
    request[ERROR_FIELDS] = {**request.get(ERROR_FIELDS, {}), **fields}


def _stored(session: Session, info: FileInfo | None) -> web.Response:
    if info is None:  # a part of another upload, stored nowhere by itself
        return web.Response(status=204)
    outcome = session.upload.outcome
    assert outcome is not None
    return stored_answer(info, replaced=outcome.replaced, with_digest=True)
