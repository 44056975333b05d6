"""The removal of files from their nodes: old versions, deleted ones, uploads that were left."""

import asyncio
import logging
import random
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from penstock.catalog.cluster.rows import Copy, Doomed, NodeState, part_name
from penstock.cluster.means import Means
from penstock.cluster.trouble import NodeFailed
from penstock.stores.tasks import side_by_side

_AT_ONCE: Final = 100
_PAGE: Final = 200
"""Copies of each file that are looked up at once."""
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
        """Begin to remove what is due; answers after how many seconds to look again: 0 if more can
        be begun now."""
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
        removals, removal = self._means.removals, _Removal(doomed)
        pause = _pause(doomed.attempts)
        try:
            async with asyncio.timeout(_WORK):
                await self._delete(removal)
        except TimeoutError:
            removal.reason = "its nodes take too long"
            if removal.has_forgotten or removal.gone:
                pause = 0.0  # it comes further each time
        except asyncio.CancelledError:
            await removals.postpone(doomed, 0.0, "the server ended", removal.gone)
            raise
        if not removal.reason:
            if await removals.removed(doomed, removal.gone):
                self._means.counts.cleaned += 1
            return
        if await removals.postpone(doomed, pause, removal.reason, removal.gone):
            attempts, reason = doomed.attempts, removal.reason
            fields = {"file": doomed.file, "attempts": attempts, "reason": reason}
            _log.info("removing a file is put off", extra={"fields": fields})

    async def _delete(self, removal: "_Removal") -> None:
        """Delete the copies on their nodes, and forget those of each page but the last."""
        means, doomed = self._means, removal.doomed
        after: Copy | None = None
        while True:
            page = await means.removals.copies(doomed.file, after, _PAGE)
            await means.members.all()
            at_once = min(len(page), _REQUESTS)
            await side_by_side(partial(self._delete_one, removal), page, at_once)
            if len(page) < _PAGE:
                return
            if removal.gone and not await means.removals.forget(doomed, removal.gone):
                removal.reason = "another has claimed it"
                return
            removal.has_forgotten |= bool(removal.gone)
            removal.gone.clear()
            after = page[-1]

    async def _delete_one(self, removal: "_Removal", copy: Copy) -> None:
        means = self._means
        async with self._room:
            node = means.members.get(copy.node)
            if node is not None and node.state is not NodeState.DEAD:
                if not means.is_asked(node):
                    removal.reason = f"node {node.id} does not answer"
                    return
                try:
                    await means.client.delete(node, part_name(removal.doomed.file, copy.number))
                except NodeFailed as failure:
                    means.failed(failure)
                    removal.reason = str(failure)
                    return
            # When a dead node comes back, its scrub removes what has no row.
            removal.gone.append(copy)


@dataclass(slots=True)
class _Removal:
    """How far the removal of a file has come. ``reason`` is why some copy is not deleted."""

    doomed: Doomed
    reason: str = ""
    gone: list[Copy] = field(default_factory=list)
    """Those that are deleted, and not forgotten yet."""
    has_forgotten: bool = False


def _pause(attempts: int) -> float:
    """Seconds, twice as many after each attempt."""
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(max(attempts, 1) - 1, 32))
    return max(_FIRST_PAUSE, pause * random.uniform(0.75, 1.0))
