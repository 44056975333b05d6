"""A whole cluster in this process: real nodes, a real catalog, and the store over them."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, update

from penstock.catalog import GroupCommit, open_database
from penstock.catalog.clock import NOW
from penstock.catalog.cluster import (
    Copies,
    CopyState,
    Duties,
    Files,
    Heard,
    Node,
    Nodes,
    PartRow,
    Removals,
)
from penstock.catalog.schema import nodes as nodes_table
from penstock.cluster.members import Members
from penstock.cluster.node_client import Addressed, Body, Kept, NodeClient
from penstock.cluster.options import ClusterOptions
from penstock.cluster.shared import Shared
from penstock.cluster.store import ClusterStore
from penstock.stores.budget import Budget
from tests.node.nodes import NodeHere, running_node

GIB = 1 << 30
SECRET = "the-secret-of-the-tests"
_ANNOUNCED = 1.0
_LONG_AGO = 60.0
_AHEAD = 10.0


class RecordingClient(NodeClient):
    """Remembers what it was asked to store: the ids of nodes and the names of parts, in order."""

    def __init__(self, secret: str, silence: float = 5.0) -> None:
        super().__init__(secret, connect=silence, silence=silence)
        self.puts: list[tuple[str, str]] = []

    async def put(
        self, node: Addressed, name: str, size: int, crc32: int | None, body: Body
    ) -> Kept:
        self.puts.append((node.id, name))
        return await super().put(node, name, size, crc32, body)


@dataclass
class Member:
    """A node of the cluster. It is announced while ``speaks``, as a process of its own would
    announce itself, with ``free`` bytes of room; ``here`` is ``None`` while it is killed.

    What it answers may come from somewhere else: ``address`` is where the store asks it.
    """

    folder: Path
    id: str = ""
    address: str = ""
    free: int = 100 * GIB
    speaks: bool = True
    here: NodeHere | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def files(self) -> set[str]:
        """The names of what lies on its disk; blocks, so ask in a thread."""
        folder = self.folder / "files"
        return {path.name for path in folder.iterdir() if path.is_file()}

    def path(self, name: str) -> Path:
        """Where a part lies on its disk."""
        return self.folder / "files" / name


@dataclass
class Catalog:
    """The catalog's classes; ``nodes`` is the table of nodes."""

    engine: Engine
    commits: GroupCommit
    nodes: Nodes
    files: Files
    copies: Copies
    removals: Removals
    duties: Duties


@dataclass
class ClusterHere:
    """A cluster, as one gateway has it. ``nodes`` are numbered from 0, in the order of their
    birth."""

    options: ClusterOptions
    catalog: Catalog
    shared: Shared
    store: ClusterStore
    folder: Path
    nodes: list[Member]
    client: RecordingClient

    @property
    def members(self) -> Members:
        return self.shared.members

    async def add(self) -> Member:
        """One node more; it is live."""
        member = Member(self.folder / f"node{len(self.nodes)}")
        self.nodes.append(member)
        await self.restore(len(self.nodes) - 1)
        return member

    async def kill(self, number: int) -> None:
        """End a node at once; the catalog thinks that it is live still, for a while."""
        member = self.nodes[number]
        member.speaks = False
        member.here = None
        stack, member.stack = member.stack, AsyncExitStack()
        await stack.aclose()

    async def restore(self, number: int) -> None:
        """Start a node, with what is on its disk; it is live."""
        member = self.nodes[number]
        member.here = await member.stack.enter_async_context(running_node(member.folder, SECRET))
        member.id, member.address, member.speaks = member.here.id, member.here.address, True
        await self.hear()

    async def hear(self) -> None:
        """Have every node that speaks announced now, as it is now."""
        heard = [
            Heard(member.id, member.address, 200 * GIB, member.free, 0)
            for member in self.nodes
            if member.speaks
        ]
        await self.catalog.nodes.hear(heard)
        # They are no new ones to anybody, and a machine that stands still makes none suspect.
        known = update(nodes_table).where(nodes_table.c.id.in_([one.id for one in heard]))
        await self._change(known.values(joined=NOW - _LONG_AGO, seen=NOW + _AHEAD))

    async def silence(self, number: int, seconds: float) -> None:
        """Have a node silent for so long; it is announced no more."""
        member = self.nodes[number]
        member.speaks = False
        silent = update(nodes_table).where(nodes_table.c.id == member.id)
        await self._change(silent.values(seen=NOW - seconds))

    async def die(self, number: int) -> None:
        """Kill a node, so long ago that it is dead."""
        await self.kill(number)
        await self.silence(number, self.options.dead_after + 1)

    async def node(self, number: int) -> Node:
        """What the catalog says of a node."""
        found = {node.id: node for node in await self.catalog.nodes.all()}
        return found[self.nodes[number].id]

    async def parts(self, key: str) -> list[PartRow]:
        """The parts of the file at ``key``."""
        return await self.catalog.files.parts((await self.store.stat(key)).etag)

    async def copies(self, key: str) -> list[set[int]]:
        """For each part of the file, the numbers of the nodes that have it, says the catalog."""
        numbers = {member.id: number for number, member in enumerate(self.nodes)}
        return [
            {numbers[node] for node, state in part.copies.items() if state is CopyState.STORED}
            for part in await self.parts(key)
        ]

    async def on_disks(self) -> list[set[str]]:
        """For each node, the names of what lies on its disk."""
        return await asyncio.to_thread(lambda: [member.files for member in self.nodes])

    async def _change(self, statement: Any) -> None:
        await self.catalog.commits.run(lambda connection: connection.execute(statement))
        await self.members.look()


@asynccontextmanager
async def running_cluster(
    folder: Path, url: str, nodes: int = 3, *, silence: float = 5.0, **options: Any
) -> AsyncIterator[ClusterHere]:
    """A cluster of live nodes below ``folder``, on the catalog ``url``; all nodes and all classes
    are real. A node is unreachable if nothing moves for ``silence`` seconds. Further arguments are
    fields of :class:`ClusterOptions`."""
    given = ClusterOptions(**{"secret": SECRET, **options})
    async with AsyncExitStack() as stack:
        catalog = await _open_catalog(stack, url, given)
        members = Members(catalog.nodes, given)
        stack.push_async_callback(members.close)
        shared = Shared(
            given,
            members,
            client := RecordingClient(given.secret, silence),
            catalog.files,
            catalog.copies,
            ThreadPoolExecutor(8, "cluster-test"),
            Budget(given.memory),
            str(folder / "spool"),
        )
        cluster = ClusterHere(given, catalog, shared, ClusterStore(shared), folder, [], client)
        stack.push_async_callback(_kill_all, cluster)
        stack.push_async_callback(cluster.store.close)
        for _ in range(nodes):
            await cluster.add()
        speaking = asyncio.create_task(_speak(cluster))
        stack.push_async_callback(_end, speaking)
        yield cluster


@asynccontextmanager
async def second_gateway(cluster: ClusterHere, **options: Any) -> AsyncIterator[ClusterStore]:
    """Another process's store over the same nodes and the same catalog, with other options."""
    given = replace(cluster.options, **options)
    members = Members(cluster.catalog.nodes, given)
    client = RecordingClient(given.secret)
    pool = ThreadPoolExecutor(8, "cluster-test")
    files, copies = cluster.catalog.files, cluster.catalog.copies
    spool = str(cluster.folder / "spool")
    store = ClusterStore(
        Shared(given, members, client, files, copies, pool, Budget(given.memory), spool)
    )
    try:
        yield store
    finally:
        await store.close()
        await members.close()


async def _open_catalog(stack: AsyncExitStack, url: str, options: ClusterOptions) -> Catalog:
    engine = await asyncio.to_thread(open_database, url)
    stack.push_async_callback(asyncio.to_thread, engine.dispose)
    commits = GroupCommit(engine)
    stack.push_async_callback(commits.close)
    return Catalog(
        engine,
        commits,
        Nodes(engine, commits, options.dead_after),
        Files(engine, commits),
        Copies(engine, commits),
        Removals(engine, commits),
        Duties(engine, commits),
    )


async def _speak(cluster: ClusterHere) -> None:
    while True:
        await asyncio.sleep(_ANNOUNCED)
        await cluster.hear()


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _kill_all(cluster: ClusterHere) -> None:
    for number in range(len(cluster.nodes)):
        await cluster.kill(number)
