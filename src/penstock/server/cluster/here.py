"""The cluster behind a server, if its files are in one."""

from typing import TYPE_CHECKING

from aiohttp import web

from penstock.errors import NotFound
from penstock.server.services import services_of

if TYPE_CHECKING:
    from penstock.cluster.cluster import Cluster


def cluster_of(request: web.Request) -> "Cluster":
    """That of the server which handles ``request``.

    :raises NotFound: its files are elsewhere.
    """
    cluster = services_of(request).cluster
    if cluster is None:
        raise NotFound("the files of this server are not in a cluster; see its setting store")
    return cluster
