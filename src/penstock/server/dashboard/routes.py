"""``/dashboard``, and what is below it."""

from aiohttp import web

from penstock.server import pages
from penstock.server.dashboard.login import LOGIN


async def show(request: web.Request) -> web.FileResponse:
    """``GET /dashboard``: lanes and jobs, to look at and to steer."""
    await request.app[LOGIN].check(request)
    return pages.page("dashboard.html")


async def below(request: web.Request) -> web.FileResponse:
    """``GET /dashboard/…``: nothing, which only who is logged in gets to know."""
    await request.app[LOGIN].check(request)
    if not request.match_info["path"]:
        return pages.page("dashboard.html")
    raise web.HTTPNotFound
