"""What the routes of other systems have in common when they store a raw body."""

from aiohttp import web

from penstock.downloads import etag_field
from penstock.octets.content_types import given_type
from penstock.octets.digests import digest_field, verify
from penstock.server.receiving import body_of, check_body
from penstock.server.services import services_of
from penstock.server.urls import url_of
from penstock.stores.interface import Condition, FileInfo


async def store_body(request: web.Request, key: str, condition: Condition) -> FileInfo:
    """Store the body at ``key``, all or nothing of it.

    :raises TooLarge: it is over the server's limit.
    :raises Stalled: nothing came for the server's stall timeout.
    :raises BodyIncomplete: the client broke off.
    :raises DigestMismatch: it is not what a digest field of the request announces.
    :raises PreconditionFailed: ``condition`` does not hold.
    """
    announced = check_body(request)
    async with await services_of(request).store.write(
        key, size=request.content_length, want_sha256=bool(announced)
    ) as writer:
        async for data in body_of(request):
            await writer.write(data)
        verify(announced, (await writer.checksum()).sha256)
        content_type = given_type(request.headers.get("Content-Type"))
        return await writer.commit(content_type=content_type, condition=condition)


def stored_fields(info: FileInfo) -> dict[str, str]:
    """Header fields that name a stored file; clients that do not know them pass them over."""
    fields = {"Location": url_of(info.key), "ETag": etag_field(info.etag)}
    if info.sha256 is not None:
        fields["Repr-Digest"] = digest_field(info.sha256)
    return fields
