"""Events that wait to be told to a webhook, taken down in the transaction that makes them true.

The events of one subject are told in the order of their ``sequence``, one after the other: the
first of them stands for the subject, and only it can be claimed. A claim lasts as long as its
lease. It has a fence, a random word that whoever holds it must name to settle it, so nobody who
comes too late changes what another has claimed meanwhile.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Delete,
    Engine,
    Select,
    Update,
    and_,
    delete,
    event,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from penstock.catalog.commits import GroupCommit
from penstock.catalog.schema import outbox
from penstock.threads import in_thread

FURTHEST = 3600.0
"""Seconds from now beyond which nothing is ever due; if something is, the clock was set back."""

_RECORDED = "penstock.outbox"
_BURIED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that has been claimed, to be delivered before its lease is over."""

    sequence: int
    id: str
    subject: str
    kind: str
    body: str
    created: float
    attempts: int
    """How many times it has been claimed, this time included."""
    fence: str


_FIELDS = [outbox.c[name] for name in Letter.__slots__]

_COUNT = select(func.count()).select_from(outbox)

_earlier = outbox.alias()

# It waits, and none of its subject waits before it.
_FIRST = and_(
    outbox.c.due.is_not(None),
    ~exists(
        select(_earlier.c.sequence).where(
            _earlier.c.subject == outbox.c.subject,
            _earlier.c.sequence < outbox.c.sequence,
            _earlier.c.due.is_not(None),
        )
    ),
)

# When the first that can be claimed is due, and the last of all.
_DUE = select(
    select(outbox.c.due)
    .where(_FIRST)
    .order_by(outbox.c.due, outbox.c.sequence)
    .limit(1)
    .scalar_subquery(),
    select(func.max(outbox.c.due)).scalar_subquery(),
)


class Outbox:
    """The table of events, one object for each engine; ``commits`` is shared with the ledger, so
    that the two do not compete for the lock of SQLite.

    Times are seconds since 1970 by the clock of the host. Hosts on one catalog may differ by what
    a lease is longer than a delivery takes; beyond that an event may be told twice at a time.
    """

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits
        self._recorded: Callable[[], None] | None = None
        event.listen(engine, "checkin", self._returned)

    def on_record(self, recorded: Callable[[], None]) -> None:
        """Call ``recorded``, in any thread, when this process has committed an event."""
        self._recorded = recorded

    def record(
        self, connection: Connection, subject: str, kind: str, data: Mapping[str, object]
    ) -> None:
        """Take down an event in the transaction of ``connection``; blocking, but only an insert.

        Events of a subject are ordered as they are recorded, if whoever records them holds a lock
        on the subject until the end of the transaction, as a change of its row does.

        :param subject: what the event is about, such as the id of an upload
        :param kind: the type, such as ``upload.finished``
        :param data: what is told, as JSON has it
        """
        now = time.time()
        when = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")
        body = {"type": kind, "timestamp": when.replace("+00:00", "Z"), "data": dict(data)}
        row = {
            "id": f"msg_{secrets.token_hex(16)}",
            "subject": subject,
            "kind": kind,
            "body": json.dumps(body, separators=(",", ":")),
            "created": now,
            "due": now,
            "attempts": 0,
        }
        connection.execute(insert(outbox), row)
        connection.info[_RECORDED] = True

    async def claim(self, most: int, lease: float) -> list[Letter]:
        """Up to ``most`` events that are due, of as many subjects, for ``lease`` seconds."""

        def change(connection: Connection) -> list[Letter]:
            now = time.time()
            # Found before it is changed: a change takes SQLite's lock even if nothing matches.
            claimable = and_(_FIRST, outbox.c.due <= now)
            order = (outbox.c.due, outbox.c.sequence)
            query = select(outbox.c.sequence).where(claimable).order_by(*order).limit(most)
            found = connection.scalars(query.with_for_update(skip_locked=True)).all()
            if not found:
                return []
            # Checked again: in SQLite, which locks no rows, another may have been faster.
            claimed = connection.execute(
                update(outbox)
                .where(outbox.c.sequence.in_(found), claimable)
                .values(fence=secrets.token_hex(8), attempts=outbox.c.attempts + 1)
                .returning(*_FIELDS)
            )
            letters = [Letter(*row) for row in claimed]
            _set_due(connection, [letter.subject for letter in letters], now + min(lease, FURTHEST))
            return sorted(letters, key=lambda letter: letter.sequence)

        return await self._commits.run(change)

    async def delivered(self, letter: Letter) -> bool:
        """Remove it, and let the next of its subject follow; ``False`` if the claim is void."""
        return await self._settle(letter, delete(outbox), 0.0)

    async def postpone(self, letter: Letter, pause: float, reason: str) -> bool:
        """Let it be tried again in ``pause`` seconds; ``False`` if the claim is void."""
        changed = update(outbox).values(fence=None, reason=reason)
        return await self._settle(letter, changed, min(pause, FURTHEST))

    async def bury(self, letter: Letter, reason: str) -> bool:
        """Give it up and let the next of its subject follow; ``False`` if the claim is void."""
        changed = update(outbox).values(due=None, fence=None, reason=reason)
        return await self._settle(letter, changed, 0.0)

    async def bury_older(self, age: float, reason: str) -> int:
        """Give up all that are older than ``age`` seconds; answers how many.

        A claim on one of them stays good: if it is delivered after all, it is removed.
        """
        old = and_(outbox.c.due.is_not(None), outbox.c.created < time.time() - age)
        some = select(outbox.c.sequence).where(old).limit(_BURIED_AT_ONCE).scalar_subquery()
        buried = update(outbox).values(due=None, reason=reason)
        count, last = 0, _BURIED_AT_ONCE
        # Not all in one transaction: others want to write meanwhile.
        while last == _BURIED_AT_ONCE:
            last = await self._change(buried.where(outbox.c.sequence.in_(some)))
            count += last
        return count

    async def forget_dead(self, age: float) -> int:
        """Remove dead letters of events older than ``age`` seconds; answers how many."""
        old = and_(outbox.c.due.is_(None), outbox.c.created < time.time() - age)
        return await self._change(delete(outbox).where(old))

    async def dead(self) -> int:
        """How many events have been given up and are kept."""
        (count,) = await self._look(_COUNT.where(outbox.c.due.is_(None)))
        return int(count)

    async def waiting(self) -> int:
        """How many events are neither delivered nor given up."""
        (count,) = await self._look(_COUNT.where(outbox.c.due.is_not(None)))
        return int(count)

    async def next_due(self) -> float | None:
        """In how many seconds something can be claimed, 0 or less if it can; ``None``: never.

        What would be due further away than can be is made due: the clock was set back.
        """
        due, latest = await self._look(_DUE)
        now = time.time()
        if due is None or latest <= now + FURTHEST:
            return None if due is None else due - now
        beyond = outbox.c.due > now + FURTHEST
        await self._change(update(outbox).where(beyond).values(due=now))
        return 0.0

    async def _settle(self, letter: Letter, settled: Update | Delete, pause: float) -> bool:
        """Change the event if the claim still holds, and when its subject is due."""
        held = and_(outbox.c.sequence == letter.sequence, outbox.c.fence == letter.fence)

        def change(connection: Connection) -> bool:
            if connection.execute(settled.where(held)).rowcount != 1:
                return False
            _set_due(connection, [letter.subject], time.time() + pause)
            return True

        return await self._commits.run(change)

    async def _change(self, statement: Update | Delete) -> int:
        """Answers how many rows it changed."""
        return await self._commits.run(lambda connection: connection.execute(statement).rowcount)

    async def _look(self, query: Select[Any]) -> tuple[Any, ...]:
        def look() -> tuple[Any, ...]:
            with self._engine.connect() as connection:
                return tuple(connection.execute(query).one())

        return await in_thread(look)

    def _returned(self, _raw: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        """A connection is back in the pool: only now has what it recorded been committed."""
        if entry.info.pop(_RECORDED, False) and self._recorded is not None:
            self._recorded()


def _set_due(connection: Connection, subjects: Sequence[str], due: float) -> None:
    """All of a subject are due together, or what waits behind the first would be looked at in vain
    whenever something is claimed."""
    of_these = and_(outbox.c.subject.in_(subjects), outbox.c.due.is_not(None))
    connection.execute(update(outbox).where(of_these).values(due=due))
