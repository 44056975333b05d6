"""Whether the bytes of a version can be had, as far as that is known without reading them."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from penstock.catalog.cluster.rows import Node, PartRow
from penstock.cluster.choosing import doubtful, surely_answers
from penstock.cluster.shared import Shared
from penstock.cluster.trouble import NodeFailed, gone, not_to_be_had
from penstock.stores.interface import FileInfo

_PROBE: Final = 2.0
"""Seconds that a node has to say that it is there."""
_FRESH: Final = 5.0
_MOST_KEPT: Final = 100
_FEW_PARTS: Final = 100


class Assuring:
    """Looks for nodes before an answer is begun; what it looked up is there for the reading."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._seen: OrderedDict[str, tuple[float, list[PartRow]]] = OrderedDict()

    async def assure(self, info: FileInfo) -> None:
        """See :class:`penstock.stores.interface.Assures`.

        The catalog is believed. Only where every node that has some part was silent for a while,
        or has just failed, these are asked.
        """
        if not info.size:
            return
        parts = await self._shared.files.few_parts(info.etag, _FEW_PARTS)
        if parts is None:  # what is kept of so many is some megabytes
            await self.assure_all([info])
            return
        if not parts:
            raise gone(info.key)
        await self._shared.members.all()
        if await self._lacking(parts) is not None:
            raise not_to_be_had(info.key)
        self._keep(info.etag, parts)

    async def assure_all(self, infos: Sequence[FileInfo]) -> None:
        """See :class:`penstock.stores.interface.Assures`. Likewise."""
        members = self._shared.members
        nodes = await members.all()
        silent = [node.id for node in nodes if not surely_answers(node, members)]
        keys = {info.etag: info.key for info in infos if info.size}
        part = await self._lacking(await self._shared.files.parts_beside(keys, silent))
        if part is not None:
            raise not_to_be_had(keys[part.file])

    def seen(self, file: str) -> list[PartRow] | None:
        """The parts of a version that was assured a moment ago; they are given once."""
        when, parts = self._seen.pop(file, (0.0, []))
        return parts if parts and time.monotonic() - when < _FRESH else None

    async def _lacking(self, parts: Sequence[PartRow]) -> PartRow | None:
        """A part that no node has which answers; those of which that is not sure are asked."""
        found = ((part, doubtful(part, self._shared.members)) for part in parts)
        in_doubt = [(part, some) for part, some in found if some is not None]
        there: set[str] = set()
        if all(some for _, some in in_doubt):
            nodes = {node.id: node for _, some in in_doubt for node in some}
            answers = await asyncio.gather(*map(self._answers, nodes.values()))
            there = {node for node, answered in zip(nodes, answers, strict=True) if answered}
        for part, some in in_doubt:
            if there.isdisjoint(node.id for node in some):
                return part
        return None

    async def _answers(self, node: Node) -> bool:
        try:
            async with asyncio.timeout(_PROBE):
                await self._shared.client.health(node)
        except (NodeFailed, TimeoutError):
            self._shared.members.trouble(node.id)
            return False
        return True

    def _keep(self, file: str, parts: list[PartRow]) -> None:
        self._seen[file] = (time.monotonic(), parts)
        self._seen.move_to_end(file)
        if len(self._seen) > _MOST_KEPT:
            self._seen.popitem(last=False)
