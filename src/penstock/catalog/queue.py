"""Jobs in the catalog, as whoever asks for them sees them: queued, looked at, cancelled, removed.

:mod:`penstock.catalog.leases` is the side of those who do the work.
"""

import hashlib
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    delete,
    func,
    literal,
    null,
    select,
    update,
)

from penstock.catalog import job_log
from penstock.catalog.clock import NOW
from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import jobs
from penstock.threads import in_thread

WAITING = "waiting"
RUNNING = "running"
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"

BEFORE_ALL = 0.0
"""``due`` of a job that waits to be ended: earlier than any that waits for work."""

_IDS_PER_QUERY = 500
_REMOVED_AT_ONCE = 500


class JobRow(NamedTuple):
    """A job as it stands in the catalog; the columns are explained in the schema."""

    id: str
    kind: str
    state: str
    lane: str
    owner: str
    key: str
    once: str | None
    valid: float
    spec: str
    checkpoint: str
    result: str | None
    error: str | None
    created: float
    started: float | None
    ended: float | None
    due: float | None
    holder: str | None
    token: int
    cancelling: bool
    attempts: int
    failures: int
    done: int
    total: int | None
    files_done: int
    files_total: int | None
    furthest: int
    rate: float | None
    saved: str
    revision: int
    lines: int


class NewJob(NamedTuple):
    """What is asked for; ``spec`` is JSON, ``total`` bytes, ``valid`` seconds."""

    kind: str
    spec: str
    lane: str
    owner: str = ""
    key: str = ""
    valid: float = 0.0
    total: int | None = None


COLUMNS = [jobs.c[name] for name in JobRow._fields]
_LARGE: Mapping[str, ColumnElement[Any]] = {"checkpoint": literal("{}"), "result": null()}
_BARE = [_LARGE.get(name, jobs.c[name]) for name in JobRow._fields]
"""Without the columns that may be large and that a list of jobs has no use for."""
NEXT_REVISION = jobs.c.revision + 1


class Queue:
    """The table of jobs, one object for each engine; ``commits`` is shared with whatever else
    writes into the catalog, so that they do not compete for the lock of SQLite."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def enqueue(self, wanted: NewJob, most: int) -> tuple[JobRow, bool] | None:
        """Add a job, or find the one that answers for the same owner, kind and key.

        Answers the job and whether it is new; ``None`` if ``most`` have not ended yet.
        """
        once = _digest(wanted) if wanted.key else None

        def change(connection: Connection) -> tuple[JobRow, bool] | None:
            found = None
            while found is None:
                if (row := _insert(connection, wanted, once)) is not None:
                    return None if _too_many(connection, row, most) else (row, True)
                # It may have ended since, or in this very moment.
                found = connection.execute(select(*COLUMNS).where(jobs.c.once == once)).first()
            return JobRow(*found), False

        return await self._commits.run(change)

    async def get(self, identity: str) -> JobRow | None:
        """The job of that id."""
        if not may_be_id(identity):
            return None
        found = await self._select(select(*COLUMNS).where(jobs.c.id == identity))
        return found[0] if found else None

    async def revisions(self, identities: Iterable[str]) -> dict[str, int]:
        """The revision of each of the jobs that there are."""

        def read(some: list[str]) -> list[tuple[str, int]]:
            query = select(jobs.c.id, jobs.c.revision).where(jobs.c.id.in_(some))
            with self._engine.connect() as connection:
                return [(row.id, row.revision) for row in connection.execute(query)]

        found: dict[str, int] = {}
        rest = list(identities)
        while rest:
            some, rest = rest[:_IDS_PER_QUERY], rest[_IDS_PER_QUERY:]
            found |= dict(await in_thread(read, some))
        return found

    async def recent(self, most: int) -> dict[str, int]:
        """The revisions of those that run, of ``most`` of the newest, and of as many that ended
        last."""
        newest = select(jobs.c.id).order_by(jobs.c.id.desc()).limit(most)
        runs = select(jobs.c.id).where(jobs.c.state == RUNNING).limit(most)
        done = select(jobs.c.id).where(jobs.c.ended.is_not(None))
        done = done.order_by(jobs.c.ended.desc(), jobs.c.id.desc()).limit(most)

        def read() -> dict[str, int]:
            with self._engine.connect() as connection:
                found = {one for query in (newest, runs, done) for one in connection.scalars(query)}
                query = select(jobs.c.id, jobs.c.revision).where(jobs.c.id.in_(found))
                return {row.id: row.revision for row in connection.execute(query)}

        return await in_thread(read)

    async def bare(self, identities: Sequence[str]) -> list[JobRow]:
        """Those of the jobs that there are, as in a list: without checkpoint and result."""
        found: list[JobRow] = []
        for at in range(0, len(identities), _IDS_PER_QUERY):
            some = identities[at : at + _IDS_PER_QUERY]
            found += await self._select(select(*_BARE).where(jobs.c.id.in_(some)))
        return found

    async def page(
        self,
        *,
        kind: str | None,
        owner: str | None,
        state: str | None,
        after: str,
        limit: int,
        bare: bool = False,
    ) -> list[JobRow]:
        """Jobs, newest first, that were made before the one whose id is ``after``; ``bare``:
        without checkpoint and result."""
        wanted: list[ColumnElement[bool]] = []
        for column, value in ((jobs.c.kind, kind), (jobs.c.owner, owner), (jobs.c.state, state)):
            if value is not None:
                wanted.append(column == value)
        if after:
            wanted.append(jobs.c.id < after)
        columns = _BARE if bare else COLUMNS
        query = select(*columns).where(*wanted).order_by(jobs.c.id.desc()).limit(limit)
        return await self._select(query)

    async def cancel(self, identity: str) -> JobRow | None:
        """Ask for the end of a job that has not ended; answers how it stands then.

        One that has left nothing behind is cancelled at once. Any other is by a worker: by the one
        that runs it, or, if it waits for another attempt, by any. Its key is free at once: the
        same request from now on means another job.
        """

        def change(connection: Connection) -> JobRow | None:
            untouched = and_(jobs.c.state == WAITING, jobs.c.checkpoint == "{}")
            at_once = _change(connection, identity, untouched, {**ending(CANCELLED), "once": None})
            if at_once is not None:
                job_log.write(connection, at_once.id, at_once.lines, "cancelled")
                return at_once
            asked = {"cancelling": True, "once": None}
            now = {**asked, "due": BEFORE_ALL}
            waiting = _change(connection, identity, jobs.c.state == WAITING, now)
            return waiting or _change(connection, identity, jobs.c.state == RUNNING, asked)

        return await self._commits.run(change)

    async def retry(self, identity: str) -> JobRow | None:
        """Let a job that failed or was cancelled begin again where its checkpoint is; one that
        waits after a failure need not wait longer. Answers how it stands then, or ``None`` if it
        is in another state, or another job answers for its key by now."""

        def change(connection: Connection) -> JobRow | None:
            row = connection.execute(select(*COLUMNS).where(jobs.c.id == identity)).first()
            if row is None:
                return None
            once = _digest(NewJob(row.kind, "", "", row.owner, row.key)) if row.key else None
            if row.once is None and once is not None:
                # Another may be queued just after this look: then the index refuses the change.
                _free(connection, once)
                if connection.scalar(select(jobs.c.id).where(jobs.c.once == once)) is not None:
                    return None
            again = {"state": WAITING, "due": NOW, "ended": None, "error": None, "once": once}
            fresh = {"cancelling": False, "attempts": 0, "failures": 0}
            ended = jobs.c.state.in_((FAILED, CANCELLED))
            lined = {"lines": jobs.c.lines + 1}
            if (begun := _change(connection, identity, ended, {**again, **fresh, **lined})) is None:
                waits = and_(jobs.c.state == WAITING, ~jobs.c.cancelling)
                begun = _change(connection, identity, waits, {"due": NOW, **lined})
            if begun is not None:
                job_log.write(connection, identity, begun.lines, "asked for again")
            return begun

        return await self._commits.run(change)

    async def remove(self, identity: str) -> bool:
        """Remove a job that has ended, and its log; answers whether it was."""
        return await self._commits.run(
            lambda connection: bool(
                _remove(connection, and_(jobs.c.id == identity, jobs.c.ended.is_not(None)))
            )
        )

    async def sweep(self, kept: float, most: int) -> int:
        """Remove jobs that ended more than ``kept`` seconds ago and no longer answer for their
        key, and the oldest of those that ended, if there are more than ``most``; answers how
        many."""
        newest = select(jobs.c.id).where(jobs.c.ended.is_not(None))
        too_many = newest.order_by(jobs.c.ended.desc(), jobs.c.id.desc()).offset(most)
        valid = and_(jobs.c.state == DONE, jobs.c.ended + jobs.c.valid > NOW)
        old = newest.where(jobs.c.ended <= NOW - kept, ~valid)
        count = 0
        for query in (old, too_many):
            some, last = query.limit(_REMOVED_AT_ONCE), _REMOVED_AT_ONCE
            # Not all in one transaction: others want to write meanwhile.
            while last == _REMOVED_AT_ONCE:
                last = await self._remove_some(some)
                count += last
        return count

    async def log(self, identity: str) -> list[job_log.LogRow]:
        """The lines that are kept of the job's log, the oldest first."""
        return await in_thread(job_log.read, self._engine, identity)

    async def _remove_some(self, query: Select[tuple[str]]) -> int:
        def change(connection: Connection) -> int:
            found = connection.scalars(query).all()
            return _remove(connection, jobs.c.id.in_(found)) if found else 0

        return await self._commits.run(change)

    async def _select(self, query: Select[Any]) -> list[JobRow]:
        def read() -> list[JobRow]:
            with self._engine.connect() as connection:
                return [JobRow(*found) for found in connection.execute(query)]

        return await in_thread(read)


def ending(state: str) -> dict[str, object]:
    """What becomes of the columns of a job that ends."""
    return {
        "state": state,
        "ended": NOW,
        "due": None,
        "holder": None,
        "rate": None,
        "cancelling": False,
        "lines": jobs.c.lines + 1,
    }


def _digest(wanted: NewJob) -> str:
    parts = "\0".join((wanted.owner, wanted.kind, wanted.key))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


def _insert(connection: Connection, wanted: NewJob, once: str | None) -> JobRow | None:
    """Add the job unless another answers for its key."""
    if once is not None:
        _free(connection, once)
    row = {
        **wanted._asdict(),
        "id": f"{int(time.time() * 1000):012x}{secrets.token_hex(10)}",
        "state": WAITING,
        "once": once,
        "checkpoint": "{}",
        "saved": "",
        "created": NOW,
        "due": NOW,
        "cancelling": False,
        **dict.fromkeys(("token", "attempts", "failures", "done", "files_done"), 0),
        **dict.fromkeys(("furthest", "revision", "lines"), 0),
    }
    adding = inserting(connection, jobs, row)
    # Two hosts may ask in the same moment: the second waits for the first, and then finds it.
    adding = adding.on_conflict_do_nothing(index_elements=["once"])
    added = connection.execute(adding.returning(*COLUMNS)).first()
    return None if added is None else JobRow(*added)


def _free(connection: Connection, once: str) -> None:
    """A result that is too old no longer answers for its key."""
    stale = and_(jobs.c.state == DONE, jobs.c.ended + jobs.c.valid <= NOW)
    # Looked for first: a change takes SQLite's lock even if nothing matches.
    found = connection.scalar(select(jobs.c.id).where(jobs.c.once == once, stale))
    if found is not None:
        connection.execute(update(jobs).where(jobs.c.id == found, stale).values(once=None))


def _too_many(connection: Connection, row: JobRow, most: int) -> bool:
    """Take the new job back if there are more than ``most``. Two hosts on PostgreSQL may pass the
    limit together, by what they ask for at one moment."""
    unfinished = select(func.count()).select_from(jobs).where(jobs.c.due.is_not(None))
    if (connection.scalar(unfinished) or 0) <= most:
        return False
    connection.execute(delete(jobs).where(jobs.c.id == row.id))
    return True


def _change(
    connection: Connection,
    identity: str,
    condition: ColumnElement[bool],
    values: Mapping[str, object],
) -> JobRow | None:
    changed = (
        update(jobs)
        .where(jobs.c.id == identity, condition)
        .values(revision=NEXT_REVISION, **values)
        .returning(*COLUMNS)
    )
    found = connection.execute(changed).first()
    return None if found is None else JobRow(*found)


def _remove(connection: Connection, which: ColumnElement[bool]) -> int:
    gone = connection.scalars(delete(jobs).where(which).returning(jobs.c.id)).all()
    job_log.forget(connection, gone)
    return len(gone)
