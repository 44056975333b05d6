"""What the gate found a request to be good for."""

from aiohttp import web

from penstock.access import Grant

GRANT = web.RequestKey("grant", Grant)


def grant_of(request: web.Request) -> Grant:
    """What ``request`` may do; the gate has let it pass."""
    return request[GRANT]
