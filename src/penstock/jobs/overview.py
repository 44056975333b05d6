"""Those who watch all jobs, told by one task that looks into the catalog for all of them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.catalog.queue import Queue
from penstock.jobs.job import Job, decoded
from penstock.jobs.lane import Lane
from penstock.jobs.watching import happened
from penstock.threads import in_thread

MOST = 100
"""Jobs of each sort that are looked at: those that run, the newest, those that ended last."""

_log = logging.getLogger("penstock.jobs")


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the last look: all lanes if one has changed, and the jobs that have."""

    lanes: Sequence[Lane] | None
    jobs: Sequence[Job]


class Overview:
    """Belongs to one event loop; holds the recent jobs once, and their ids for each who watches.

    :param lanes: reads the lanes
    :param every: seconds between two looks, at least
    """

    def __init__(
        self,
        queue: Queue,
        lanes: Callable[[], Coroutine[Any, Any, Sequence[Lane]]],
        every: float,
    ) -> None:
        self._queue = queue
        self._read_lanes = lanes
        self._every = every
        self._lanes: Sequence[Lane] = ()
        self._jobs: Mapping[str, Job] = {}
        self._watching: set[asyncio.Event] = set()
        self._starting = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._left = asyncio.Event()
        self._closed = False

    async def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._left.set()
        for woken in self._watching:
            woken.set()
        if self._looking is not None:
            await self._looking

    async def watch(self, owner: str | None = None) -> AsyncGenerator[Changes, None]:
        """Everything of an owner, ``None``: of all, as it stands, and then what changes, until the
        watch is closed. Who is slow misses what did not last."""
        lanes: Sequence[Lane] | None = None
        seen: Mapping[str, int] = {}
        woken = asyncio.Event()
        self._watching.add(woken)
        try:
            await self._begin()
            while not self._closed:
                woken.clear()
                changed = [
                    one
                    for one in self._jobs.values()
                    if seen.get(one.id) != one.revision and owner in (None, one.owner)
                ]
                if changed or lanes != self._lanes:
                    changes = Changes(None if lanes == self._lanes else self._lanes, changed)
                    lanes = self._lanes
                    seen = {one.id: one.revision for one in self._jobs.values()}
                    yield changes
                await woken.wait()
        finally:
            self._watching.discard(woken)
            if not self._watching:
                self._left.set()

    async def _begin(self) -> None:
        """Look once, unless somebody else is watched for."""
        async with self._starting:
            if self._closed or (self._looking is not None and not self._looking.done()):
                return
            await self._look()
            self._left.clear()
            self._looking = asyncio.create_task(self._look_forever())

    async def _look_forever(self) -> None:
        while self._watching and not self._closed:
            await happened(self._left, self._every)
            self._left.clear()
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - the database may be away; nobody else would go on
                _log.exception("jobs cannot be watched")

    async def _look(self) -> None:
        lanes = await self._read_lanes()
        revisions = await self._queue.recent(MOST)
        known = self._jobs
        new = [
            identity
            for identity, revision in revisions.items()
            if identity not in known or known[identity].revision != revision
        ]
        rows = await self._queue.bare(new)
        fresh = await in_thread(lambda: [decoded(row) for row in rows])
        jobs = {**known, **{job.id: job for job in fresh}}
        self._jobs = {
            identity: jobs[identity] for identity in sorted(revisions) if identity in jobs
        }
        if fresh or lanes != self._lanes:
            self._lanes = lanes
            for woken in self._watching:
                woken.set()
