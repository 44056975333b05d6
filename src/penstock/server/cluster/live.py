"""``POST /live``: storage nodes announce themselves, as s3testcase's did to its locator."""

import logging
from typing import Final
from urllib.parse import urlsplit

from aiohttp import HttpVersion11, web

from penstock.cluster import CLUSTER, is_loopback, knows_secret
from penstock.errors import Forbidden, LoginNeeded
from penstock.logs import note
from penstock.server.cluster.announcement import announcement_of
from penstock.server.cluster.here import cluster_of
from penstock.server.context import ROUTINE
from penstock.server.receiving import small_body
from penstock.server.services import services_of

_MOST_BODY: Final = 4 << 10
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="penstock cluster"'}
_PASSED_ON: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
"""Fields that proxies add."""


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
    return web.Response(headers={CLUSTER: identity})


def _check_trust(request: web.Request) -> None:
    """Let pass who knows the secret; where there is none, who seems to be on this host.

    Behind a proxy on this host everybody seems to be. One is recognized by what most tell of
    themselves, or by a request that names another host, or is in HTTP/1.0, which no node speaks
    but many an nginx does. One that shows nothing of this is not: behind it a secret is needed.

    :raises LoginNeeded: the secret is missing, or another one.
    :raises Forbidden: there is none, and the request comes from elsewhere, or through a proxy.
    """
    secret = services_of(request).settings.cluster_secret.get_secret_value()
    if not secret:
        if _is_passed_on(request) or not is_loopback(request.remote or ""):
            raise Forbidden(
                "without a secret nodes are accepted from this host only, without a proxy, where "
                "they call it localhost or 127.0.0.1: set PENSTOCK_CLUSTER_SECRET for all servers "
                "and nodes"
            )
    elif not knows_secret(request.headers.get("Authorization", ""), secret):
        note("node refused", level=logging.WARNING, remote=request.remote)
        raise LoginNeeded(
            "send the cluster's secret as a bearer token: PENSTOCK_CLUSTER_SECRET of the node "
            "must be that of the server",
            headers=_CHALLENGE,
        )


def _is_passed_on(request: web.Request) -> bool:
    return (
        any(name in request.headers for name in _PASSED_ON)
        or request.version < HttpVersion11
        or not is_loopback(_host_in(request.host))
    )


def _host_in(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""
