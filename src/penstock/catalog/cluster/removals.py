"""Versions that are to be removed from the nodes, and then from the catalog: an outbox.

They are those that another took the place of, that were deleted, and that never became whole.
A claim lasts as long as its lease, and has a fence, as in :mod:`penstock.catalog.outbox`.
"""

import secrets
from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, func, or_, select, update

from penstock.catalog.clock import NOW
from penstock.catalog.cluster.rows import Copy, Doomed, part_name
from penstock.catalog.cluster.selecting import some
from penstock.catalog.commits import GroupCommit
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_keys as keys
from penstock.catalog.schema import cluster_outbox as outbox
from penstock.catalog.schema import cluster_parts as parts
from penstock.threads import in_thread

_DUE = outbox.c.due <= NOW
_SEEN = exists().where(keys.c.file == outbox.c.file)
_READ_UNTIL = (
    select(files.c.read_until)
    .where(files.c.id == outbox.c.file, files.c.read_until > NOW)
    .scalar_subquery()
)
_NEXT = select(func.min(outbox.c.due) - NOW)
_COUNT = select(func.count()).where(or_(_DUE, outbox.c.attempts > 0))


class Removals:
    """The outbox of removals; times are seconds by the database's clock."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def claim(self, most: int, lease: float) -> list[Doomed]:
        """Up to ``most`` versions that are due, the longest first, for ``lease`` seconds.

        None that is seen or read is among them.
        """

        def change(connection: Connection) -> list[Doomed]:
            # Found before it is changed: a change takes SQLite's lock even if nothing matches.
            query = select(outbox.c.file).where(_DUE).order_by(outbox.c.due).limit(most)
            query = query.with_for_update(skip_locked=True)
            while found := connection.scalars(query).all():
                if claimed := _claim(connection, found, lease):
                    return claimed
            return []

        return await self._commits.run(change)

    async def copies(self, file: str, after: Copy | None, most: int) -> list[Copy]:
        """Up to ``most`` copies of the version, whatever their state, behind ``after``."""
        query = select(copies.c.number, copies.c.node).where(copies.c.file == file)
        if after is not None:
            same = and_(copies.c.number == after.number, copies.c.node > after.node)
            query = query.where(copies.c.number >= after.number)
            query = query.where(or_(copies.c.number > after.number, same))
        query = query.order_by(copies.c.number, copies.c.node).limit(most)

        def read() -> list[Copy]:
            with self._engine.connect() as connection:
                return [Copy(*row) for row in connection.execute(query)]

        return await in_thread(read)

    async def forget(self, doomed: Doomed, gone: Sequence[Copy]) -> bool:
        """Forget copies that are on their nodes no more; ``False`` if the claim is void."""

        def change(connection: Connection) -> bool:
            held = _hold(connection, doomed)
            if held:
                _drop(connection, doomed.file, gone)
            return held

        return await self._commits.run(change)

    async def removed(self, doomed: Doomed, gone: Sequence[Copy]) -> bool:
        """Forget the version, which is on no node any more; ``gone`` are the copies of it that
        were not forgotten yet.

        ``False``, and it stays, if the claim is void, or if the version was about to be on more
        nodes meanwhile: then it can be claimed anew at once.
        """

        made = False

        def change(connection: Connection) -> bool:
            nonlocal made
            file = doomed.file
            if not _hold(connection, doomed):
                # By this change, if it is made again as nobody knows whether it was made.
                return made
            # Locked, so that no copy is placed meanwhile.
            connection.execute(select(files.c.id).where(files.c.id == file).with_for_update())
            there = select(copies.c.number, copies.c.node).where(copies.c.file == file)
            rows = connection.execute(there.limit(len(gone) + 1))
            if {Copy(*row) for row in rows} - set(gone):
                connection.execute(update(outbox).where(*_held(doomed)).values(due=NOW, fence=None))
                return False
            # A part before its copies, as whoever changes both: else they wait for each other.
            for table in (parts, copies, outbox):
                connection.execute(table.delete().where(table.c.file == file))
            connection.execute(files.delete().where(files.c.id == file))
            made = True
            return True

        return await self._commits.run(change)

    async def postpone(
        self, doomed: Doomed, pause: float, reason: str, gone: Sequence[Copy] = ()
    ) -> bool:
        """Let it be tried again in ``pause`` seconds, without the copies that are gone; ``False``
        if the claim is void."""
        later = update(outbox).where(*_held(doomed))
        later = later.values(due=NOW + pause, fence=None, reason=reason)

        def change(connection: Connection) -> bool:
            held = connection.execute(later).rowcount == 1
            if held:
                _drop(connection, doomed.file, gone)
            return held

        return await self._commits.run(change)

    async def next_due(self) -> float | None:
        """In how many seconds something can be claimed, 0 or less if it can; ``None``: never."""

        def read() -> float | None:
            with self._engine.connect() as connection:
                return connection.scalar(_NEXT)

        return await in_thread(read)

    async def count(self) -> int:
        """How many versions are to be removed now: neither those that are kept for a while yet,
        nor those on their way."""

        def read() -> int:
            with self._engine.connect() as connection:
                return int(connection.scalar(_COUNT) or 0)

        return await in_thread(read)


def _claim(connection: Connection, found: Sequence[str], lease: float) -> list[Doomed]:
    """Claim those that can be; after this none of the others is due."""
    these = outbox.c.file.in_(found)
    # A write comes first: in SQLite, which locks no rows, another may have been faster.
    connection.execute(outbox.delete().where(these, _DUE, _SEEN))
    read = and_(these, _DUE, _READ_UNTIL.is_not(None))
    connection.execute(update(outbox).where(read).values(due=_READ_UNTIL))
    values = {"fence": secrets.token_hex(8), "attempts": outbox.c.attempts + 1, "due": NOW + lease}
    claimed = update(outbox).where(these, _DUE).values(**values)
    rows = connection.execute(claimed.returning(outbox.c.file, outbox.c.fence, outbox.c.attempts))
    claims = {file: (fence, attempts) for file, fence, attempts in rows}
    return [Doomed(file, *claims[file]) for file in found if file in claims]


def _held(doomed: Doomed) -> tuple[ColumnElement[bool], ...]:
    return (outbox.c.file == doomed.file, outbox.c.fence == doomed.fence)


def _hold(connection: Connection, doomed: Doomed) -> bool:
    """Whether the claim holds, and will until the transaction ends."""
    held = update(outbox).where(*_held(doomed)).values(fence=doomed.fence)
    return connection.execute(held).rowcount == 1


def _drop(connection: Connection, file: str, gone: Sequence[Copy]) -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for copy in gone:
        names[copy.node].append(part_name(file, copy.number))
    for node in sorted(names):
        for these in some(names[node]):
            dropped = copies.delete().where(copies.c.name.in_(these), copies.c.node == node)
            connection.execute(dropped)
