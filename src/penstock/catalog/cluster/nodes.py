"""The storage nodes, as far as they were heard of."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Engine, Row, case, delete, func, null, or_, select, update

from penstock.catalog.clock import NOW
from penstock.catalog.cluster.rows import Heard, Node, NodeState
from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_duties as duties
from penstock.catalog.schema import nodes
from penstock.errors import NotFound, WrongState
from penstock.threads import in_thread

SUSPECT_AFTER = 5.0
"""Seconds of silence after which a node, which speaks every second, is given nothing more."""

_TRIED_FOR = 0.9
"""Seconds between the first word of a node and the one that makes it live: its second."""

_CLUSTER = "cluster"

_FORGOTTEN = 5000
"""Copies that are forgotten in one transaction: nobody else's change waits for long."""

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
            moved = nodes.c.address != adding.excluded.address
            # Nobody knows with what it comes back, so it is compared with the catalog again. At
            # another address it may be a copy of its disk.
            anew = {
                "joined": case((came_back, NOW), else_=nodes.c.joined),
                "scrubbed": case((or_(came_back, moved), null()), else_=nodes.c.scrubbed),
            }
            adding = adding.on_conflict_do_update(
                index_elements=["id"], set_={**said, **anew, "seen": NOW}
            )
            connection.execute(adding.values(values), rows)

        await self._commits.run(change)

    async def cluster(self) -> str:
        """The id of the cluster, a UUID, which its nodes keep; made when it is first asked for."""

        def change(connection: Connection) -> str:
            # Beside the duties, though nobody takes it.
            values = {"name": _CLUSTER, "holder": "", "until": 0.0, "state": str(uuid4())}
            found = inserting(connection, duties, values).on_conflict_do_update(
                index_elements=["name"], set_={"name": duties.c.name}
            )
            identity: str = connection.scalar(found.returning(duties.c.state))
            return identity

        return await self._commits.run(change)

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

    async def scrubbing(self, identity: str) -> bool:
        """Take down that the node is being compared with the catalog from now on; answers whether
        that is to begin anew, whatever was read of it before."""
        anew = False
        asked = update(nodes).where(nodes.c.id == identity, nodes.c.scrubbed.is_(None))
        done = update(nodes).where(nodes.c.id == identity, nodes.c.scrubbed > 0)

        def change(connection: Connection) -> bool:
            nonlocal anew
            # It stays true if this is made again because nobody knows whether it was made.
            anew = connection.execute(asked.values(scrubbed=0.0)).rowcount == 1 or anew
            connection.execute(done.values(scrubbed=-nodes.c.scrubbed))
            return anew

        return await self._commits.run(change)

    async def scrubbed(self, identity: str) -> None:
        """Take down that the node was compared with the catalog just now; unless it came back, or
        somebody asked for that, since :meth:`scrubbing`."""
        changed = update(nodes).where(nodes.c.id == identity, nodes.c.scrubbed.is_not(None))
        changed = changed.values(scrubbed=NOW)
        await self._commits.run(lambda connection: connection.execute(changed))

    async def unscrubbed(self, identity: str) -> None:
        """Have the node compared with the catalog as if it never was.

        :raises NotFound: there is no such node.
        """
        changed = update(nodes).where(nodes.c.id == identity).values(scrubbed=None)
        if not await self._commits.run(lambda connection: connection.execute(changed).rowcount):
            raise _unknown(identity)

    async def remove(self, identity: str, *, silent: float = 0.0) -> None:
        """Forget the node and whatever it has: its copies some at a time, itself with the last, so
        that what was broken off can be asked for again.

        :param silent: for how long it must have been silent, until the end
        :raises NotFound: there is no such node.
        :raises WrongState: it speaks.
        """
        found = speaks = False
        its_own = copies.c.node == identity
        some = select(copies.c.name).where(its_own).order_by(copies.c.name).limit(_FORGOTTEN)

        speaking = select(nodes.c.id).where(nodes.c.id == identity, nodes.c.seen > NOW - silent)

        def change(connection: Connection) -> bool:
            nonlocal found, speaks
            # A write, which changes nothing: nobody hears it until this is done.
            connection.execute(update(nodes).where(nodes.c.id == identity).values(id=nodes.c.id))
            speaks = connection.scalar(speaking) is not None if silent else False
            if speaks:
                return True
            forgotten = delete(copies).where(its_own, copies.c.name.in_(some))
            if connection.execute(forgotten).rowcount == _FORGOTTEN:
                return False
            gone = connection.execute(delete(nodes).where(nodes.c.id == identity)).rowcount
            # It stays true if this is made again because nobody knows whether it was made.
            found = found or gone == 1
            return True

        while not await self._commits.run(change):
            pass
        if speaks:
            raise WrongState(
                "the node announced itself again, or some seconds ago: stop it, and try again later"
            )
        if not found:
            raise _unknown(identity)

    async def counts(self, identity: str = "") -> dict[str, int]:
        """How many copies each node has, or is about to have, or only the one; a node without any
        is left out. Bad ones are counted: there may be no other of their parts."""
        query = select(copies.c.node, func.count()).group_by(copies.c.node)
        if identity:
            query = query.where(copies.c.node == identity)

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
            scrubbed=abs(row.scrubbed) if row.scrubbed else None,
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
