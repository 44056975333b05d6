"""``/v1/nodes``: look at the storage nodes, empty them, have them read again, remove them."""

from typing import Final

from aiohttp import web

from penstock.errors import BadRequest
from penstock.server.cluster.here import cluster_of
from penstock.server.cluster.node_json import node_json, overview_json
from penstock.server.json_body import flag_in

_NO_STORE: Final = {"Cache-Control": "no-store"}


async def list_nodes(request: web.Request) -> web.Response:
    """``GET /v1/nodes``: all of them, and how the cluster stands."""
    overview = await cluster_of(request).overview()
    return web.json_response(overview_json(overview), headers=_NO_STORE)


async def drain_node(request: web.Request) -> web.Response:
    """``POST /v1/nodes/{id}/drain``: have its parts moved away, or let it take some again."""
    cluster = cluster_of(request)
    draining = await flag_in(request, "draining")
    await cluster.drain(_identity(request), draining=draining)
    return await _answer(request, 200)


async def scrub_node(request: web.Request) -> web.Response:
    """``POST /v1/nodes/{id}/scrub``: have everything on it read again, before its time."""
    await cluster_of(request).scrub(_identity(request))
    return await _answer(request, 202)


async def remove_node(request: web.Request) -> web.Response:
    """``DELETE /v1/nodes/{id}``: forget one that is not needed, or, by force, one that is lost."""
    removed = await cluster_of(request).remove(_identity(request), force=_force(request))
    return web.json_response(node_json(removed), headers=_NO_STORE)


async def _answer(request: web.Request, status: int) -> web.Response:
    standing = await cluster_of(request).standing(_identity(request))
    return web.json_response(node_json(standing), status=status, headers=_NO_STORE)


def _force(request: web.Request) -> bool:
    value = request.query.get("force", "false")
    if value not in ("true", "false"):
        raise BadRequest("force is true or false")
    return value == "true"


def _identity(request: web.Request) -> str:
    return request.match_info["id"]
