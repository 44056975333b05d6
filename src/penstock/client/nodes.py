"""The storage nodes of a server whose files are in a cluster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote

from yarl import URL

from penstock.client.answers import JsonObject, rfc3339, understood
from penstock.client.background import time_of
from penstock.client.http import Http, json_of

_NODES = "/v1/nodes"


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One storage node as the server describes it.

    ``state`` is ``joining``, ``live``, ``suspect``, ``dead`` or ``draining``; ``draining`` is also
    true of one that was to be emptied when it fell silent. ``capacity`` and ``free`` are bytes of
    its disk, ``used`` those of its parts; ``parts`` is how many the catalog has on it. ``silent``
    is how many seconds ago it was heard of. ``scrubbed`` is when all on it was verified last.
    """

    id: str
    address: str
    state: str
    capacity: int
    free: int
    used: int
    parts: int
    silent: float
    draining: bool
    scrubbed: datetime | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the Node object of the API."""
        return cls(
            id=str(document["id"]),
            address=str(document["address"]),
            state=str(document["state"]),
            capacity=int(document["capacity"]),
            free=int(document["free"]),
            used=int(document["used"]),
            parts=int(document["parts"]),
            silent=float(document["silent"]),
            draining=bool(document["draining"]),
            scrubbed=time_of(document["scrubbed"]),
        )

    def to_json(self) -> dict[str, Any]:
        """The Node object of the API."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "scrubbed": self.scrubbed and rfc3339(self.scrubbed),
        }


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """How a cluster stands: ``live`` nodes take parts, nothing is stored while they are fewer than
    ``min_nodes``, and there are ``replicas`` copies of each part. ``removing`` files wait to be
    removed from the nodes. ``upkeep`` is what the process that answered has done to keep it whole,
    since it began, by name; in it ``short`` parts have too few copies now, and of ``lost`` ones
    among them no copy can be had, whichever process answers."""

    nodes: Sequence[NodeInfo]
    live: int
    min_nodes: int
    replicas: int
    removing: int
    upkeep: Mapping[str, int]

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the answer of ``GET /v1/nodes``."""
        return cls(
            nodes=[NodeInfo.from_json(one) for one in document["nodes"]],
            live=int(document["live"]),
            min_nodes=int(document["min_nodes"]),
            replicas=int(document["replicas"]),
            removing=int(document["removing"]),
            upkeep={str(name): int(count) for name, count in document["upkeep"].items()},
        )

    def to_json(self) -> dict[str, Any]:
        """The answer of ``GET /v1/nodes``."""
        return {
            **{name: getattr(self, name) for name in self.__slots__},
            "nodes": [node.to_json() for node in self.nodes],
        }


class Nodes:
    """The storage nodes of one server; :attr:`penstock.client.Client.nodes` is one.

    :raises NotFound: by every method: the server's files are not in a cluster.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    async def standing(self) -> ClusterInfo:
        """Every node by id, and how the cluster stands."""
        _, body = await self._http.call("GET", self._http.url(_NODES))
        return understood(ClusterInfo.from_json, json_of(body))

    async def drain(self, identity: str) -> NodeInfo:
        """Have all parts of a node moved to others; it can be removed when ``parts`` is 0.

        :raises NotFound: there is no such node.
        """
        return await self._drain(identity, draining=True)

    async def undrain(self, identity: str) -> NodeInfo:
        """Let a node that was to be emptied take parts again.

        :raises NotFound: there is no such node.
        """
        return await self._drain(identity, draining=False)

    async def scrub(self, identity: str) -> NodeInfo:
        """Have everything on a node read and verified again, before its time.

        :raises NotFound: there is no such node.
        """
        _, body = await self._http.call("POST", self._url(identity, "/scrub"))
        return understood(NodeInfo.from_json, json_of(body))

    async def remove(self, identity: str, *, force: bool = False) -> None:
        """Forget a node that is silent and that no part needs: drained, or dead, with all that it
        has copied elsewhere. With ``force`` also a dead one without which parts have too few
        copies: what only it had is lost then.

        :raises NotFound: there is no such node.
        :raises WrongState: it is needed, may be back at once, or is not silent; the text tells
            which.
        """
        url = self._url(identity, "", [("force", "true")] if force else ())
        await self._http.call("DELETE", url)

    async def _drain(self, identity: str, *, draining: bool) -> NodeInfo:
        url = self._url(identity, "/drain")
        _, body = await self._http.call("POST", url, json={"draining": draining})
        return understood(NodeInfo.from_json, json_of(body))

    def _url(self, identity: str, rest: str, query: Sequence[tuple[str, str]] = ()) -> URL:
        return self._http.url(f"{_NODES}/{quote(identity, safe='')}{rest}", query)
