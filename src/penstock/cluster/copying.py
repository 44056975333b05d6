"""A part, copied from nodes that have it to one that is to have it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from isal import isal_zlib

from penstock.catalog.cluster.rows import BLOCK, CopyState, Node, PartRow
from penstock.cluster.means import Means
from penstock.cluster.spans import block_crc32, has_sums, offset
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.errors import Superseded


class NoGoodCopy(Exception):
    """Some block of a part cannot be had. ``silent``: a node that may have it did not answer."""

    def __init__(self, part: PartRow, silent: bool) -> None:
        super().__init__(f"no node gives a good copy of {part.name}")
        self.silent = silent


class Copier:
    """Copies parts, at the rate of the upkeep. Holds one block of each in memory."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def copy(self, part: PartRow, target: Node, sources: Sequence[Node]) -> bool:
        """Have ``target`` store the part, and count it; every block is taken from the first of
        ``sources`` that has it right.

        Answers ``False`` if the file is removed meanwhile; then nothing is left of the copy.

        :raises NodeFailed: ``target`` did not take it.
        :raises NoGoodCopy: a block cannot be had, or nobody knows what it should be.
        """
        if not has_sums(part):
            raise NoGoodCopy(part, silent=False)
        means = self._means
        try:
            async with means.handing:
                await means.files.place(part.file, part.number, target.id)
        except Superseded:
            return False
        reading = _Reading(means, part, sources)
        await means.client.put(target, part.name, part.size, part.crc32, reading.blocks)
        async with means.handing:
            await means.copies.found(part.file, part.number, target.id)
            if part.name in await means.copies.of([part.name], target.id):
                return True
            await means.client.delete(target, part.name)
            return False


class _Reading:
    """The blocks of a part from several nodes, each verified before it is given."""

    def __init__(self, means: Means, part: PartRow, sources: Sequence[Node]) -> None:
        self._means = means
        self._part = part
        troubled = means.members.is_troubled
        self._sources = sorted(sources, key=lambda node: troubled(node.id))
        self._silent = False

    async def blocks(self) -> AsyncIterator[bytes]:
        for block in range(-(-self._part.size // BLOCK)):
            data = await self._block(block)
            await self._means.pace(len(data))
            yield data

    async def _block(self, block: int) -> bytes:
        for node in list(self._sources):
            try:
                data = await self._read(node, block)
            except NodeFailed as failure:
                self._sources.remove(node)
                await self._blame(node, failure)
                continue
            if isal_zlib.crc32(data) == block_crc32(self._part, block):
                return data
            # Another of its blocks may be the only good one that there is.
            self._sources.remove(node)
            self._sources.append(node)
            await self._is_bad(node)
        raise NoGoodCopy(self._part, self._silent)

    async def _read(self, node: Node, block: int) -> bytes:
        part = self._part
        start, stop = offset(part, block), offset(part, block + 1)
        content = self._means.client.get(node, part.name, start, stop)
        async with aclosing(content) as pieces:
            return b"".join([piece async for piece in pieces])

    async def _blame(self, node: Node, failure: NodeFailed) -> None:
        if failure.kind in (Kind.MISSING, Kind.BAD):
            await self._is_bad(node)
        else:
            self._silent = True
            self._means.failed(failure)

    async def _is_bad(self, node: Node) -> None:
        part, copies = self._part, self._part.copies
        if copies.get(node.id) is CopyState.STORED:
            copies[node.id] = CopyState.BAD
            await self._means.is_bad(part, node.id)
