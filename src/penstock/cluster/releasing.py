"""Copies that are not needed, removed from their nodes; never the last good one."""

from penstock.catalog.cluster.rows import CopyState, Node, NodeState, PartRow
from penstock.cluster.judging import Expected, judge, shows, wrong
from penstock.cluster.means import Means
from penstock.cluster.standing import Standing
from penstock.cluster.trouble import NodeFailed


class Releaser:
    """Removes copies in an order that is safe in several processes at once.

    A copy that is to go is first taken out of those that count, and only then are the others
    counted: of two who each take one away, the later sees what the earlier did.
    """

    def __init__(self, means: Means) -> None:
        self._means = means

    async def release(self, part: PartRow, node_id: str, *, thorough: bool) -> bool:
        """Remove a good copy, if there are enough without it; answers whether it is removed.

        With ``thorough`` the nodes of the others read theirs from the disk before, else they show
        that they have them.

        One that stays counts again when its node read it and it is right: somebody may have found
        it bad meanwhile. If the node does not answer, the repair sees to that later.
        """
        await self._means.copies.bad(part.file, part.number, node_id)
        if await self._may_go(part, thorough):
            # If it is not removed it stays one that does not count: nobody may know what became
            # of its bytes.
            return await self._remove(part, node_id)
        await self._judge(part, node_id)
        return False

    async def dispose(self, part: PartRow, node_id: str) -> bool:
        """Remove a copy that does not count, if there are enough that do, which their nodes show;
        answers whether it is removed, for if its node does not answer it stays."""
        return await self._may_go(part, thorough=False) and await self._remove(part, node_id)

    async def _remove(self, part: PartRow, node_id: str) -> bool:
        means = self._means
        try:
            async with means.handing, means.deciding():
                now = await means.files.part(part.file, part.number)
                standing = await means.standing()
                if now is None or now.copies.get(node_id) in (None, CopyState.STORED):
                    return False
                if not standing.is_enough(now):
                    return False
                if not await self._is_deleted(standing, now.name, node_id):
                    return False
                await means.copies.drop(part.file, part.number, node_id)
                return True
        except TimeoutError:
            means.members.trouble(node_id)
            return False

    async def _may_go(self, part: PartRow, thorough: bool) -> bool:
        now = await self._means.files.part(part.file, part.number)
        standing = await self._means.standing()
        if now is None or not standing.is_enough(now):
            return False
        stays = [standing.nodes[node] for node in standing.holders(now)]
        return all([await self._is_there(now, node, thorough) for node in stays])

    async def _judge(self, part: PartRow, node_id: str) -> None:
        node = (await self._means.standing()).nodes.get(node_id)
        if node is None or not self._means.is_asked(node):
            return
        try:
            await judge(self._means, node, [Expected.of(part)])
        except NodeFailed as failure:
            self._means.failed(failure)

    async def _is_deleted(self, standing: Standing, name: str, node_id: str) -> bool:
        node = standing.nodes.get(node_id)
        if node is None or node.state is NodeState.DEAD:
            return True  # when it comes back, its scrub removes what has no row
        if not self._means.is_asked(node):
            return False
        try:
            await self._means.client.delete(node, name)
        except NodeFailed as failure:
            self._means.failed(failure)
            return False
        return True

    async def _is_there(self, part: PartRow, node: Node, thorough: bool) -> bool:
        if not thorough:
            return await shows(self._means, node, part)
        if not self._means.is_asked(node):
            return False
        try:
            amiss = await wrong(self._means, node, [Expected.of(part)])
        except NodeFailed as failure:
            self._means.failed(failure)
            return False
        if amiss:
            await self._means.is_bad(part, node.id)
        return not amiss
