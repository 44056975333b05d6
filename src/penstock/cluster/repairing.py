"""Parts with too few good copies, copied until they have enough."""

import logging
import time
from collections import Counter
from enum import Enum, auto
from typing import Final

from penstock.catalog.cluster.rows import CopyState, Node, PartRow
from penstock.cluster.copying import Copier, NoGoodCopy
from penstock.cluster.judging import Expected, judge
from penstock.cluster.means import Between, Means, nothing
from penstock.cluster.placement import choose
from penstock.cluster.releasing import Releaser
from penstock.cluster.standing import Standing
from penstock.cluster.trouble import NodeFailed
from penstock.stores.tasks import side_by_side

_PAGE: Final = 100
_AT_ONCE: Final = 8
_STALE: Final = 180.0
"""Seconds after which a copy that was never finished is taken for one that will not be."""
_MOST_STALE: Final = 5000
_MOST_NEW: Final = 100
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 3600.0
_MOST_TOLD: Final = 10_000
"""Lost parts that are remembered, so that each is logged once."""

_log = logging.getLogger("penstock.cluster")


class Outcome(Enum):
    """What became of a part that had too few copies: it has enough; it has to wait, for a node
    that may have it or one that can take it; no node has it."""

    ENOUGH = auto()
    WAITS = auto()
    LOST = auto()


class Repairer:
    """Repairs what it is told of, or all parts; in one process at a time."""

    def __init__(self, means: Means, copier: Copier, releaser: Releaser) -> None:
        self._means = means
        self._copier = copier
        self._releaser = releaser
        self._pauses: dict[tuple[str, str], tuple[float, float]] = {}
        self._told: set[str] = set()

    async def walk(self, between: Between = nothing) -> bool:
        """Repair every part that has too few copies; answers whether all have enough now."""
        means = self._means
        outcomes: Counter[Outcome] = Counter()
        lost: set[str] = set()
        after = ("", 0)

        async def one(part: PartRow) -> None:
            outcome = await self.mend(part)
            if outcome is Outcome.ENOUGH:
                await self._empty(part)
            else:
                outcomes[outcome] += 1
            if outcome is Outcome.LOST and len(lost) < _MOST_TOLD:
                lost.add(part.name)

        while True:
            standing = await means.standing()
            page = await means.copies.short(standing.replicas, standing.usable, after, _PAGE)
            if not page:
                break
            await side_by_side(one, page, _AT_ONCE)
            after = (page[-1].file, page[-1].number)
            await between()
        means.counts.short = outcomes.total()
        means.counts.lost = outcomes[Outcome.LOST]
        self._told &= lost  # what was found again is told of when it is lost again
        return not outcomes[Outcome.WAITS]

    async def tend(self, *, now: bool = False) -> None:
        """Look after copies that are bad, or were never finished: their parts are repaired, then
        they are removed. Each that has to wait is looked at less and less often, unless ``now``."""
        copies = self._means.copies
        # What was found bad just now does not wait behind many that nothing can be done about.
        rows = await copies.newly_bad(_MOST_NEW)
        rows += set(await copies.stale(_STALE, _MOST_STALE)).difference(rows)
        keys = {(row.name, row.node) for row in rows}
        self._pauses = {key: pause for key, pause in self._pauses.items() if key in keys}
        for row in rows:
            key = (row.name, row.node)
            pause, due = self._pauses.get(key, (_FIRST_PAUSE / 2, 0.0))
            if not now and time.monotonic() < due:
                continue
            if not await self._tend(row.file, row.number, row.node):
                pause = min(pause * 2, _LONGEST_PAUSE)
                self._pauses[key] = (pause, time.monotonic() + pause)

    async def mend(self, part: PartRow) -> Outcome:
        """Have enough nodes store a part."""
        means = self._means
        standing = await means.standing()
        if standing.is_enough(part):
            return Outcome.ENOUGH
        await self._revive(part, standing)
        refused: set[str] = set()
        while not standing.is_enough(part):
            sources = standing.sources(part)
            if not sources:
                return self._lost(part, standing)
            target = self._target(part, standing, refused)
            if target is None:
                return Outcome.WAITS
            try:
                if not await self._copier.copy(part, target, sources):
                    return Outcome.ENOUGH  # the file is removed
            except NodeFailed as failure:
                refused.add(target.id)
                means.failed(failure)
                _log.warning("a copy of a part was not taken: %s", failure)
            except NoGoodCopy as failure:
                return Outcome.WAITS if failure.silent else self._lost(part, standing)
            else:
                part.copies[target.id] = CopyState.STORED
                means.counts.repaired += 1
        return Outcome.ENOUGH

    async def _tend(self, file: str, number: int, node_id: str) -> bool:
        """Answers whether there is nothing more to do."""
        part = await self._means.files.part(file, number)
        if part is None or part.copies.get(node_id) in (None, CopyState.STORED):
            return True
        if await self.mend(part) is not Outcome.ENOUGH:
            return False
        if part.copies.get(node_id) is CopyState.STORED:
            return True
        return await self._releaser.dispose(part, node_id)

    async def _empty(self, part: PartRow) -> None:
        """Nodes that are draining have it no more."""
        nodes = (await self._means.standing()).nodes
        for node_id in part.stored:
            if node_id in nodes and nodes[node_id].draining:
                released = await self._releaser.release(part, node_id, thorough=False)
                self._means.counts.moved += released

    async def _revive(self, part: PartRow, standing: Standing) -> None:
        """Copies that do not count may be right all the same: that is seen without copying."""
        for node_id, state in part.copies.items():
            node = standing.nodes.get(node_id)
            if state is CopyState.STORED or node is None or not self._means.is_asked(node):
                continue
            try:
                found = await judge(self._means, node, [Expected.of(part)])
            except NodeFailed as failure:
                self._means.failed(failure)
                continue
            part.copies[node_id] = found.get(part.name, state)

    def _target(self, part: PartRow, standing: Standing, refused: set[str]) -> Node | None:
        """The node that is to have one more copy; one whose copy is bad may have it replaced."""
        able = [node for node in standing.live if self._means.is_asked(node)]
        chosen = choose(part.name, able, 1, part.size, {*part.stored, *refused})
        return chosen[0] if chosen else None

    def _lost(self, part: PartRow, standing: Standing) -> Outcome:
        """Nobody has it who can be asked; logged once."""
        if part.name not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(part.name)
            where = {node: str(state) for node, state in sorted(part.copies.items())}
            _log.error("a part is lost", extra={"fields": {"part": part.name, "copies": where}})
        return Outcome.LOST
