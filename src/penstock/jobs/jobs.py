"""The queue of jobs, for those who ask for work to be done."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.lanes import LaneRow, Lanes
from penstock.catalog.leases import Leases
from penstock.catalog.queue import JobRow, NewJob, Queue
from penstock.errors import BadRequest, Busy, NotFound, WrongState
from penstock.jobs.job import ENDED, Job, Line, State, decoded, encoded
from penstock.jobs.lane import Lane, lane_of
from penstock.jobs.limits import JobLimits
from penstock.jobs.overview import Changes, Overview
from penstock.jobs.watching import Watchers
from penstock.threads import in_thread

PATIENCE = 5.0
"""Seconds within which a worker that lives lets go of what is cancelled."""

_MOST_LISTED = 1000
_LONGEST_KEY = 4096
_EMPTY = LaneRow(False, {})


class Jobs:
    """One object for each engine and event loop; ``commits`` is the catalog's.

    A job has an owner. Only who names the same one sees it; the empty one is a name like any
    other, and ``None`` is for who may see all. ``lanes`` are those that there are although they
    may never have had a job.
    """

    def __init__(
        self,
        engine: Engine,
        commits: GroupCommit,
        limits: JobLimits | None = None,
        *,
        lanes: Iterable[str] = (),
    ) -> None:
        self.limits = limits or JobLimits()
        self.leases = Leases(engine, commits)
        self._queue = Queue(engine, commits)
        self._lanes = Lanes(engine, commits)
        self._known = frozenset(lanes)
        self._watchers = Watchers(self._queue, self.limits.poll)
        self._overview = Overview(self._queue, self.lanes, self.limits.poll)
        self._listeners: list[Callable[[], None]] = []

    async def enqueue(
        self,
        kind: str,
        spec: Mapping[str, Any],
        *,
        key: str = "",
        owner: str = "",
        lane: str = "small",
        total: int | None = None,
        valid: float = 0.0,
    ) -> tuple[Job, bool]:
        """Ask for work; answers the job, and whether it is new.

        If a job of the same owner, kind and ``key`` is unfinished and nobody asked for its end,
        or was done less than its ``valid`` seconds ago, that one is answered. It is durable on
        return.

        :param spec: what is to be done, as JSON has it
        :param key: what makes the same request known again; empty: every request is another
        :param total: bytes that there are to do, if that is known
        :raises Busy: there are as many unfinished jobs as there may be.
        :raises TooLarge: the spec is larger than the limit.
        """
        if len(key) > _LONGEST_KEY:
            raise BadRequest(f"the key of a job may have {_LONGEST_KEY} characters")
        text = encoded("spec", spec, self.limits.longest)
        wanted = NewJob(kind, text, lane, owner, key, valid, total)
        found = await self._queue.enqueue(wanted, self.limits.most)
        if found is None:
            raise Busy("too many jobs are waiting; try again when some have ended", retry_after=60)
        row, is_new = found
        if is_new:
            self.changed()
        return decoded(row), is_new

    async def get(self, identity: str, owner: str | None = "") -> Job:
        """How a job stands.

        :raises NotFound: there is none of that id, or it is another's.
        """
        return decoded(await self._of(identity, owner))

    async def page(
        self,
        kind: str | None = None,
        owner: str | None = "",
        after: str = "",
        limit: int = 100,
        state: State | None = None,
        *,
        bare: bool = False,
    ) -> list[Job]:
        """Up to ``limit`` jobs, newest first; ``after`` is the id of the last one seen before.

        ``bare`` ones have no checkpoint and no result, which may be large.

        :raises BadRequest: ``after`` is no id.
        """
        if after and not may_be_id(after):
            raise BadRequest("after is the id of a job, as the page before told it")
        rows = await self._queue.page(
            kind=kind,
            owner=owner,
            state=state,
            after=after,
            limit=min(limit, _MOST_LISTED),
            bare=bare,
        )
        # Together they may be large.
        return await in_thread(lambda: [decoded(row) for row in rows])

    async def lanes(self) -> list[Lane]:
        """Every lane by name, with how many jobs it has in each state."""
        found = dict.fromkeys(self._known, _EMPTY) | await self._lanes.read()
        return [lane_of(name, found[name]) for name in sorted(found)]

    async def oldest_due(self) -> dict[str, float]:
        """Of each lane with jobs that could be begun: how many seconds the first has waited."""
        return await self._lanes.oldest()

    async def pause(self, name: str) -> Lane:
        """Begin no job of the lane that waits, on no host, until it is resumed; those that run go
        on, with another worker too if theirs dies. Durable on return.

        :raises NotFound: there is no such lane.
        """
        return await self._pause(name, True)

    async def resume(self, name: str) -> Lane:
        """Let the jobs of a paused lane be begun again.

        :raises NotFound: there is no such lane.
        """
        return await self._pause(name, False)

    async def cancel(self, identity: str, owner: str | None = "") -> Job:
        """Ask for the end of a job, and answer how it stands then.

        One that has left nothing behind is cancelled at once; any other is ``cancelling`` until
        its handler has ended and what it left is removed, which takes some seconds.

        :raises NotFound: as :meth:`get`.
        :raises WrongState: it has ended already.
        """
        await self._of(identity, owner)
        row = await self._queue.cancel(identity)
        return await self._changed(row, identity, owner, "this job has ended already")

    async def retry(self, identity: str, owner: str | None = "") -> Job:
        """Let a job that failed or was cancelled begin again, from its checkpoint; one that waits
        for its next attempt need not wait longer.

        :raises NotFound: as :meth:`get`.
        :raises WrongState: it is running or done, or the same request has another job by now.
        """
        await self._of(identity, owner)
        try:
            row = await self._queue.retry(identity)
        except IntegrityError:
            row = None  # that other job was queued in the same moment, on another host
        return await self._changed(
            row,
            identity,
            owner,
            "only a job that failed or was cancelled can be tried again, and only if the same "
            "request has no other job",
        )

    async def remove(self, identity: str, owner: str | None = "") -> None:
        """Forget a job that has ended.

        :raises NotFound: as :meth:`get`.
        :raises WrongState: it has not ended; cancel it first.
        """
        await self._of(identity, owner)
        if not await self._queue.remove(identity):
            await self._of(identity, owner)
            raise WrongState("this job has not ended; cancel it first")
        self.changed()

    async def log(self, identity: str, owner: str | None = "") -> list[Line]:
        """The newest 200 lines of a job's log, the oldest first.

        :raises NotFound: as :meth:`get`.
        """
        await self._of(identity, owner)
        return await self._queue.log(identity)

    async def watch(self, identity: str, owner: str | None = "") -> AsyncGenerator[Job, None]:
        """A job as it stands, and again after each change, about once a second at most; the last
        is the one that has ended. Close it (``contextlib.aclosing``) if you leave early.

        It ends before if the job is removed or the server closes.

        :raises NotFound: as :meth:`get`.
        """
        await self._of(identity, owner)
        async with aclosing(self._watchers.watch(identity)) as rows:
            async for row in rows:
                yield decoded(row)

    async def when_ended(self, identity: str, owner: str | None = "") -> Job:
        """A job when it has ended, or as it stands when waiting took too long.

        :raises NotFound: as :meth:`get`.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE), aclosing(self.watch(identity, owner)) as jobs:
                async for job in jobs:
                    if job.state in ENDED:
                        return job
        return await self.get(identity, owner)

    async def watch_all(self, owner: str | None = None) -> AsyncGenerator[Changes, None]:
        """The lanes and the recent jobs of an owner, or of all, then what of them has changed,
        about once a second at most. Close it (``contextlib.aclosing``) if you leave.

        The jobs are ``bare`` ones (see :meth:`page`): those that run, the newest, and those that
        ended last, of all owners together. It ends if the server closes.
        """
        async with aclosing(self._overview.watch(owner)) as changes:
            async for changed in changes:
                yield changed

    async def sweep(self) -> int:
        """Remove ended jobs that are old or too many; answers how many."""
        return await self._queue.sweep(self.limits.kept, self.limits.most_ended)

    async def close(self) -> None:
        """End those who watch; close the workers before."""
        await self._watchers.close()
        await self._overview.close()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, in the event loop, when this process has queued a job or ended one."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell those who listen and watch that something has changed."""
        for listener in self._listeners:
            listener()
        self._watchers.hurry()

    async def _pause(self, name: str, paused: bool) -> Lane:
        if name not in {lane.name for lane in await self.lanes()}:
            raise NotFound("there is no such lane; GET /v1/lanes lists them")
        await self._lanes.pause(name, paused)
        self.changed()
        return next(lane for lane in await self.lanes() if lane.name == name)

    async def _of(self, identity: str, owner: str | None) -> JobRow:
        row = await self._queue.get(identity)
        if row is None or (owner is not None and row.owner != owner):
            raise NotFound("there is no job of that id, or it was removed some time after its end")
        return row

    async def _changed(
        self, row: JobRow | None, identity: str, owner: str | None, otherwise: str
    ) -> Job:
        if row is None:
            await self._of(identity, owner)
            raise WrongState(otherwise)
        self.changed()
        return decoded(row)
