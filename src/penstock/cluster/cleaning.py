"""The removal of files from their nodes: old versions, deleted ones, uploads that were left."""

import asyncio
import logging
import random
from collections.abc import Iterable
from typing import Final

from penstock.catalog.cluster.rows import Copy, Doomed, NodeState
from penstock.cluster.means import Means
from penstock.cluster.trouble import NodeFailed

_AT_ONCE: Final = 100
_REQUESTS: Final = 16
"""To all nodes together."""
_LEASE: Final = 60.0
"""Seconds for which a file is claimed."""
_WORK: Final = 45.0
"""Seconds after which one is put off, before somebody else may claim it."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 600.0
_POLL: Final = 2.0
_LEAST: Final = 0.05

_log = logging.getLogger("penstock.cluster")


class Cleaner:
    """Removes what the catalog's outbox has, in every server process at the same time.

    Files do not wait for one another: one that a node keeps is put off, the next are begun.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self._room = asyncio.Semaphore(_REQUESTS)
        self._flying: set[asyncio.Task[None]] = set()
        self.landed = asyncio.Event()
        """Set when a file was settled."""

    async def run_once(self) -> None:
        """Remove all that is due now."""
        while await self.round() <= 0 or self._flying:
            if self._flying:
                await asyncio.wait(self._flying)

    async def round(self) -> float:
        """Begin to remove what is due; answers after how many seconds to look again, 0 if there
        may be more."""
        room = _AT_ONCE - len(self._flying)
        if room <= 0:
            return _POLL  # or when one of them has landed
        doomed = await self._means.removals.claim(room, _LEASE)
        for one in doomed:
            task = asyncio.create_task(self._remove(one))
            self._flying.add(task)
            task.add_done_callback(self._has_landed)
        if len(doomed) >= room:
            return 0.0
        due = await self._means.removals.next_due()
        return _POLL if due is None else min(_POLL, max(due, _LEAST))

    async def close(self) -> None:
        """End what is under way, and leave it to the next process."""
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)

    def _has_landed(self, task: "asyncio.Task[None]") -> None:
        self._flying.discard(task)
        self.landed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its claim will end, and it is begun again.
            _log.error("a file was not removed from its nodes", exc_info=error)

    async def _remove(self, doomed: Doomed) -> None:
        removals = self._means.removals
        try:
            async with asyncio.timeout(_WORK):
                reason = await self._delete(doomed.copies)
        except TimeoutError:
            reason = "its nodes take too long"
        except asyncio.CancelledError:
            await removals.postpone(doomed, 0.0, "the server ended")
            raise
        if not reason:
            if await removals.removed(doomed):
                self._means.counts.cleaned += 1
            return
        pause = _pause(doomed.attempts)
        if await removals.postpone(doomed, pause, reason):
            fields = {"file": doomed.file, "attempts": doomed.attempts, "reason": reason}
            _log.info("removing a file is put off", extra={"fields": fields})

    async def _delete(self, copies: Iterable[Copy]) -> str:
        """Delete them on their nodes; answers why not all are, if they are not."""
        await self._means.members.all()
        reasons = await asyncio.gather(*(self._delete_one(copy) for copy in copies))
        return next(filter(None, reasons), "")

    async def _delete_one(self, copy: Copy) -> str:
        means = self._means
        async with self._room:
            node = means.members.get(copy.node)
            if node is None or node.state is NodeState.DEAD:
                return ""  # when it comes back, its scrub removes what has no row
            if not means.is_asked(node):
                return f"node {node.id} does not answer"
            try:
                await means.client.delete(node, copy.name)
            except NodeFailed as failure:
                means.failed(failure)
                return str(failure)
            return ""


def _pause(attempts: int) -> float:
    """Seconds, twice as many after each attempt."""
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(max(attempts, 1) - 1, 32))
    return max(_FIRST_PAUSE, pause * random.uniform(0.75, 1.0))
