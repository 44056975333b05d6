"""Copies of parts, as upkeep sees them: too few, too many, bad, or not where they should be."""

import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    case,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)

from penstock.catalog.clock import NOW
from penstock.catalog.cluster.rows import CopyState, PartRow, part_name
from penstock.catalog.cluster.selecting import Place, parts_at, some
from penstock.catalog.commits import GroupCommit
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_outbox as outbox
from penstock.catalog.schema import cluster_parts as parts
from penstock.threads import in_thread

T = TypeVar("T")

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)

_LOOKED_AT = 2000
"""So many parts are looked at in one query, so that none is long."""

_other = copies.alias("other")

_ANOTHER = exists().where(
    _other.c.file == copies.c.file,
    _other.c.number == copies.c.number,
    _other.c.node != copies.c.node,
    _other.c.state == CopyState.STORED,
)
"""Whether there is another good copy."""


class HeldCopy(NamedTuple):
    """A copy that a node should have; ``changed`` is when the row got its state."""

    name: str
    file: str
    number: int
    state: CopyState
    size: int
    crc32: int | None
    changed: float


class StaleCopy(NamedTuple):
    """A copy that is to be deleted on its node, and then dropped."""

    name: str
    node: str
    file: str
    number: int


class Copies:
    """The table of copies; times are seconds by the database's clock."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def short(
        self, replicas: int, usable: Collection[str], after: Place, most: int
    ) -> list[PartRow]:
        """Parts with fewer good copies on ``usable`` nodes than ``replicas``, or than there are
        such nodes: up to ``most`` behind the file and number ``after``, in that order.

        Those of versions only that are whole and not to be removed. If they are fewer than
        ``most``, there are no more.
        """
        wanted = min(replicas, len(usable))
        return await self._counted(usable, after, most, lambda good: good < wanted)

    async def extra(
        self, replicas: int, usable: Collection[str], after: Place, most: int
    ) -> list[PartRow]:
        """As :meth:`short`, those with more good copies on ``usable`` nodes than ``replicas``."""
        return await self._counted(usable, after, most, lambda good: good > replicas)

    async def on(self, node: str, after: str, most: int) -> list[HeldCopy]:
        """Up to ``most`` copies of the node behind the name ``after``, in bytewise order of their
        names.

        Those of versions whose removal has begun are left out: nobody knows which are there.
        """
        of_part = and_(parts.c.file == copies.c.file, parts.c.number == copies.c.number)
        columns = [copies.c.name, copies.c.file, copies.c.number, copies.c.state]
        query = select(*columns, parts.c.size, parts.c.crc32, copies.c.changed)
        query = query.select_from(copies.join(parts, of_part))
        going = select(outbox.c.file).where(outbox.c.file == copies.c.file, outbox.c.attempts > 0)
        # One look-up for each row: of a join PostgreSQL might read the whole outbox first.
        is_going = going.scalar_subquery().is_not(None)
        query = query.where(copies.c.node == node, copies.c.name > after, ~is_going)
        found = await self._read(query.order_by(copies.c.name).limit(most))
        return [HeldCopy(*row)._replace(state=CopyState(row.state)) for row in found]

    async def of(self, names: Iterable[str], node: str) -> dict[str, CopyState]:
        """How the copies stand that the node calls so; those without a row are left out."""
        found: dict[str, CopyState] = {}
        for these in some(names):
            named = and_(copies.c.node == node, copies.c.name.in_(these))
            rows = await self._read(select(copies.c.name, copies.c.state).where(named))
            found |= {name: CopyState(state) for name, state in rows}
        return found

    async def named(self, names: Iterable[str]) -> list[PartRow]:
        """The parts that nodes call so, of whole versions that are not to be removed; those left
        out that there are not."""
        places = [place for name in names if (place := _place(name)) is not None]

        def read() -> list[PartRow]:
            with self._engine.connect() as connection:
                found = parts_at(connection, places)
                kept = _kept(connection, {part.file for part in found})
                return [part for part in found if part.file in kept]

        return await in_thread(read)

    async def found(self, file: str, number: int, node: str) -> None:
        """Take down that the copy is there, and good. Nothing if it has no row."""
        await self._set(file, number, node, CopyState.STORED)

    async def bad(self, file: str, number: int, node: str) -> None:
        """Take down that the copy is not there, or not good. Nothing if it has no row."""
        await self._set(file, number, node, CopyState.BAD)

    async def drop(self, file: str, number: int, node: str) -> None:
        """Forget the copy; but never a good one without another good one."""

        def change(connection: Connection) -> None:
            # Two that drop two copies of a part at once come one after the other.
            locked = select(parts.c.number).where(parts.c.file == file, parts.c.number == number)
            connection.execute(locked.with_for_update())
            may_go = or_(copies.c.state != CopyState.STORED, _ANOTHER)
            connection.execute(copies.delete().where(*_at(file, number, node), may_go))

        await self._commits.run(change)

    async def stale(self, age: float, most: int) -> list[StaleCopy]:
        """Up to ``most`` copies that are of no use: bad ones of parts that have a good copy, and
        those of whole versions that were begun ``age`` seconds ago, and never became good."""
        whole = exists().where(files.c.id == copies.c.file, files.c.processed.is_not(None))
        begun = and_(copies.c.state == CopyState.WRITING, copies.c.changed < NOW - age, whole)
        bad = and_(copies.c.state == CopyState.BAD, _ANOTHER)
        columns = [copies.c[name] for name in StaleCopy._fields]
        stale: list[StaleCopy] = []
        for such in (begun, bad):
            query = select(*columns).where(such).order_by(copies.c.changed)
            stale += [StaleCopy(*row) for row in await self._read(query.limit(most - len(stale)))]
        return stale

    async def newly_bad(self, most: int) -> list[StaleCopy]:
        """The last ``most`` copies that were found bad, those too whose parts have no good one."""
        columns = [copies.c[name] for name in StaleCopy._fields]
        query = select(*columns).where(copies.c.state == CopyState.BAD)
        found = await self._read(query.order_by(copies.c.changed.desc()).limit(most))
        return [StaleCopy(*row) for row in found]

    async def now(self) -> float:
        """Seconds since 1970, as ``changed`` of a copy."""
        ((now,),) = await self._read(select(NOW))
        return float(now)

    async def _counted(
        self, usable: Collection[str], after: Place, most: int, wanted: Callable[[int], bool]
    ) -> list[PartRow]:
        """Parts whose number of good copies on ``usable`` nodes is wanted."""
        rows: list[PartRow] = []
        while len(rows) < most:
            looked_at = await self._read(_good_copies(usable, after))
            such = [(row.file, row.number) for row in looked_at if _is(row.good, wanted)]
            found = such[: most - len(rows)]
            # Some may be gone by now: that a page is not full must not look like the end.
            rows += await in_thread(self._parts_at, found)
            if len(found) < len(such):
                after = found[-1]
            elif len(looked_at) < _LOOKED_AT:
                break
            else:
                after = (looked_at[-1].file, looked_at[-1].number)
        return rows

    def _parts_at(self, places: list[Place]) -> list[PartRow]:
        """Blocks."""
        with self._engine.connect() as connection:
            return parts_at(connection, places)

    async def _read(self, query: Select[Any]) -> list[Any]:
        def read() -> list[Any]:
            with self._engine.connect() as connection:
                return list(connection.execute(query).all())

        return await in_thread(read)

    async def _set(self, file: str, number: int, node: str, state: CopyState) -> None:
        changed = update(copies).where(*_at(file, number, node)).values(state=state, changed=NOW)
        await self._commits.run(lambda connection: connection.execute(changed))


def _place(name: str) -> Place | None:
    """The part that nodes call so; ``None`` if none can be."""
    file, _, number = name.rpartition("-")
    if _NUMBER.fullmatch(number) is None or not file.isascii():
        return None
    return file, int(number)


def _kept(connection: Connection, of: Iterable[str]) -> set[str]:
    """Those of the versions that are whole and not to be removed."""
    doomed = exists().where(outbox.c.file == files.c.id)
    kept: set[str] = set()
    for these in some(of):
        query = select(files.c.id).where(files.c.id.in_(these), files.c.processed.is_not(None))
        kept |= set(connection.scalars(query.where(~doomed)))
    return kept


def _is(good: int | None, wanted: Callable[[int], bool]) -> bool:
    return good is not None and wanted(good)


def _at(file: str, number: int, node: str) -> tuple[ColumnElement[bool], ...]:
    return (copies.c.name == part_name(file, number), copies.c.node == node)


def _good_copies(usable: Collection[str], after: Place) -> Select[Any]:
    """The next parts by file and number, and how many good copies each has on ``usable`` nodes;
    of a version that is not whole, or is to be removed, null."""
    good = select(func.count()).where(
        copies.c.file == parts.c.file,
        copies.c.number == parts.c.number,
        copies.c.state == CopyState.STORED,
        copies.c.node.in_(sorted(usable)),
    )
    # Looked up for each of the few rows. Of an EXISTS here PostgreSQL may read the whole table.
    processed = select(files.c.processed).where(files.c.id == parts.c.file).scalar_subquery()
    doomed = select(outbox.c.file).where(outbox.c.file == parts.c.file).scalar_subquery()
    stays = and_(processed.is_not(None), doomed.is_(None))
    counted = case((stays, good.scalar_subquery()), else_=None)
    query = select(parts.c.file, parts.c.number, counted.label("good"))
    query = query.where(tuple_(parts.c.file, parts.c.number) > tuple_(*after))
    return query.order_by(parts.c.file, parts.c.number).limit(_LOOKED_AT)
