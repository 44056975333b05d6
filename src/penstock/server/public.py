"""Where people elsewhere find this server."""

from aiohttp import web

from penstock.server.services import services_of
from penstock.server.urls import origin_of


def public_url(request: web.Request) -> str:
    """The beginning of every URL that is given away: as it is set, else as who asks has it."""
    return services_of(request).settings.public_url.rstrip("/") or origin_of(request)


def is_secure(request: web.Request) -> bool:
    """Whether browsers reach the server by HTTPS, so that cookies need never go without it."""
    return public_url(request).lower().startswith("https:")
