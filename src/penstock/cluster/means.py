"""What every part of the upkeep works with."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from penstock.catalog.cluster.nodes import Nodes
from penstock.catalog.cluster.removals import Removals
from penstock.catalog.cluster.rows import Node
from penstock.cluster.shared import Shared
from penstock.cluster.standing import Standing
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.octets.rate import TokenBucket

_DECISION: Final = 5.0
_PIECE: Final = 1 << 20
"""Bytes that are taken on credit at once, so that nobody waits long for what others took."""

Between = Callable[[], Awaitable[None]]
"""What is done between two pages of a walk through many parts."""

_log = logging.getLogger("penstock.cluster")


async def nothing() -> None:
    """There is nothing to be done between."""


@dataclass(slots=True)
class Counts:
    """What this process has done so far. ``short`` and ``lost`` are parts as the last look at all
    of them found them: with too few copies, and those among them of which no copy can be had."""

    short: int = 0
    lost: int = 0
    repaired: int = 0
    moved: int = 0
    trimmed: int = 0
    cleaned: int = 0
    orphans: int = 0
    bad: int = 0
    checked: int = 0


class NamedPart(Protocol):
    """A part, as far as it must be known to be found."""

    @property
    def name(self) -> str: ...

    @property
    def file(self) -> str: ...

    @property
    def number(self) -> int: ...


class Means:
    """What the tasks of the upkeep of one process share: the nodes and the catalog, the counts of
    what was done, the limit of bytes per second, and the lock ``handing``."""

    def __init__(self, shared: Shared, nodes: Nodes, removals: Removals) -> None:
        self.options = shared.options
        self.members = shared.members
        self.client = shared.client
        self.files = shared.files
        self.copies = shared.copies
        self.nodes = nodes
        self.removals = removals
        self.counts = Counts()
        self.handing = asyncio.Lock()
        """Held where a copy's row and its bytes change together: by who announces a copy, counts
        one, or removes one. One lock for all parts. Never held for as long as bytes are sent, but
        for as long as a node reads copies that are doubtful."""
        self._bucket = TokenBucket(shared.options.upkeep_rate)

    async def standing(self) -> Standing:
        """The nodes as they are now, at most a second ago."""
        return Standing.of(await self.members.all(), self.options.replicas)

    def deciding(self) -> asyncio.Timeout:
        """The time in which what is decided by the catalog is done, or not done at all.

        The duty is ours for longer than that. So a process that stood still for minutes meanwhile
        deletes nothing when it goes on: what it knew may be wrong by then.
        """
        return asyncio.timeout(_DECISION)

    async def pace(self, size: int) -> None:
        """Wait so that everything that calls this passes ``upkeep_rate`` bytes per second.

        Who passes much waits a piece at a time: who passes little meanwhile does not wait for all
        of it.
        """
        loop = asyncio.get_running_loop()
        for start in range(0, size, _PIECE):
            await asyncio.sleep(self._bucket.delay(loop.time(), min(_PIECE, size - start)))

    async def is_bad(self, part: NamedPart, node_id: str) -> None:
        """A copy that counted is not there, or not right."""
        self.counts.bad += 1
        _log.warning(
            "a copy of a part is bad", extra={"fields": {"part": part.name, "node": node_id}}
        )
        await self.copies.bad(part.file, part.number, node_id)

    def failed(self, failure: NodeFailed) -> None:
        """A node did not do what it was asked for: ask it last for a while, if it is the node, or
        if it is full, whatever it says of itself."""
        if failure.is_of_node or failure.kind is Kind.FULL:
            self.members.trouble(failure.node)

    def is_asked(self, node: Node | None) -> bool:
        """Whether it makes sense to ask a node now."""
        return node is not None and node.answers and not self.members.is_troubled(node.id)
