"""How much there is on the nodes, counted seldom: millions of copies take the database long."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from penstock.catalog.cluster.nodes import Nodes
from penstock.catalog.cluster.removals import Removals

_FRESH: Final = 1.0
"""Seconds that a count is good for."""
_SHARE: Final = 20.0
"""It is good for so many times the seconds that it took, so that the database has others too."""


class Counted(NamedTuple):
    """Copies by the id of their node, and how many files wait to be removed."""

    copies: Mapping[str, int]
    removing: int


class Tally:
    """Counts for whoever asks, however many do; belongs to one event loop."""

    def __init__(self, nodes: Nodes, removals: Removals) -> None:
        self._nodes = nodes
        self._removals = removals
        self._counting = asyncio.Lock()
        self._counted = Counted({}, 0)
        self._good_until = -_FRESH

    async def now(self) -> Counted:
        """As it is, or was some seconds ago."""
        async with self._counting:
            if (began := time.monotonic()) >= self._good_until:
                self._counted = Counted(await self._nodes.counts(), await self._removals.count())
                ended = time.monotonic()
                self._good_until = ended + max(_FRESH, (ended - began) * _SHARE)
        return self._counted
