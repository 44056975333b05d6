"""Copies beyond those that there are to be, as when a node came back whose parts were repaired."""

from functools import partial
from typing import Final

from penstock.catalog.cluster.rows import PartRow
from penstock.cluster.balancing import used_share
from penstock.cluster.means import Between, Means, nothing
from penstock.cluster.releasing import Releaser
from penstock.cluster.standing import Standing
from penstock.stores.tasks import side_by_side

_PAGE: Final = 100
_AT_ONCE: Final = 4


class Trimmer:
    """Removes copies that are too many, from the fullest nodes; in one process at a time."""

    def __init__(self, means: Means, releaser: Releaser) -> None:
        self._means = means
        self._releaser = releaser

    async def walk(self, between: Between = nothing) -> bool:
        """Look at every part; answers whether none has too many copies now."""
        means = self._means
        is_done = True
        after = ("", 0)

        async def one(standing: Standing, part: PartRow) -> None:
            nonlocal is_done
            is_done &= await self._trim(part, standing)

        while True:
            standing = await means.standing()
            page = await means.copies.extra(
                replicas=standing.replicas, usable=standing.usable, after=after, most=_PAGE
            )
            if not page:
                return is_done
            await side_by_side(partial(one, standing), page, _AT_ONCE)
            after = (page[-1].file, page[-1].number)
            await between()

    async def _trim(self, part: PartRow, standing: Standing) -> bool:
        holders = [standing.nodes[node] for node in standing.holders(part)]
        over = max(0, len(holders) - standing.replicas)
        if not all(self._means.is_asked(node) for node in holders):
            return False  # nobody could tell whether the others have it
        for node in sorted(holders, key=used_share, reverse=True)[:over]:
            if not await self._releaser.release(part, node.id, thorough=True):
                return False
            self._means.counts.trimmed += 1
        return True
