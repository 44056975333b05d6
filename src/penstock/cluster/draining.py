"""Nodes that are to have no parts any more: emptied once their parts are on others."""

import logging
from collections.abc import AsyncIterator
from typing import Final

from penstock.catalog.cluster.copies import HeldCopy
from penstock.catalog.cluster.rows import CopyState, PartRow
from penstock.cluster.means import Means
from penstock.cluster.releasing import Releaser
from penstock.cluster.standing import Standing

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

    async def run_once(self) -> bool:
        """Remove what has enough copies elsewhere; answers whether no node is draining now that
        has copies."""
        standing = await self._means.standing()
        draining = {node.id for node in standing.nodes.values() if node.draining}
        self._told &= draining
        left = 0
        for node_id in draining:
            copies = await self._empty(node_id, standing)
            left += copies
            if not copies and node_id not in self._told:
                self._told.add(node_id)
                _log.info("a node is drained", extra={"fields": {"node": node_id}})
        return not left

    async def needed(self, node_id: str, most: int = 1000) -> int:
        """How many copies the node has, counted up to ``most``, that would be missed: without
        them a part would have fewer copies than it is to have."""
        standing = await self._means.standing()
        others = standing.usable - {node_id}
        if not others:
            return min(most, (await self._means.nodes.counts()).get(node_id, 0))
        missed = 0
        after = ("", 0)
        while missed < most:
            page = await self._means.copies.short(standing.replicas, others, after, _PAGE)
            missed += sum(node_id in part.stored for part in page)
            if len(page) < _PAGE:
                break
            after = (page[-1].file, page[-1].number)
        return min(most, missed)

    async def _empty(self, node_id: str, standing: Standing) -> int:
        """Answers how many copies are left."""
        left = 0
        async for row, part in self._copies(node_id):
            if part is None:
                continue  # its file was removed just now
            if row.state is not CopyState.STORED or not standing.is_enough(part, without=node_id):
                left += 1  # looked after by the repair, or by an upload
            elif await self._releaser.release(part, node_id, thorough=False):
                self._means.counts.moved += 1
            else:
                left += 1
        return left

    async def _copies(self, node_id: str) -> AsyncIterator[tuple[HeldCopy, PartRow | None]]:
        """Every copy of a node, with its part."""
        after = ""
        parts: list[PartRow] = []
        while page := await self._means.copies.on(node_id, after, _PAGE):
            for row in page:
                if not parts or parts[0].file != row.file:
                    parts = await self._means.files.parts(row.file)
                yield row, next((part for part in parts if part.number == row.number), None)
            after = page[-1].name
