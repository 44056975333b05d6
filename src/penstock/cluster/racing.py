"""Copies of one part that are sent at the same time, of which none may hold the others up."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Final

from penstock.catalog.cluster.rows import Node
from penstock.cluster.trouble import Kind, NodeFailed

_LEAST_PATIENCE: Final = 30.0
_SLOWER: Final = 5.0
"""A copy may take that many times as long as the fastest one of its part, but no less than the
seconds above, if there is another node for it."""


class Outrun(NodeFailed):
    """A node is so much slower than another that somebody else is to be asked."""


class Race:
    """The copies of one part on their way. The first that is there sets the time for the others:
    a node that takes next to nothing, but is never silent, would hold the part up for hours."""

    def __init__(self) -> None:
        self._runners: dict[asyncio.Timeout, float] = {}
        self._patience: float | None = None

    @asynccontextmanager
    async def run(self, node: str, others: Collection[Node]) -> AsyncIterator[None]:
        """A copy is on its way within.

        :raises Outrun: it takes too long, and there are ``others`` to be asked.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._runners[limit] = began
                self._set(limit, others)
                yield
                if self._patience is None:
                    self._patience = max(_LEAST_PATIENCE, _SLOWER * (loop.time() - began))
                    for other in self._runners:
                        self._set(other, others)
        except TimeoutError as error:
            if limit.expired():
                raise Outrun(Kind.UNREACHABLE, node, "it is far slower than another") from error
            raise
        finally:
            del self._runners[limit]

    def _set(self, limit: asyncio.Timeout, others: Collection[Node]) -> None:
        if self._patience is not None and others:
            limit.reschedule(self._runners[limit] + self._patience)
