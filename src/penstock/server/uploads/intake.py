"""Taking the body of a request into an upload, so that what arrives is kept if it breaks off."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import MappingProxyType

from aiohttp import web

from penstock.errors import (
    DigestMismatch,
    NotFound,
    StorageFull,
    TooLarge,
)
from penstock.octets.digests import Digester, verify
from penstock.server.access.actions import about
from penstock.server.access.granted import grant_of
from penstock.server.context import ERROR_FIELDS
from penstock.server.draft.interim import Interim
from penstock.server.receiving import body_of
from penstock.server.services import services_of
from penstock.server.shares.placing import give_back_place, placed
from penstock.server.uploads.direct import STRETCH, Direct
from penstock.server.urls import upload_path
from penstock.threads import in_thread
from penstock.uploads import Creation, Kind, Session

_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_KEPT = "what came is kept: go on at the offset that the upload tells"
_DISCARDED = "none of it is kept: send it again"


def body_length(request: web.Request) -> int | None:
    """Bytes of the body; ``None`` if they are not known beforehand."""
    if request.content_length is not None:
        return request.content_length
    return None if request.body_exists else 0


def whole_digest(announced: Mapping[str, bytes]) -> bytes | None:
    """The SHA-256 of a body that is the whole file, of whichever field announces it.

    :raises DigestMismatch: two fields announce different ones, so one of them must be wrong.
    """
    digests = set(announced.values())
    if len(digests) > 1:
        raise DigestMismatch("Content-Digest and Repr-Digest differ; nothing was stored")
    return digests.pop() if digests else None


async def begin(request: web.Request, wish: Creation) -> Session:
    """Begin an upload; the caller holds it.

    Raises as :meth:`penstock.uploads.Uploads.create`, and

    :raises Forbidden: its file, or one of its parts, is outside of the folder that the request
        is bound to.
    """
    uploads, grant = services_of(request).uploads, grant_of(request)
    about(request, wish.key)
    grant.check_key(wish.key)
    if grant.prefix and wish.parts:
        for key in (await uploads.keys_of(wish.parts)).values():
            grant.check_key(key)
    is_whole = wish.kind is Kind.WHOLE
    if wish.length is not None:
        uploads.check_size(wish.length)  # what is too large has no place, not for a moment
    async with placed(request, wish.length, is_whole=is_whole):
        return await uploads.create(wish)


async def cancel(request: web.Request, identity: str) -> None:
    """End an upload and remove it.

    :raises NotFound: there is none.
    """
    upload = await services_of(request).uploads.delete(identity)
    if upload is not None:
        await give_back_place(request, upload.length)


async def check_upload(request: web.Request, identity: str) -> None:
    """Let pass who may know of this upload, and go on with it.

    :raises NotFound: it is outside of the folder that the request is bound to.
    """
    grant = grant_of(request)
    if not grant.prefix:
        return
    found = await services_of(request).uploads.keys_of([identity])
    if identity in found and not grant.covers(found[identity]):
        raise NotFound("there is no such upload; it may have expired")


@asynccontextmanager
async def held(request: web.Request, session: Session) -> AsyncIterator[None]:
    """Hold an upload; if the request fails, its answer tells where what arrived is kept."""
    try:
        async with session:
            yield
    except StorageFull:
        raise StorageFull(
            "the store has no space left; go on at the upload's offset when there is some"
        ) from None
    finally:
        upload = session.upload
        if not upload.ended:
            told = {
                "Content-Location": upload_path(upload.id),
                "Upload-Offset": str(upload.offset),
            }
            request[ERROR_FIELDS] = request.get(ERROR_FIELDS, {}) | told


async def take_in(
    request: web.Request,
    session: Session,
    *,
    announced: Mapping[str, bytes] = _NOTHING,
    interim: Interim | None = None,
) -> None:
    """Append the body to an upload; ``interim`` tells the client how far it is.

    With ``announced`` digests of the body all of it is appended, or nothing. An upload that
    becomes too large is ended: nothing more can be added to it.

    :raises TooLarge: it is over a limit, or has more bytes than it was told to have.
    :raises DigestMismatch: the body is not what was announced.
    """
    digester = Digester() if announced else None
    if digester is not None:
        session.hold_back()
    fate = _DISCARDED if digester else _KEPT
    received = 0
    direct = None
    # What is too much for the upload is found out by the upload, which ends then.
    async with aclosing(body_of(request, most=sys.maxsize, fate=fate)) as body:
        async for data in body:
            await append_or_fail(session, data)
            received += len(data)
            if digester is not None:
                await in_thread(digester.update, data)
            elif interim is not None:
                await interim.progress(session)
            if session.fits((request.content_length or 0) - received):
                direct = Direct.take_over(request, received, _stall_timeout(request), fate)
            if direct is not None:
                break
    if direct is not None:
        await _take_in_directly(direct, session, interim)
    if digester is not None:
        verify(announced, digester.sha256)
        session.confirm()


async def _take_in_directly(direct: Direct, session: Session, interim: Interim | None) -> None:
    async with direct:
        while direct.left:
            await direct.ready()
            await session.pull(direct.read, min(direct.left, STRETCH))
            if interim is not None:
                await interim.progress(session)


def _stall_timeout(request: web.Request) -> float:
    return services_of(request).settings.stall_timeout


async def append_or_fail(session: Session, data: bytes) -> None:
    """Append bytes to an upload; it ends if they are too many.

    :raises TooLarge: they are.
    """
    try:
        await session.append(data)
    except TooLarge as error:
        await session.fail(error)
        raise
