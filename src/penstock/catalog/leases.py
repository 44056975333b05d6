"""Jobs in the catalog, as whoever does the work sees them: claimed, renewed, saved, ended.

Whoever runs a job *holds* it under a lease, which the database's clock measures. When the lease is
over, anybody may claim the job. Each claim raises the ``token``, and every write names the token
of its claim, so nothing that an earlier holder still sends is taken (a fencing token).

A commit whose answer is lost with the connection may have been made or not. So every change here
can be asked for again: it is made once.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, func, select, update

from penstock.catalog import job_log
from penstock.catalog.clock import NOW
from penstock.catalog.commits import GroupCommit
from penstock.catalog.lanes import is_paused
from penstock.catalog.queue import (
    BEFORE_ALL,
    COLUMNS,
    DONE,
    NEXT_REVISION,
    RUNNING,
    WAITING,
    JobRow,
    ending,
)
from penstock.catalog.schema import jobs
from penstock.threads import in_thread

Also: TypeAlias = Callable[[Connection], object]


class Claim(NamedTuple):
    """What a holder names with every write."""

    id: str
    token: int


class Progress(NamedTuple):
    """How far a job is, in bytes and files; ``rate`` is bytes per second."""

    done: int = 0
    total: int | None = None
    files_done: int = 0
    files_total: int | None = None
    rate: float | None = None


_RENEWED = [jobs.c[name] for name in ("due", "cancelling", "revision", *Progress._fields)]


class Standing(NamedTuple):
    """Whose a job is now, and whether somebody asked for its end."""

    token: int
    state: str
    cancelling: bool


class Leases:
    """The table of jobs, as the workers of a process use it; times are seconds."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def claim(
        self,
        holder: str,
        places: Mapping[str, int],
        kinds: Iterable[str],
        lease: float,
        ends: int = 0,
    ) -> list[JobRow]:
        """Up to so many jobs of each lane: those whose holder fell silent, then the longest due.

        Of a paused lane those only that were begun already, and those that are to be ended.

        :param ends: how many that are only to be ended may come on top of that, of all lanes
        """
        of_kinds = jobs.c.kind.in_(sorted(kinds))

        def change(connection: Connection) -> list[JobRow]:
            claimed: list[JobRow] = []
            for lane in places:
                # Found by the index, however many others wait.
                first = and_(jobs.c.state == WAITING, jobs.c.due <= BEFORE_ALL)
                for such in (jobs.c.state == RUNNING, first):
                    if ends > len(claimed):
                        where = and_(jobs.c.lane == lane, such, jobs.c.cancelling, of_kinds)
                        claimed += _claim(connection, where, holder, ends - len(claimed), lease)
            for lane, places_of in places.items():
                left = places_of
                waits = and_(jobs.c.state == WAITING, ~is_paused(lane))
                for such in (jobs.c.state == RUNNING, waits):
                    if left > 0:
                        where = and_(jobs.c.lane == lane, such, of_kinds)
                        found = _claim(connection, where, holder, left, lease)
                        left -= len(found)
                        claimed += found
            return claimed

        return await self._commits.run(change)

    async def standings(self, identities: Iterable[str]) -> dict[str, Standing]:
        """How the jobs stand, of those that there are."""
        query = select(jobs.c.id, jobs.c.token, jobs.c.state, jobs.c.cancelling).where(
            jobs.c.id.in_(list(identities))
        )

        def read() -> dict[str, Standing]:
            with self._engine.connect() as connection:
                return {row[0]: Standing(*row[1:]) for row in connection.execute(query)}

        return await in_thread(read)

    async def renew(self, claim: Claim, lease: float, progress: Progress) -> dict[str, Any] | None:
        """Go on holding the job; ``None`` if it is another's by now, as everywhere here.

        Answers the columns that change while it is held, not what the job is: that may be large,
        and this is done once a second.
        """
        renewed = (
            update(jobs)
            .where(_held(claim))
            .values(**progress._asdict(), due=NOW + lease, revision=NEXT_REVISION)
            .returning(*_RENEWED)
        )

        def change(connection: Connection) -> dict[str, Any] | None:
            found = connection.execute(renewed).mappings().first()
            return None if found is None else dict(found)

        return await self._commits.run(change)

    async def save(
        self,
        claim: Claim,
        saved: str,
        checkpoint: str,
        lease: float,
        progress: Progress,
        also: Also | None = None,
    ) -> JobRow | None:
        """Save the checkpoint, and make the change ``also`` in the same transaction.

        :param saved: a word that no other save has, and that this one keeps if it is made again
        """

        def change(connection: Connection) -> JobRow | None:
            further = jobs.c.furthest < progress.done
            values = {
                **progress._asdict(),
                "due": NOW + lease,
                "checkpoint": checkpoint,
                "saved": saved,
                "furthest": _greatest(jobs.c.furthest, progress.done),
                "failures": case((further, 0), else_=jobs.c.failures),
            }
            row = _write(connection, claim, values, jobs.c.saved != saved)
            if row is None:
                return _read(connection, _held(claim), jobs.c.saved == saved)
            if also is not None:
                also(connection)
            return row

        return await self._commits.run(change)

    async def end(self, claim: Claim, state: str, line: str, **values: object) -> JobRow | None:
        """End the job as ``state``; ``line`` goes into its log."""
        # What is not valid for a while frees its key now, whatever the clock does meanwhile.
        valid = case((jobs.c.valid > 0, jobs.c.once), else_=None)
        once = valid if state == DONE else None
        return await self._let_go(claim, line, {**ending(state), "once": once, **values})

    async def postpone(self, claim: Claim, pause: float, line: str, error: str) -> JobRow | None:
        """Let it be tried again in ``pause`` seconds."""
        values = {**_waiting(pause), "error": error}
        return await self._let_go(claim, line, values)

    async def give_back(self, claim: Claim, line: str) -> JobRow | None:
        """Let somebody else go on at once, as if this holder had never begun."""
        unbegun = {"attempts": jobs.c.attempts - 1, "failures": _greatest(jobs.c.failures - 1, 0)}
        return await self._let_go(claim, line, {**_waiting(), **unbegun})

    async def write(self, claim: Claim, line: str) -> JobRow | None:
        """Add a line to the job's log."""

        def change(connection: Connection) -> JobRow | None:
            return _write(connection, claim, {"lines": jobs.c.lines + 1}, line=line)

        return await self._commits.run(change)

    async def mend(self, lease: float, pause: float) -> int:
        """Correct what lies further away than anything can: the clock was set back.

        A holder that lives renews its lease in time; one that is dead is found out by then.
        """

        def change(connection: Connection) -> int:
            count = 0
            for state, most in ((RUNNING, lease), (WAITING, pause)):
                # A second more: the clock may be read again between two statements.
                beyond = and_(jobs.c.state == state, jobs.c.due > NOW + most + 1.0)
                if connection.scalar(select(jobs.c.id).where(beyond).limit(1)) is not None:
                    mended = update(jobs).where(beyond).values(due=NOW + most)
                    count += connection.execute(mended).rowcount
            return count

        return await self._commits.run(change)

    async def _let_go(self, claim: Claim, line: str, values: Mapping[str, object]) -> JobRow | None:
        def change(connection: Connection) -> JobRow | None:
            row = _write(connection, claim, values, line=line)
            # With the same token nobody has held it since, so it was let go by this very change.
            return row or _read(
                connection,
                jobs.c.id == claim.id,
                jobs.c.token == claim.token,
                jobs.c.state != RUNNING,
            )

        return await self._commits.run(change)


def _waiting(pause: float = 0.0) -> dict[str, object]:
    # Somebody may ask for its end in this very moment.
    due = case((jobs.c.cancelling, BEFORE_ALL), else_=NOW + pause)
    values = {"state": WAITING, "holder": None, "rate": None, "lines": jobs.c.lines + 1}
    return {**values, "due": due}


def _claim(
    connection: Connection, where: ColumnElement[bool], holder: str, most: int, lease: float
) -> list[JobRow]:
    due = and_(where, jobs.c.due <= NOW)
    # Found before it is changed: a change takes SQLite's lock even if nothing matches.
    query = select(jobs.c.id, jobs.c.state).where(due).order_by(jobs.c.due, jobs.c.id).limit(most)
    locked = connection.execute(query.with_for_update(skip_locked=True))
    found = {row.id: row.state for row in locked}
    if not found:
        return []
    values = {
        "state": RUNNING,
        "holder": holder,
        "token": jobs.c.token + 1,
        "attempts": jobs.c.attempts + 1,
        "failures": jobs.c.failures + 1,
        "started": func.coalesce(jobs.c.started, NOW),
        "due": NOW + lease,
        "rate": None,
        "lines": jobs.c.lines + 1,
        "revision": NEXT_REVISION,
    }
    # Checked again: in SQLite, which locks no rows, another may have been faster.
    claimed = update(jobs).where(jobs.c.id.in_(list(found)), due).values(**values)
    rows = [JobRow(*row) for row in connection.execute(claimed.returning(*COLUMNS))]
    for row in rows:
        silent = " (the worker before fell silent)" if found[row.id] == RUNNING else ""
        job_log.write(connection, row.id, row.lines, f"attempt {row.attempts} begun{silent}")
    return rows


def _held(claim: Claim) -> ColumnElement[bool]:
    held = (jobs.c.id == claim.id, jobs.c.token == claim.token, jobs.c.state == RUNNING)
    return and_(*held)


def _write(
    connection: Connection,
    claim: Claim,
    values: Mapping[str, object],
    *conditions: ColumnElement[bool],
    line: str = "",
) -> JobRow | None:
    """Change the job if the claim holds; a ``line`` for its log needs ``lines`` to be raised."""
    changed = update(jobs).where(_held(claim), *conditions)
    changed = changed.values(revision=NEXT_REVISION, **values)
    found = connection.execute(changed.returning(*COLUMNS)).first()
    if found is None:
        return None
    row = JobRow(*found)
    if line:
        job_log.write(connection, row.id, row.lines, line)
    return row


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> JobRow | None:
    found = connection.execute(select(*COLUMNS).where(*conditions)).first()
    return None if found is None else JobRow(*found)


def _greatest(one: ColumnElement[int], other: int) -> ColumnElement[Any]:
    """Called MAX in SQLite and GREATEST in PostgreSQL."""
    return case((one > other, one), else_=other)
