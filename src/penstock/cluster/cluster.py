"""A cluster, put together: what the server's routes and the wiring use."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import Engine

from penstock.catalog import GroupCommit
from penstock.catalog.cluster import Copies, Duties, Files, Node, Nodes, NodeState, Removals
from penstock.catalog.cluster.nodes import SUSPECT_AFTER
from penstock.cluster.draining import MOST_NEEDED
from penstock.cluster.members import Members
from penstock.cluster.node_client import NodeClient
from penstock.cluster.options import ClusterOptions
from penstock.cluster.shared import Shared
from penstock.cluster.store import ClusterStore
from penstock.cluster.tally import Tally
from penstock.cluster.upkeep import Upkeep
from penstock.errors import NotFound, WrongState
from penstock.stores.budget import Budget

_SEEN_BY_ALL: Final = 2.0
"""Seconds until every process knows how a node stands."""


class NodeStanding(NamedTuple):
    """A node, and how many parts the catalog has on it."""

    node: Node
    parts: int


class Overview(NamedTuple):
    """How a cluster stands: ``live`` nodes take parts, and nothing is stored while they are fewer
    than ``min_nodes``. ``removing`` files wait to be removed from the nodes. ``upkeep`` is what
    this process has done, by name; its ``short`` and ``lost`` parts are those of whichever process
    looks after all of them."""

    nodes: list[NodeStanding]
    live: int
    min_nodes: int
    replicas: int
    removing: int
    upkeep: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes, the store over them, and what keeps it whole.

    ``store`` is closed by whoever uses it as a store, and ``upkeep`` by whoever started it;
    :meth:`close` comes after that, and before the catalog is closed.
    """

    options: ClusterOptions
    nodes: Nodes
    removals: Removals
    members: Members
    store: ClusterStore
    upkeep: Upkeep
    tally: Tally

    async def overview(self) -> Overview:
        """Every node by id, and how the cluster stands."""
        nodes = await self.members.all()
        counts, removing = await self.tally.now()
        return Overview(
            nodes=[NodeStanding(node, counts.get(node.id, 0)) for node in nodes],
            live=sum(node.state is NodeState.LIVE for node in nodes),
            min_nodes=self.options.min_nodes,
            replicas=self.options.replicas,
            removing=removing,
            upkeep=self.upkeep.status() | await self.upkeep.found(),
        )

    async def standing(self, identity: str) -> NodeStanding:
        """How a node stands.

        :raises NotFound: there is no such node.
        """
        await self.members.look()
        node = self.members.get(identity)
        if node is None:
            raise NotFound(f"there is no storage node {identity!r}; penstock nodes ls lists them")
        return NodeStanding(node, (await self.nodes.counts(identity)).get(identity, 0))

    async def drain(self, identity: str, *, draining: bool) -> None:
        """Have all parts of a node moved to others, or let it take some again.

        :raises NotFound: there is no such node.
        """
        await self.nodes.drain(identity, draining)
        self.upkeep.nudge()

    async def scrub(self, identity: str) -> None:
        """Have everything on a node read again, before its time.

        :raises NotFound: there is no such node.
        """
        await self.nodes.unscrubbed(identity)
        self.upkeep.nudge()

    async def remove(self, identity: str, *, force: bool) -> NodeStanding:
        """Forget a node that is silent and not needed; by ``force`` a dead one although it is.

        Answers how it stood.

        :raises NotFound: there is no such node.
        :raises WrongState: it announces itself, or it is needed and there is no ``force``.
        """
        standing = await self.standing(identity)
        needed = await self.upkeep.needed(identity)
        _check_removable(standing, needed, force=force)
        # What counts without it was counted above. A part that it has may be counted on by others
        # until it is dead: if it is not, they may just be removing another copy.
        silent = SUSPECT_AFTER
        if standing.parts:
            silent = self.options.dead_after + (0 if force else _SEEN_BY_ALL)
        await self.nodes.remove(identity, silent=silent)
        await self.members.look()
        return standing

    async def close(self) -> None:
        """Write down what was heard."""
        await self.members.close()


def open_cluster(
    engine: Engine,
    commits: GroupCommit,
    options: ClusterOptions,
    folder: Path,
    threads: int,
    sha256: bool,
) -> Cluster:
    """The cluster whose catalog is in ``engine``. ``folder`` is where bytes on their way to nodes
    wait that find no room in memory, ``threads`` how many of its files are used at once."""
    nodes = Nodes(engine, commits, options.dead_after)
    members = Members(nodes, options)
    shared = Shared(
        options,
        members,
        NodeClient(options.secret),
        Files(engine, commits),
        Copies(engine, commits),
        ThreadPoolExecutor(threads, "penstock-cluster"),
        Budget(options.memory),
        str(folder),
        sha256,
    )
    removals = Removals(engine, commits)
    upkeep = Upkeep(shared, nodes, removals, Duties(engine, commits))
    tally = Tally(nodes, removals)
    return Cluster(options, nodes, removals, members, ClusterStore(shared), upkeep, tally)


def _check_removable(standing: NodeStanding, needed: int, *, force: bool) -> None:
    node = standing.node
    short = f"{'at least ' * (needed >= MOST_NEEDED)}{needed:,} parts have too few copies without"
    if needed and not force:
        raise WrongState(
            f"{short} the node: drain it, or wait until they were copied from others; where its "
            "disk is lost for ever, remove it with force",
            parts=needed,
        )
    if needed and node.state is not NodeState.DEAD:
        raise WrongState(
            f"the node is {node.state}, not dead, and {short} it: stop it, and wait until it is "
            "dead",
            parts=needed,
        )
    if standing.parts and node.state is NodeState.SUSPECT:
        raise WrongState(
            f"the node has {standing.parts:,} parts and may be back at once: wait until it is dead",
            parts=standing.parts,
        )
    if node.answers:
        raise WrongState(
            "the node still announces itself, and would be back at once: stop it, and try again "
            "some seconds later"
        )
