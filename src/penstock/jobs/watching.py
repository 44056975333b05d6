"""Those who watch jobs, told by one task that looks into the catalog for all of them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncGenerator

from penstock.catalog.queue import JobRow, Queue

_LEAST = 0.1
"""Seconds between two looks, however much happens."""

_log = logging.getLogger("penstock.jobs")


class _Watcher:
    """One who watches: what was seen last, and whether there is more."""

    def __init__(self) -> None:
        self.seen = -1
        self.woken = asyncio.Event()


class Watchers:
    """Belongs to one event loop; holds a few bytes for each who watches."""

    def __init__(self, queue: Queue, every: float) -> None:
        self._queue = queue
        self._every = every
        self._watchers: defaultdict[str, set[_Watcher]] = defaultdict(set)
        self._hurry = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    def hurry(self) -> None:
        """Something has changed: look soon."""
        self._hurry.set()

    async def close(self) -> None:
        """End every watch."""
        self._closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.woken.set()
        self._hurry.set()
        if self._looking is not None:
            await self._looking

    async def watch(self, identity: str) -> AsyncGenerator[JobRow, None]:
        """The job now and after each change, some left out if they come fast; ends when it has
        ended, is removed, or the watchers are closed."""
        watcher = _Watcher()
        self._watchers[identity].add(watcher)
        try:
            while not self._closed and (row := await self._queue.get(identity)) is not None:
                watcher.seen = row.revision
                watcher.woken.clear()
                yield row
                if row.ended is not None:
                    return
                self._look()
                await watcher.woken.wait()
        finally:
            self._watchers[identity].discard(watcher)
            if not self._watchers[identity]:
                del self._watchers[identity]

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_forever())

    async def _look_forever(self) -> None:
        while self._watchers and not self._closed:
            try:
                revisions = await self._queue.revisions(list(self._watchers))
            except Exception:  # noqa: BLE001 - the database may be away; nobody else would go on
                _log.exception("jobs cannot be watched")
            else:
                for identity, watchers in self._watchers.items():
                    for watcher in watchers:
                        if watcher.seen != revisions.get(identity):
                            watcher.woken.set()
            await asyncio.sleep(min(_LEAST, self._every))
            await happened(self._hurry, self._every)
            self._hurry.clear()


async def happened(event: asyncio.Event, within: float) -> bool:
    """Wait for an event, up to so many seconds; answers whether it is set."""
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False
