"""``/s/{link}/file``: the bytes of a share."""

from aiohttp import web

from penstock.access.shares import Share
from penstock.archives import PlannedZip, Selection
from penstock.downloads import Representation
from penstock.server.content import Content, open_content
from penstock.server.media import SAFETY, content_type_of
from penstock.server.part_digest import part_digest
from penstock.server.sending import carry_out, planned
from penstock.server.services import Services, services_of
from penstock.server.shares.counting import Counting
from penstock.server.shares.selecting import is_file
from penstock.server.urls import content_disposition
from penstock.server.zips import plan_zip, send_zip

_HEADERS = {**SAFETY, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


async def send_share(request: web.Request, share: Share) -> web.StreamResponse:
    """Answer a GET or HEAD for what is shared.

    :raises ShareGone: it was fetched as often as it may be.
    :raises NotFound: it is not there any more.
    """
    services = services_of(request)
    selection = Selection.from_json(share.spec)
    disposition = content_disposition("attachment", share.title)
    with services.traffic:
        if not is_file(selection):
            return await _send_zip(request, share, await plan_zip(services, selection), disposition)
        content = await open_content(services, selection.keys[0])
        try:
            return await _send_file(request, share, content, disposition)
        finally:
            content.close()


async def size_of(services: Services, share: Share) -> tuple[int | None, int]:
    """The bytes of what is shared as it is now, if they are known, and how many files it is.

    :raises NotFound: it is not there any more.
    """
    selection = Selection.from_json(share.spec)
    if is_file(selection):
        return (await services.store.stat(selection.keys[0])).size, 1
    zipped = await plan_zip(services, selection)
    return zipped.plan.size, zipped.members


async def _send_file(
    request: web.Request, share: Share, content: Content, disposition: str
) -> web.StreamResponse:
    info = content.info
    content_type = content_type_of(info)
    what = Representation(info.size, info.etag, info.modified_ns, content_type, info.sha256)
    plan = planned(request, what)
    fields = {**_HEADERS, "Content-Disposition": disposition}
    fields |= await part_digest(request, content, plan)
    await Counting(request, share, info.size).admit(plan)
    return await carry_out(request, plan, fields, content.send)


async def _send_zip(
    request: web.Request, share: Share, zipped: PlannedZip, disposition: str
) -> web.StreamResponse:
    counting = Counting(request, share, zipped.plan.size or 0)
    return await send_zip(request, zipped, disposition, _HEADERS, counting.admit)
