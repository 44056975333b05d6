"""``POST /live``: storage nodes announce themselves, as s3testcase's did to its locator."""

import logging
from typing import Final

from aiohttp import web

from penstock.cluster import is_loopback, knows_secret
from penstock.errors import Forbidden, LoginNeeded
from penstock.server.cluster.announcement import announcement_of
from penstock.server.cluster.here import cluster_of
from penstock.server.context import ROUTINE
from penstock.server.logs import note
from penstock.server.receiving import small_body
from penstock.server.services import services_of

_MOST_BODY: Final = 4 << 10
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="penstock cluster"'}
_CLUSTER: Final = "X-Penstock-Cluster"
_FORWARDING: Final = ("Forwarded", "X-Forwarded-For")


async def live(request: web.Request) -> web.Response:
    """A node is there: 200, without a body, but with the id of the cluster; 400, without one, if
    it is not understood."""
    cluster = cluster_of(request)
    _check_trust(request)
    body = await small_body(request, _MOST_BODY)
    try:
        said = announcement_of(body)
    except ValueError:
        return web.Response(status=400)
    request[ROUTINE] = True
    identity = await cluster.members.announced(said.heard, said.cluster)
    return web.Response(headers={_CLUSTER: identity})


def _check_trust(request: web.Request) -> None:
    """Let pass who knows the secret; where there is none, who is on this host.

    :raises LoginNeeded: the secret is missing, or another one.
    :raises Forbidden: there is none, and the request comes from elsewhere, or through a proxy,
        behind which everybody seems to be on its host.
    """
    secret = services_of(request).settings.cluster_secret.get_secret_value()
    if not secret:
        passed_on = any(name in request.headers for name in _FORWARDING)
        if passed_on or not is_loopback(request.remote or ""):
            raise Forbidden(
                "without a secret nodes are accepted from this host only: set "
                "PENSTOCK_CLUSTER_SECRET for all servers and nodes"
            )
    elif not knows_secret(request.headers.get("Authorization", ""), secret):
        note("node refused", level=logging.WARNING, remote=request.remote)
        raise LoginNeeded(
            "send the cluster's secret as a bearer token: PENSTOCK_CLUSTER_SECRET of the node "
            "must be that of the server",
            headers=_CHALLENGE,
        )
