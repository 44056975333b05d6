"""``/v1/files/{key}``: put, get and delete one file; ``/v1/files``: list."""

from contextlib import AsyncExitStack

from aiohttp import web

from penstock.downloads import Representation
from penstock.errors import BadRequest
from penstock.octets.content_types import given_type
from penstock.octets.digests import verify, wants_sha256
from penstock.server.access.granted import grant_of
from penstock.server.access.within import condition_of
from penstock.server.content import Content, open_content
from penstock.server.draft.answers import limits_told
from penstock.server.draft.fields import draft_of
from penstock.server.draft.routes import create_at
from penstock.server.following import answer_followed, open_followed
from penstock.server.listing import limit_of
from penstock.server.media import SAFETY, content_type_of, disposition_of
from penstock.server.receiving import body_of, check_body
from penstock.server.representations import answer_best
from penstock.server.services import services_of
from penstock.server.shares.placing import placed
from penstock.server.stored import stored_answer
from penstock.server.uploads.intake import begin, body_length, held, take_in, whole_digest
from penstock.server.urls import content_disposition, file_json, key_of
from penstock.stores.early import check_early
from penstock.uploads import Creation


async def put_file(request: web.Request) -> web.Response:
    """``PUT /v1/files/{key}``: create or replace a file with the raw body.

    With ``Upload-Complete`` it begins an upload as the IETF draft has them. Without, a big body
    or one of unknown length is an upload all the same, so that what arrives of it is kept.
    """
    key = key_of(request)
    draft = draft_of(request.headers)
    if draft.complete(request.headers) is not None:
        return await create_at(request, key)
    with limits_told(request, draft):
        length, most = body_length(request), services_of(request).settings.resume_from
        if length is None or length >= most:
            return await _put_resumable(request, key, length)
        return await _put_at_once(request, key, length)


async def _put_at_once(request: web.Request, key: str, length: int) -> web.Response:
    """All or nothing."""
    services = services_of(request)
    condition = condition_of(request)
    announced = check_body(request)
    replaced = await check_early(services.store, key, condition)
    async with AsyncExitStack() as stack:
        stack.enter_context(services.traffic)
        place = await stack.enter_async_context(placed(request, length))
        async with await services.store.write(
            key, size=length, want_sha256=bool(announced)
        ) as writer:
            async for data in body_of(request):
                await writer.write(data)
            verify(announced, (await writer.checksum()).sha256)
            place.is_being_stored = True
            info = await writer.commit(
                content_type=given_type(request.headers.get("Content-Type")),
                condition=condition,
            )
    return stored_answer(info, replaced=replaced, with_digest=_wants_digest(request))


async def _put_resumable(request: web.Request, key: str, length: int | None) -> web.Response:
    """What arrives is kept; if not all does, the answer tells where to go on."""
    services = services_of(request)
    wish = Creation(
        key=key,
        length=length,
        content_type=given_type(request.headers.get("Content-Type")),
        condition=condition_of(request),
        sha256=whole_digest(check_body(request)),
        plain=True,
    )
    with services.traffic:
        session = await begin(request, wish)
        async with held(request, session):
            await take_in(request, session)
            info = await session.finish()
    outcome = session.upload.outcome
    assert info is not None
    assert outcome is not None
    return stored_answer(info, replaced=outcome.replaced, with_digest=_wants_digest(request))


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /v1/files/{key}``."""
    services = services_of(request)
    key = key_of(request)
    if (reader := await open_followed(request, key)) is not None:
        async with reader:
            with services.traffic.following():
                return await answer_followed(request, reader)
    if _wants_digest(request):
        await services.store.checksum(key)
    with services.traffic:
        content = await open_content(services, key)
        try:
            return await _answer(request, content)
        finally:
            content.close()


async def delete_file(request: web.Request) -> web.Response:
    """``DELETE /v1/files/{key}``."""
    key = key_of(request)
    await services_of(request).store.delete(key, condition=condition_of(request))
    return web.Response(status=204)


async def list_files(request: web.Request) -> web.Response:
    """``GET /v1/files``: a page of the listing."""
    query = request.query
    delimiter = query.get("delimiter", "")
    if delimiter not in ("", "/"):
        raise BadRequest("the only delimiter is /")
    page = await services_of(request).store.list(
        grant_of(request).check_key(query.get("prefix", "")),
        after=query.get("after", ""),
        limit=limit_of(request),
        delimiter=delimiter,
    )
    return web.json_response(
        {
            "files": [file_json(info) for info in page.files],
            "prefixes": page.prefixes,
            "next": page.next,
        }
    )


def _wants_digest(request: web.Request) -> bool:
    return wants_sha256(request.headers.get("Want-Repr-Digest", ""))


async def _answer(request: web.Request, content: Content) -> web.StreamResponse:
    info = content.info
    content_type = content_type_of(info)
    what = Representation(info.size, info.etag, info.modified_ns, content_type, info.sha256)
    kind = disposition_of(content_type)
    if request.query_string and request.query.get("download", "0") not in ("", "0"):
        kind = "attachment"
    name = info.key.rpartition("/")[2]
    headers = {**SAFETY, "Content-Disposition": content_disposition(kind, name)}
    return await answer_best(request, content, what, headers)
