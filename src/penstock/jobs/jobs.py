"""The queue of jobs, for those who ask for work to be done."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.leases import Leases
from penstock.catalog.queue import JobRow, NewJob, Queue
from penstock.errors import BadRequest, Busy, NotFound, WrongState
from penstock.jobs.job import Job, Line, State, decoded, encoded
from penstock.jobs.limits import JobLimits
from penstock.jobs.watching import Watchers
from penstock.threads import in_thread

_MOST_LISTED = 1000
_LONGEST_KEY = 4096


class Jobs:
    """One object for each engine and event loop; ``commits`` is the catalog's.

    A job has an owner. Only who names the same one sees it; the empty one is a name like any
    other, and ``None`` is for who may see all.
    """

    def __init__(
        self, engine: Engine, commits: GroupCommit, limits: JobLimits | None = None
    ) -> None:
        self.limits = limits or JobLimits()
        self.leases = Leases(engine, commits)
        self._queue = Queue(engine, commits)
        self._watchers = Watchers(self._queue, self.limits.poll)
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
    ) -> list[Job]:
        """Up to ``limit`` jobs, newest first; ``after`` is the id of the last one seen before.

        :raises BadRequest: ``after`` is no id.
        """
        if after and not may_be_id(after):
            raise BadRequest("after is the id of a job, as the page before told it")
        rows = await self._queue.page(
            kind=kind, owner=owner, state=state, after=after, limit=min(limit, _MOST_LISTED)
        )
        # Together they may be large.
        return await in_thread(lambda: [decoded(row) for row in rows])

    async def counts(self) -> dict[str, dict[State, int]]:
        """How many jobs each lane has in each state."""
        lanes: dict[str, dict[State, int]] = {}
        for (lane, state), count in (await self._queue.counts()).items():
            lanes.setdefault(lane, {})[State(state)] = count
        return lanes

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

    async def sweep(self) -> int:
        """Remove ended jobs that are old or too many; answers how many."""
        return await self._queue.sweep(self.limits.kept, self.limits.most_ended)

    async def close(self) -> None:
        """End those who watch; close the workers before."""
        await self._watchers.close()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call ``listener``, in the event loop, when this process has queued a job or ended one."""
        self._listeners.append(listener)

    def changed(self) -> None:
        """Tell those who listen and watch that something has changed."""
        for listener in self._listeners:
            listener()
        self._watchers.hurry()

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
