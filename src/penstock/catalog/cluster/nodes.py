"""The storage nodes, as far as they were heard of."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, case, delete, func, null, select, update

from penstock.catalog.clock import NOW
from penstock.catalog.cluster.rows import CopyState, Heard, Node, NodeState
from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import nodes
from penstock.errors import NotFound
from penstock.threads import in_thread

SUSPECT_AFTER = 5.0
"""Seconds of silence after which a node, which speaks every second, is given nothing more."""

_TRIED_FOR = 0.9
"""Seconds between the first word of a node and the one that makes it live: its second."""

_NODES = select(nodes, (NOW - nodes.c.seen).label("silent")).order_by(nodes.c.id)


class Nodes:
    """The table of nodes; a node is dead when it was silent for ``dead_after`` seconds."""

    def __init__(self, engine: Engine, commits: GroupCommit, dead_after: float) -> None:
        self._engine = engine
        self._commits = commits
        self._dead_after = dead_after

    async def hear(self, heard: Sequence[Heard]) -> None:
        """Take down what nodes say of themselves, all at once."""
        newest = {one.id: one for one in heard}
        # In the order of their ids, so that two processes do not wait for each other.
        rows = [newest[identity]._asdict() for identity in sorted(newest)]
        if not rows:
            return

        def change(connection: Connection) -> None:
            values = {"joined": NOW, "seen": NOW, "draining": False}
            adding = inserting(connection, nodes, {})
            said = {name: adding.excluded[name] for name in ("address", "capacity", "free", "used")}
            came_back = nodes.c.seen < NOW - self._dead_after
            # Nobody knows with what it comes back, so it is compared with the catalog again.
            anew = {
                "joined": case((came_back, NOW), else_=nodes.c.joined),
                "scrubbed": case((came_back, null()), else_=nodes.c.scrubbed),
            }
            adding = adding.on_conflict_do_update(
                index_elements=["id"], set_={**said, **anew, "seen": NOW}
            )
            connection.execute(adding.values(values), rows)

        await self._commits.run(change)

    async def all(self) -> list[Node]:
        """Every node that was ever heard of and not removed, by id."""

        def read() -> list[Node]:
            with self._engine.connect() as connection:
                return [self._node(row) for row in connection.execute(_NODES)]

        return await in_thread(read)

    async def drain(self, identity: str, draining: bool) -> None:
        """Let the node have no parts any more, or again.

        :raises NotFound: there is no such node.
        """
        changed = update(nodes).where(nodes.c.id == identity).values(draining=draining)
        if not await self._commits.run(lambda connection: connection.execute(changed).rowcount):
            raise _unknown(identity)

    async def scrubbed(self, identity: str) -> None:
        """Take down that the node was compared with the catalog just now."""
        changed = update(nodes).where(nodes.c.id == identity).values(scrubbed=NOW)
        await self._commits.run(lambda connection: connection.execute(changed))

    async def unscrubbed(self, identity: str) -> None:
        """Have the node compared with the catalog as if it never was.

        :raises NotFound: there is no such node.
        """
        changed = update(nodes).where(nodes.c.id == identity).values(scrubbed=None)
        if not await self._commits.run(lambda connection: connection.execute(changed).rowcount):
            raise _unknown(identity)

    async def remove(self, identity: str) -> None:
        """Forget the node and whatever it has.

        :raises NotFound: there is no such node.
        """
        found = False

        def change(connection: Connection) -> None:
            nonlocal found
            gone = connection.execute(delete(nodes).where(nodes.c.id == identity)).rowcount
            connection.execute(delete(copies).where(copies.c.node == identity))
            # It stays true if this is made again because nobody knows whether it was made.
            found = found or gone == 1

        await self._commits.run(change)
        if not found:
            raise _unknown(identity)

    async def counts(self) -> dict[str, int]:
        """How many copies each node has, or is about to have; a node without any is left out."""
        there = copies.c.state.in_([CopyState.STORED, CopyState.WRITING])
        query = select(copies.c.node, func.count()).where(there).group_by(copies.c.node)

        def read() -> dict[str, int]:
            with self._engine.connect() as connection:
                return {node: int(count) for node, count in connection.execute(query)}

        return await in_thread(read)

    def _node(self, row: Row[Any]) -> Node:
        silent = max(0.0, row.silent)  # the clock may have been set back
        return Node(
            id=row.id,
            address=row.address,
            capacity=row.capacity,
            free=row.free,
            used=row.used,
            state=self._state(row, silent),
            silent=silent,
            draining=row.draining,
            scrubbed=row.scrubbed,
        )

    def _state(self, row: Row[Any], silent: float) -> NodeState:
        if silent > self._dead_after:
            return NodeState.DEAD
        if silent > SUSPECT_AFTER:
            return NodeState.SUSPECT
        if row.draining:
            return NodeState.DRAINING
        return NodeState.JOINING if row.seen - row.joined < _TRIED_FOR else NodeState.LIVE


def _unknown(identity: str) -> NotFound:
    return NotFound(f"there is no storage node {identity!r}; list the nodes to see which there are")
