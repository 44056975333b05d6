"""``/health``: who the node is, and how full."""

from aiohttp import web

from penstock.node.context import node_of


async def health(request: web.Request) -> web.Response:
    """``GET /health``; open to everybody."""
    node = node_of(request)
    space = await node.shelf.space()
    return web.json_response({"status": "ok", "id": node.id, **space._asdict()})
