"""``/dashboard``, and what is below it."""

from aiohttp import web

from penstock.server import pages
from penstock.server.access.operator import check_operator


async def show(request: web.Request) -> web.Response:
    """``GET /dashboard``: lanes and jobs, to look at and to steer."""
    await check_operator(request)
    return pages.page(request, "dashboard.html")


async def below(request: web.Request) -> web.Response:
    """``GET /dashboard/…``: nothing, which only who is logged in gets to know."""
    await check_operator(request)
    if not request.match_info["path"]:
        return pages.page(request, "dashboard.html")
    raise web.HTTPNotFound
