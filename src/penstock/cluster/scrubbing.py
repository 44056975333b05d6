"""What a node has, compared with what the catalog says it has, and read again from its disk."""

import asyncio
import logging
import math
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from functools import partial
from typing import Final, TypeVar

from penstock.catalog.cluster.copies import HeldCopy
from penstock.catalog.cluster.rows import CopyState, Node, PartRow
from penstock.cluster.judging import Expected, judge, shows, wrong
from penstock.cluster.means import Means
from penstock.cluster.node_answers import NodePart
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.errors import Superseded
from penstock.stores.tasks import side_by_side

T = TypeVar("T", HeldCopy, Expected)

_PAGE: Final = 1000
_MOST_READ: Final = 100
"""Copies that are read again by one request."""
_MOST_BYTES: Final = 64 << 20
_MOST_REMOVED: Final = 20
"""Files that are removed by one look into the catalog."""
_LOOK: Final = 1.0
"""Seconds between two looks whether a node that is waited for still announces itself."""
_END: Final = chr(0x10FFFF)
"""Behind every name of a part."""

_log = logging.getLogger("penstock.cluster")


class Scrubber:
    """Scrubs nodes; in one process at a time.

    ``cursors`` has, for each node whose copies are being read, the name of the last that was: who
    goes on with it elsewhere need not begin anew.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self.cursors: dict[str, str] = {}
        self.scrubs = 0
        """How many were finished."""
        self._compared: set[str] = set()

    async def run_once(self, *, at_most: float = math.inf) -> bool:
        """Scrub each node whose time has come: one that was never scrubbed since it joined, or
        not for long. All are compared first, then their copies are read.

        Answers ``False`` if reading those of a node was left off after ``at_most`` seconds, so
        that nodes that came meanwhile are not kept waiting; the next call goes on.
        """
        due = [node.id for node in await self._means.members.all() if await self._is_due(node)]
        self._compared.intersection_update(due)
        for node_id in due:
            if node_id not in self._compared:
                await self._try(node_id, self._begin)
        is_done = True
        for node_id in due:
            if node_id in self._compared:
                is_done &= await self._try(node_id, partial(self._finish, at_most=at_most))
        return is_done

    async def scrub(self, node: Node) -> None:
        """Remove from ``node`` what nobody knows, find what it should have and has not, and read
        all the rest again.

        :raises NodeFailed: it broke off; what was found until then is written down.
        """
        await self._begin(node)
        await self._finish(node)

    async def _begin(self, node: Node) -> bool:
        if await self._means.nodes.scrubbing(node.id):
            self.cursors.pop(node.id, None)
        await self._compare(node, await self._means.copies.now())
        self._compared.add(node.id)
        return True

    async def _finish(self, node: Node, at_most: float = math.inf) -> bool:
        """Answers whether all was read."""
        means = self._means
        if not await self._read_back(node, time.monotonic() + at_most):
            return False
        await means.nodes.scrubbed(node.id)
        await means.members.look()
        self._compared.discard(node.id)
        self.scrubs += 1
        _log.info("a node was scrubbed", extra={"fields": {"node": node.id}})
        return True

    async def _is_due(self, node: Node) -> bool:
        if node.scrubbed is None:
            return True
        age = await self._means.copies.now() - node.scrubbed
        return age >= self._means.options.scrub_every

    async def _try(self, node_id: str, work: Callable[[Node], Awaitable[bool]]) -> bool:
        """Answers ``False`` if there is more of the work to be done now."""
        means = self._means
        await means.members.all()
        node = means.members.get(node_id)
        if node is None or not means.is_asked(node):
            self._compared.discard(node_id)  # nobody knows with what it comes back
            return True
        try:
            return await work(node)
        except NodeFailed as failure:
            means.failed(failure)
            self._compared.discard(node_id)
            _log.warning("a scrub broke off: %s", failure)
            return True

    async def _compare(self, node: Node, began: float) -> None:
        """Hold the list of what the node has against the catalog, a stretch of names at a time.

        The rows of a stretch are read when the node has listed it: there is a row before there is
        a file, so what has none then is not on its way.
        """
        after = ""
        async with aclosing(self._means.client.parts(node)) as listing:
            while True:
                listed = await self._listed(node, listing)
                last = listed[-1].name if len(listed) == _PAGE else _END
                unknown = {part.name: part for part in listed}
                async for rows in self._rows(node, after, last):
                    await self._judge_doubtful(node, rows, unknown, began)
                    for row in rows:
                        unknown.pop(row.name, None)
                await self._adopt(node, unknown)
                for names in _slices(list(unknown), _MOST_REMOVED):
                    await self._remove_orphans(node, names)
                if last == _END:
                    return
                after = last

    async def _rows(self, node: Node, after: str, last: str) -> AsyncIterator[list[HeldCopy]]:
        """The copies behind ``after``, up to ``last``, a page at a time."""
        while page := await self._means.copies.on(node.id, after, _PAGE):
            yield [row for row in page if row.name <= last]
            after = page[-1].name
            if after > last:
                return

    async def _judge_doubtful(
        self,
        node: Node,
        rows: Sequence[HeldCopy],
        listed: Mapping[str, NodePart],
        began: float,
    ) -> None:
        doubtful = [row for row in rows if _is_doubtful(row, listed.get(row.name), began)]
        # Of a disk that lost everything there is nothing to be read, and much to be repaired soon.
        for is_there in (False, True):
            such = [row for row in doubtful if (row.name in listed) is is_there]
            for batch in _batches(such):
                await judge(self._means, node, map(_expected, batch), is_there=is_there)

    async def _adopt(self, node: Node, names: Collection[str]) -> None:
        """Count what the node has of parts of which not enough copies can be seen, if it is right:
        it may be the only good one, on a node that was removed, or was dead for long."""
        means = self._means
        adopted: list[Expected] = []
        for part in await means.copies.named(names):
            if part.crc32 is None or node.id in part.copies or await self._is_well(part):
                continue
            try:
                async with means.handing:
                    await means.files.place(part.file, part.number, node.id)
            except Superseded:
                continue
            adopted.append(Expected.of(part))
        for batch in _batches(adopted):
            await judge(means, node, batch)

    async def _is_well(self, part: PartRow) -> bool:
        standing = await self._means.standing()
        holders = [standing.nodes[node] for node in standing.holders(part)]
        if not standing.is_enough(part):
            return False
        return all([await shows(self._means, holder, part) for holder in holders])

    async def _remove_orphans(self, node: Node, names: Sequence[str]) -> None:
        means = self._means
        try:
            async with means.handing, means.deciding():
                known = await means.copies.of(names, node.id)
                orphans = [name for name in names if name not in known]
                # A node removes those that come together at the cost of one.
                await side_by_side(partial(self._remove_orphan, node), orphans, _MOST_REMOVED)
        except TimeoutError as error:
            raise NodeFailed(Kind.UNREACHABLE, node.id, "it takes too long") from error

    async def _remove_orphan(self, node: Node, name: str) -> None:
        try:
            await self._means.client.delete(node, name)
        except NodeFailed as failure:
            if failure.kind is not Kind.REFUSED:
                raise
            # Somebody may have put it there by hand. The rest is scrubbed all the same.
            _log.warning("what nobody knows is not removed: %s", failure)
        else:
            self._means.counts.orphans += 1

    async def _listed(self, node: Node, listing: AsyncIterator[NodePart]) -> list[NodePart]:
        """The next parts that the node lists, which may take it long, but not for ever.

        :raises NodeFailed: it fell silent, or broke off.
        """
        members = self._means.members
        reading = asyncio.ensure_future(_some(listing, _PAGE))
        try:
            while not (await asyncio.wait([reading], timeout=_LOOK))[0]:
                await members.all()
                known = members.get(node.id)
                if known is None or not known.answers:
                    raise NodeFailed(Kind.UNREACHABLE, node.id, "it fell silent")
            return reading.result()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read_back(self, node: Node, until: float) -> bool:
        """Have the node read its good copies again, at the rate of the upkeep, those behind the
        cursor; answers whether that were all."""
        after = self.cursors.get(node.id, "")
        while page := await self._means.copies.on(node.id, after, _PAGE):
            stored = [row for row in page if row.state is CopyState.STORED]
            for batch in _batches(stored):
                # Nobody is held up while the node reads what is most likely right.
                amiss = await wrong(self._means, node, map(_expected, batch))
                await judge(self._means, node, amiss)
                self._means.counts.checked += len(batch)
                self.cursors[node.id] = batch[-1].name
                if time.monotonic() >= until:
                    return False
            after = page[-1].name
        self.cursors.pop(node.id, None)
        return True


async def _some(listing: AsyncIterator[NodePart], most: int) -> list[NodePart]:
    """The next ones, up to ``most``; the listing can be gone on with."""
    some: list[NodePart] = []
    while len(some) < most and (part := await anext(listing, None)) is not None:
        some.append(part)
    return some


def _is_doubtful(row: HeldCopy, part: NodePart | None, began: float) -> bool:
    """Whether the node must look, for its list and the catalog differ."""
    if row.state is CopyState.STORED:
        if part is None:
            return row.changed < began
        return part.size != row.size or part.crc32 not in (None, row.crc32)
    # One that was never finished, as far as is known, may be whole all the same.
    is_whole = part is not None and (part.size, part.crc32) == (row.size, row.crc32)
    return row.state is CopyState.WRITING and row.crc32 is not None and is_whole


def _expected(row: HeldCopy) -> Expected:
    return Expected(row.name, row.file, row.number, row.size, row.crc32)


def _slices(names: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (names[at : at + size] for at in range(0, len(names), size))


def _batches(rows: Iterable[T]) -> list[list[T]]:
    """As many as one request is for; each but a large one of bounded size."""
    batches: list[list[T]] = []
    size = 0
    for row in rows:
        if not batches or size + row.size > _MOST_BYTES or len(batches[-1]) == _MOST_READ:
            batches.append([])
            size = 0
        batches[-1].append(row)
        size += row.size
    return batches
