"""Nodes that are to have no parts any more: emptied once their parts are on others."""

import logging
from collections.abc import AsyncIterator, Collection
from typing import Final

from penstock.catalog.cluster.copies import HeldCopy
from penstock.catalog.cluster.rows import CopyState, PartRow
from penstock.cluster.means import Between, Means, nothing
from penstock.cluster.releasing import Releaser
from penstock.cluster.standing import Standing

MOST_NEEDED: Final = 1000
"""Copies that are counted before a node is said to be needed."""
_PAGE: Final = 500

_log = logging.getLogger("penstock.cluster")


class Drainer:
    """Empties the nodes that are draining; in one process at a time.

    Their copies do not count, so the repair of all parts makes others. What is left is removed.
    """

    def __init__(self, means: Means, releaser: Releaser) -> None:
        self._means = means
        self._releaser = releaser
        self._told: set[str] = set()

    async def run_once(self, between: Between = nothing) -> bool:
        """Remove what has enough copies elsewhere; answers whether no node is draining now that
        has copies."""
        standing = await self._means.standing()
        draining = {node.id for node in standing.nodes.values() if node.draining}
        self._told &= draining
        left = 0
        for node_id in draining:
            copies = await self._empty(node_id, standing, between)
            left += copies
            if not copies and node_id not in self._told:
                self._told.add(node_id)
                _log.info("a node is drained", extra={"fields": {"node": node_id}})
        return not left

    async def needed(self, node_id: str) -> int:
        """How many copies the node has, counted up to ``MOST_NEEDED``, that would be missed:
        without them a part would have fewer copies than it is to have. One that is bad is, if no
        other node has a good one: some of its blocks may be all that is left of the part."""
        standing = await self._means.standing()
        others = standing.usable - {node_id}
        if not others:
            return min(MOST_NEEDED, (await self._means.nodes.counts()).get(node_id, 0))
        missed = 0
        after = ("", 0)
        while missed < MOST_NEEDED:
            page = await self._means.copies.short(standing.replicas, others, after, _PAGE)
            missed += sum(_is_missed(part, node_id, others) for part in page)
            if len(page) < _PAGE:
                break
            after = (page[-1].file, page[-1].number)
        return min(MOST_NEEDED, missed)

    async def _empty(self, node_id: str, standing: Standing, between: Between) -> int:
        """Answers how many copies are left."""
        left = 0
        async for row, part in self._copies(node_id, between):
            if part is None:
                continue  # its file was removed just now
            if row.state is not CopyState.STORED or not standing.is_enough(part, without=node_id):
                left += 1  # looked after by the repair, or by an upload
            elif await self._releaser.release(part, node_id, thorough=False):
                self._means.counts.moved += 1
            else:
                left += 1
        return left

    async def _copies(
        self, node_id: str, between: Between
    ) -> AsyncIterator[tuple[HeldCopy, PartRow | None]]:
        """Every copy of a node, with its part."""
        after = ""
        while page := await self._means.copies.on(node_id, after, _PAGE):
            for row in page:
                yield row, await self._means.files.part(row.file, row.number)
            after = page[-1].name
            await between()


def _is_missed(part: PartRow, node_id: str, others: Collection[str]) -> bool:
    """Whether what the node has of a part that has too few copies on ``others`` is needed."""
    if part.copies.get(node_id) is CopyState.BAD:
        return not any(node in others for node in part.stored)
    return node_id in part.stored
