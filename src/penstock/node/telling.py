"""One announcement to one locator: ``POST /live``, the message of s3testcase and what is new."""

import json
import logging
import time

import aiohttp

from penstock.cluster import CLUSTER
from penstock.logs import note
from penstock.node.addresses import joined, local_host
from penstock.node.context import Node
from penstock.node.shelf import Space
from penstock.server.urls import rfc3339

_TIMEOUT = aiohttp.ClientTimeout(total=3.0)
_MOST_READ = 4 << 10
_MOST_TOLD = 300
_REFUSED = frozenset({401, 403})


class Locator:
    """A server at ``url``, which is told that ``node`` can be reached at ``address``.

    Without an address it is told the one from which it is reached, and ``port``.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, node: Node, address: str, port: int
    ) -> None:
        self.url = url
        self._session = session
        self._node = node
        self._address = address
        self._port = port
        self._trouble: str | None = ""

    async def hears(self) -> bool:
        """Tell it now; answers whether it heard. What changed is logged, not what goes on."""
        try:
            space = await self._node.shelf.space()
        except OSError as error:
            self._note("disk", f"the disk does not answer: {error.strerror or error}")
            return False
        try:
            status, said, cluster = await self._tell(space)
            if 200 <= status < 300 and await self._joins(cluster):
                status, said, _ = await self._tell(space)  # only with this the locator takes it in
        except _NotKept as error:
            self._note("disk", str(error))
            return False
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._note("unreachable", str(error) or f"no answer for {_TIMEOUT.total:g} seconds")
            return False
        if 200 <= status < 300:
            self._note(None, "")
            return True
        self._note(str(status), _reason(status, said))
        return False

    async def _tell(self, space: Space) -> tuple[int, bytes, str]:
        """Answers status, body and the cluster's id, if there is one."""
        message = await self._message(space)
        async with self._session.post(
            f"{self.url}/live", json=message, timeout=_TIMEOUT, allow_redirects=False
        ) as response:
            said = await response.content.read(_MOST_READ)
        return response.status, said, response.headers.get(CLUSTER, "")

    async def _joins(self, cluster: str) -> bool:
        try:
            return await self._node.belonging.join(cluster)
        except OSError as error:
            raise _NotKept(f"cluster-id cannot be kept: {error.strerror or error}") from error

    async def _message(self, space: Space) -> dict[str, object]:
        """What it is told.

        :raises OSError: there is no way to it.
        """
        address = self._address or joined(await local_host(self.url), self._port)
        return {
            "serviceId": self._node.id,
            "advertisedAddr": address,
            "timestamp": rfc3339(time.time()),
            "storageSizeBytes": space.used,
            "capacity": space.capacity,
            "free": space.free,
            "cluster": self._node.belonging.cluster,
        }

    def _note(self, trouble: str | None, reason: str) -> None:
        """Log that it hears now, or why not any more."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        if trouble is None:
            note("announced", locator=self.url)
        else:
            level = logging.WARNING if trouble == "unreachable" else logging.ERROR
            note("not announced", level=level, locator=self.url, reason=reason)


def _reason(status: int, said: bytes) -> str:
    """What an answer means, and what the locator says of it."""
    try:
        document = json.loads(said)
        detail = document.get("detail") or document.get("error") or ""
    except (ValueError, AttributeError, RecursionError):
        detail = ""
    hint = "; PENSTOCK_CLUSTER_SECRET must be the same there and here" * (status in _REFUSED)
    told = f": {str(detail)[:_MOST_TOLD]}" if detail else ""
    return f"it answers {status}{told}{hint}"


class _NotKept(Exception):
    """Nobody would know after a crash to which cluster the node belongs."""
