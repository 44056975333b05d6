"""The nodes as one process sees them: s3testcase's locator, over a catalog that all share."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from sqlalchemy import exc as sql

from penstock.catalog.cluster.nodes import Nodes
from penstock.catalog.cluster.rows import Heard, Node, NodeState
from penstock.cluster.options import ClusterOptions
from penstock.errors import Busy, ServerUnavailable, WrongState

_FRESH = 1.0
"""Seconds that a look at the catalog is good for, and that announcements are gathered."""
_TROUBLED = 3.0
_RETRY_AFTER = 2
"""Seconds; a node announces itself every second, and is live with its second announcement."""
_MOST_GATHERED = 10_000
_PATIENCE = 2.0
"""Seconds that the catalog has for an answer to a node, which waits for three."""

AWAY = (sql.OperationalError, sql.InterfaceError, sql.TimeoutError, OSError)
"""What is raised while the database is away."""

_log = logging.getLogger("penstock.cluster")


class Members:
    """Hears the nodes, and tells which there are; belongs to one event loop.

    What one process hears, the others see in the catalog within two seconds.
    """

    def __init__(
        self,
        nodes: Nodes,
        options: ClusterOptions,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nodes = nodes
        self._options = options
        self._clock = clock
        self._known: dict[str, Node] = {}
        self._looked = -_FRESH
        self._looking = asyncio.Lock()
        self._gathered: dict[str, Heard] = {}
        self._written = -_FRESH
        self._writing: asyncio.Task[None] | None = None
        self._closed = False
        self._troubled: dict[str, float] = {}
        self._cluster = ""
        self._asking: asyncio.Task[bool] | None = None
        self._is_away = False

    async def announced(self, heard: Heard, cluster: str | None = None) -> str:
        """As :meth:`hear`; answers the id of the cluster.

        ``cluster`` is the id of that which the node belongs to. One that belongs to none yet,
        which is empty, is not taken in before it has kept this one: until then it might keep
        another. ``None`` is that of nodes that know of no such thing.

        :raises WrongState: it belongs to another cluster.
        :raises ServerUnavailable: the catalog is away.
        """
        await self._ask()
        if cluster and cluster != self._cluster:
            raise WrongState(
                "this node belongs to another cluster; give it a folder of its own, or remove "
                "DIR/cluster-id and its files"
            )
        if cluster != "":
            self.hear(heard)
        return self._cluster

    def hear(self, heard: Heard) -> None:
        """A node says that it is there. Written down within a second, together with others.

        Call :meth:`all` before, so that what the catalog has is known here.

        :raises WrongState: the node is live at another address: two have the same id.
        :raises Busy: there are more nodes than a cluster can have.
        """
        known = self._known.get(heard.id)
        waiting = self._gathered.get(heard.id)
        taken = known is not None and known.answers and known.address != heard.address
        if taken or (waiting is not None and waiting.address != heard.address):
            raise WrongState(
                f"the node {heard.id} is live at another address; no two may have the same id: "
                "give this one a folder of its own, or wait until the other is gone; if it is the "
                "same node, seen by gateways on several networks, name --advertise"
            )
        if waiting is None and len(self._gathered) >= _MOST_GATHERED:
            raise Busy("too many nodes announce themselves", retry_after=_RETRY_AFTER)
        self._gathered[heard.id] = heard
        if self._writing is None and not self._closed:
            self._writing = asyncio.create_task(self._write())

    async def flush(self) -> None:
        """Write down what was heard, without waiting for the second to be over."""
        heard, self._gathered = list(self._gathered.values()), {}
        if not heard:
            return
        try:
            await self._nodes.hear(heard)
        except Exception as error:  # noqa: BLE001 - the nodes will say it again
            self._tell_away(error)
        else:
            self._tell_back()
            self._looked = -_FRESH

    async def all(self) -> Sequence[Node]:
        """Every node, by id, as the catalog had it within the last second."""
        if not self._is_fresh():
            async with self._looking:
                if not self._is_fresh():  # by whoever was waited for
                    await self.look()
        return list(self._known.values())

    async def look(self) -> None:
        """Look into the catalog now, for who has just changed it."""
        asked = self._clock()
        known = {node.id: node for node in await self._nodes.all()}
        if asked >= self._looked:  # else somebody looked later, and had the answer sooner
            self._known, self._looked = known, asked

    def get(self, node_id: str) -> Node | None:
        """The node as it was seen last by :meth:`all`; ``None`` if there was none."""
        return self._known.get(node_id)

    async def writable(self) -> list[Node]:
        """The nodes that take parts.

        :raises Busy: there are none, or fewer than the cluster is to begin with.
        """
        live = [node for node in await self.all() if node.state is NodeState.LIVE]
        needed = max(1, self._options.min_nodes)
        if len(live) < needed:
            nodes = "node is" if needed == 1 else "nodes are"
            raise Busy(
                f"{len(live)} of {needed} storage {nodes} live; try again when more are, "
                "or see which are missing: penstock nodes ls",
                retry_after=_RETRY_AFTER,
            )
        return live

    def trouble(self, node_id: str) -> None:
        """The node has just failed: for a while it is asked when the others were."""
        self._troubled[node_id] = self._clock() + _TROUBLED

    def is_troubled(self, node_id: str) -> bool:
        """Whether it failed in the last three seconds."""
        until = self._troubled.get(node_id)
        if until is None:
            return False
        if until <= self._clock():
            del self._troubled[node_id]
            return False
        return True

    async def close(self) -> None:
        """Write down what was heard."""
        self._closed = True
        tasks = [task for task in (self._writing, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.flush()

    def _is_fresh(self) -> bool:
        return self._clock() - self._looked < _FRESH

    async def _ask(self) -> None:
        """Know the cluster and its nodes; one question at a time, however many wait for it.

        :raises ServerUnavailable: the catalog is away.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._know())
        asking = self._asking
        done, _ = await asyncio.wait([asking], timeout=_PATIENCE)
        if not done:
            self._tell_away(TimeoutError())
        if not done or asking.cancelled() or not asking.result():
            raise ServerUnavailable(
                "the catalog's database does not answer; announce again", retry_after=_RETRY_AFTER
            )

    async def _know(self) -> bool:
        try:
            self._cluster = self._cluster or await self._nodes.cluster()
            if not self._is_fresh():
                await self.all()
        except AWAY as error:
            self._tell_away(error)
            return False
        return True

    def _tell_away(self, error: BaseException) -> None:
        """Log when it begins that nodes cannot be heard, not every second."""
        if isinstance(error, AWAY):
            if not self._is_away:
                _log.warning("the catalog is away; nodes cannot be heard: %s", type(error).__name__)
                self._is_away = True
        else:
            _log.error("announcements of nodes cannot be written down", exc_info=error)

    def _tell_back(self) -> None:
        if self._is_away:
            self._is_away = False
            _log.warning("the catalog is back; nodes are heard")

    async def _write(self) -> None:
        """Until there is nothing more; at most one transaction a second."""
        try:
            while self._gathered:
                await asyncio.sleep(self._written + _FRESH - self._clock())
                self._written = self._clock()
                await self.flush()
        finally:
            self._writing = None
