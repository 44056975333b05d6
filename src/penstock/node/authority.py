"""Who may use a node: those who know the cluster's secret, or without one those on its host, and
mean this node."""

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from penstock.cluster.fields import NODE
from penstock.cluster.trust import knows_secret
from penstock.errors import LoginNeeded

_OPEN = frozenset({"/health"})


def only_ours(secret: str) -> Middleware:
    """Refuse requests that do not carry the secret, whatever they ask for; all pass if there is
    none.

    :raises LoginNeeded: the secret is missing or wrong.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if secret and request.path not in _OPEN:
            given = request.headers.get("Authorization", "")
            if not knows_secret(given, secret):
                raise LoginNeeded(
                    "the cluster's secret is needed", headers={"WWW-Authenticate": "Bearer"}
                )
        return await handler(request)

    return guard


def only_for(identity: str) -> Middleware:
    """Refuse requests that are meant for another node (421, RFC 9110 §15.5.20); those that do not
    say for which pass."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get(NODE, identity) != identity:
            raise web.HTTPMisdirectedRequest
        return await handler(request)

    return guard
