"""A version of a file in the making: its parts go to their nodes, then it becomes visible."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, NamedTuple
from uuid import uuid4

from penstock.catalog.cluster.rows import Node, NodeState, Part, Stored, part_name
from penstock.cluster.part_bytes import PartBytes, Read
from penstock.cluster.placement import choose, spread
from penstock.cluster.racing import Outrun, Race
from penstock.cluster.shared import Shared
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.errors import Busy, PenstockError, StorageFull
from penstock.stores.interface import Condition, Facts, FileInfo
from penstock.stores.tasks import together
from penstock.threads import in_thread

LEASE: Final = 120.0
"""Seconds without a sign of life after which a write is given up, and what it sent removed."""
_RETRY_AFTER: Final = 2
_MANY: Final = 1000
"""Pairs of a part and a node from which on it takes a while to place the parts."""
_MOST_UNTOLD: Final = 64

_log = logging.getLogger("penstock.cluster")


class Span(NamedTuple):
    """A part that is to be: its number, from 1, its first byte, and how many it has."""

    number: int
    start: int
    size: int


class Making:
    """One version, with the id ``file``, which becomes its ETag; use it once.

    What is going to a node is written down before it goes there. A version that is neither
    committed nor aborted is removed when nobody renewed it for ``lease`` seconds.
    """

    def __init__(self, shared: Shared, key: str, *, file: str = "", lease: float = LEASE) -> None:
        self._shared = shared
        self._key = key
        self._lease = lease
        self._begun = False
        self._nodes: dict[int, Sequence[str]] = {}
        """Of each part that is written down, where it is to go."""
        self._untold: list[Stored] = []
        """Parts that are on their nodes, which the catalog does not know yet."""
        self._sent: dict[int, tuple[str, ...]] = {}
        """The nodes that have the parts which were sent from here."""
        self._slow: set[str] = set()
        """Nodes that were far slower than others: asked last."""
        self._renewing: asyncio.Task[None] | None = None
        self.file = file or str(uuid4())

    async def begin(self, size: int | None, spans: Sequence[Span]) -> None:
        """Write down a version of ``size`` bytes (``None``: nobody knows) and its parts.

        :raises StorageFull: no node has room for one of them.
        :raises Busy: there are no nodes.
        """
        parts = await self._placed(spans)
        self._begun = True
        await self._shared.files.begin(self.file, self._key, size, parts, self._lease)
        self._wrote_down(parts)

    async def add(self, spans: Sequence[Span]) -> None:
        """Write down more parts. Raises likewise.

        :raises Superseded: the version is being removed.
        """
        parts = await self._placed(spans)
        await self._shared.files.add(self.file, parts, self._lease)
        self._wrote_down(parts)

    def goes_on(self, nodes: dict[int, Sequence[str]]) -> None:
        """It was begun earlier; these are the nodes of all parts that are written down."""
        self._begun = True
        self._nodes = dict(nodes)

    def keep_alive(self) -> None:
        """Renew it until it is committed or aborted, however slowly its bytes come."""
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew_on())

    async def send(self, span: Span, read: Read) -> None:
        """Have a part on as many nodes as there are to be copies, or as take it, but at least one.

        ``read`` gives its bytes, the first of which is at 0.

        :raises StorageFull: no node has room for it.
        :raises Busy: no node takes it.
        """
        async with PartBytes(self._shared, span.size, read) as data:
            sums = await data.sums()
            nodes = await self._copy(span, data, sums.crc32)
        self._sent[span.number] = tuple(nodes)
        self._untold.append(Stored(span.number, sums.crc32, sums.blocks, tuple(nodes)))
        if len(self._untold) >= _MOST_UNTOLD:
            await self.tell()

    async def tell(self) -> None:
        """Have the catalog know which parts are on their nodes."""
        told, self._untold = self._untold, []
        try:
            if told:
                await self._shared.files.stored(self.file, told, self._lease)
        except BaseException:
            self._untold += told
            raise

    async def is_lost(self) -> bool:
        """Whether every node has died since, or was removed, that had some part that was sent."""
        await self._shared.members.all()
        return not all(can_be_had(self._shared, nodes) for nodes in self._sent.values())

    async def commit(
        self, key: str, size: int, facts: Facts, condition: Condition
    ) -> tuple[FileInfo, bool]:
        """Make it the file at ``key``; answers that, and whether it replaced another.

        Made again it answers the same.

        :raises PreconditionFailed: ``condition`` does not hold at this moment.
        :raises Superseded: it was given up, since nobody renewed it.
        """
        grace = self._shared.options.grace
        stored = await self._shared.files.commit(
            self.file, key, size, facts, condition, grace, self._untold
        )
        await self._stop_renewing()
        return stored

    async def abort(self) -> None:
        """Have what was sent removed; nothing if it was committed. To be called once nothing is
        being sent."""
        await self._stop_renewing()
        if self._begun:
            try:
                await self._shared.files.abort(self.file)
            except Exception:  # noqa: BLE001 - the database is away; the lease ends by itself
                _log.warning("a write that was given up is removed later", exc_info=True)

    def _wrote_down(self, parts: Sequence[Part]) -> None:
        self._nodes.update({part.number: part.nodes for part in parts})

    async def _placed(self, spans: Sequence[Span]) -> list[Part]:
        """Nodes for each part; those that have just failed only where there are no others."""
        live = await self._live()
        if spans and not live:
            raise _nobody()
        well = [node for node in live if not self._shared.members.is_troubled(node.id)]
        copies = self._shared.options.replicas
        usual = well if len(well) >= copies else live
        names = [(part_name(self.file, span.number), span.size) for span in spans]
        chosen = await _spread(names, usual, copies)
        if not all(chosen) and usual is not live:
            chosen = await _spread(names, live, copies)
        if not all(chosen):
            raise _full()
        return [
            Part(*span, tuple(node.id for node in nodes))
            for span, nodes in zip(spans, chosen, strict=True)
        ]

    async def _live(self) -> list[Node]:
        return [n for n in await self._shared.members.all() if n.state is NodeState.LIVE]

    async def _candidates(self, span: Span) -> list[Node]:
        """The nodes to be asked, in that order: those it was placed on, then others."""
        live = await self._live()
        placed = self._nodes[span.number]
        others = choose(part_name(self.file, span.number), live, len(live), span.size, placed)
        known = {node.id: node for node in live}
        asked = [*(known[node] for node in placed if node in known), *others]
        troubled = self._shared.members.is_troubled
        return sorted(asked, key=lambda node: node.id in self._slow or troubled(node.id))

    async def _copy(self, span: Span, data: PartBytes, crc32: int) -> list[str]:
        """Store the copies, at the same time; answers the nodes that have one."""
        waiting = deque(await self._candidates(span))
        taken: list[str] = []
        failures: list[NodeFailed] = []
        race = Race()

        async def one() -> None:
            while waiting:
                node = waiting.popleft()
                try:
                    async with race.run(node.id, waiting):
                        await self._put(span, node, data, crc32)
                except NodeFailed as error:
                    if isinstance(error, Outrun):
                        self._slow.add(node.id)
                    _log.warning("a part is stored elsewhere: %s", error)
                    self._shared.members.trouble(node.id)
                    failures.append(error)
                else:
                    taken.append(node.id)
                    return

        await together(*(one() for _ in range(max(1, self._shared.options.replicas))))
        if not taken:
            full = bool(failures) and all(error.kind is Kind.FULL for error in failures)
            raise _full() if full else _nobody()
        return taken

    async def _put(self, span: Span, node: Node, data: PartBytes, crc32: int) -> None:
        if node.id not in self._nodes[span.number]:
            await self._shared.files.place(self.file, span.number, node.id)
        name = part_name(self.file, span.number)
        await self._shared.client.put(node, name, span.size, crc32, data.pieces)

    async def _renew_on(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 4)
            try:
                await self._shared.files.renew([self.file], self._lease)
            except Exception:  # noqa: BLE001 - the database may be away; there is time
                _log.warning("a write cannot be renewed in the catalog", exc_info=True)

    async def _stop_renewing(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)


def can_be_had(shared: Shared, nodes: Iterable[str]) -> bool:
    """Whether one of them is not known to be lost, as :meth:`Members.all` had it the last time."""
    found = (shared.members.get(node) for node in nodes)
    return any(node is not None and node.state is not NodeState.DEAD for node in found)


async def _spread(
    parts: Sequence[tuple[str, int]], nodes: Sequence[Node], copies: int
) -> list[tuple[Node, ...]]:
    work = partial(spread, parts, nodes, copies)
    return await in_thread(work) if len(parts) * len(nodes) > _MANY else work()


def _nobody() -> PenstockError:
    return Busy(
        "no storage node takes the file now, and nothing was stored; try again later, or see what "
        "is wrong with the nodes: penstock nodes ls",
        retry_after=_RETRY_AFTER,
    )


def _full() -> PenstockError:
    return StorageFull(
        "no storage node has room for the file, and nothing was stored; add a node or remove files"
    )
