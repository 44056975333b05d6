"""A share as it stands in JSON answers."""

from aiohttp import web

from penstock.access.shares import Share, folder_of
from penstock.archives import Selection
from penstock.server.public import public_url
from penstock.server.services import services_of
from penstock.server.shares.wish import UPLOAD
from penstock.server.urls import rfc3339, time_json


def path_of(link: str) -> str:
    """Where a link leads to on this server."""
    return f"/s/{link}"


async def url_of(request: web.Request, share: Share) -> str:
    """The whole URL of a share, for people elsewhere."""
    return public_url(request) + path_of(await services_of(request).shares.link(share))


async def share_json(request: web.Request, share: Share) -> dict[str, object]:
    """For who looks after it."""
    document: dict[str, object] = {
        "id": share.id,
        "url": await url_of(request, share),
        "kind": share.kind,
        "title": share.title,
        "created": rfc3339(share.created),
        "expires": time_json(share.expires),
        "most": share.most,
        "count": share.count,
        "has_password": share.password is not None,
        "maker": share.maker,
    }
    if share.kind == UPLOAD:
        return document | {"prefix": folder_of(share), "most_bytes": share.most_bytes}
    selection = Selection.from_json(share.spec)
    return document | {"keys": selection.keys, "prefixes": selection.prefixes}
