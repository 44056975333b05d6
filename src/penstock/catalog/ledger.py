"""Uploads in the catalog: what each is, how many bytes of it are durable, and who may change it.

A process that changes an upload *holds* it. Each change of holder raises the ``token``, and what a
holder writes names its token, so nothing that an earlier holder still sends is taken
(a fencing token).
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.schema import uploads
from penstock.threads import in_thread

OPEN = "open"
FINISHING = "finishing"
DONE = "done"
UNFINISHED = (OPEN, FINISHING)

PARTIAL = "partial"
FINAL = "final"

ASKED = 1
GIVING_WAY = 2

Events: TypeAlias = Callable[[Connection, str, str, Mapping[str, object]], None]


class UploadRow(NamedTuple):
    """An upload as it stands in the catalog; the columns are explained in the schema."""

    id: str
    state: str
    kind: str
    key: str
    offset: int
    length: int | None
    content_type: str | None
    metadata: str
    concat: str
    parts: str
    sha256: bytes | None
    condition: str
    owner: str
    part_group: str
    start: int
    plain: bool
    generation: int
    created: float
    expires: float
    holder: str | None
    token: int
    wanted: int
    outcome: str | None
    ahead: str | None


class Open(NamedTuple):
    """How many uploads are unfinished, and the bytes they have or were announced to have."""

    uploads: int
    size: int


_IDS_PER_QUERY = 500
_TOLD = ("id", "kind", "key", "offset", "length", "content_type", "metadata")
_COLUMNS = [uploads.c[name] for name in UploadRow._fields]


_UNSTORED = or_(
    uploads.c.state.in_(UNFINISHED),
    and_(uploads.c.kind == PARTIAL, uploads.c.state == DONE),
)
"""Those that have bytes beside the store: unfinished ones, and complete parts of others."""


def _counted() -> "Select[Any, Any]":
    """How many have bytes beside the store, and how many these are."""
    size = func.coalesce(uploads.c.length, uploads.c.offset)
    return select(func.count(), func.coalesce(func.sum(size), 0)).where(_UNSTORED)


def _same_file(row: UploadRow) -> ColumnElement[bool]:
    return and_(
        uploads.c.part_group == row.part_group,
        uploads.c.key == row.key,
        uploads.c.owner == row.owner,
        uploads.c.generation == 0,
    )


def _overlapping(row: UploadRow) -> Select[tuple[str]]:
    """Other parts of the group that have some of the same bytes."""
    assert row.length is not None
    other_end = uploads.c.start + func.coalesce(uploads.c.length, uploads.c.offset)
    return select(uploads.c.id).where(
        _same_file(row),
        uploads.c.id != row.id,
        uploads.c.start < row.start + row.length,
        other_end > row.start,
    )


class Ledger:
    """The table of uploads; ``events`` takes down what hooks are told, in the same transaction."""

    def __init__(self, engine: Engine, commits: GroupCommit, events: Events | None = None) -> None:
        self._engine = engine
        self._events = events
        self.happened: Counter[str] = Counter()
        """How often this process did what, such as ``upload.finished``."""
        self._commits = commits

    async def get(self, identity: str) -> UploadRow | None:
        """The upload of that id."""
        if not may_be_id(identity):
            return None
        found = await self._select(uploads.c.id == identity)
        return found[0] if found else None

    async def get_many(self, identities: Iterable[str]) -> dict[str, UploadRow]:
        """Those of the ids that there are."""
        found: dict[str, UploadRow] = {}
        rest = list(filter(may_be_id, identities))
        while rest:
            some, rest = rest[:_IDS_PER_QUERY], rest[_IDS_PER_QUERY:]
            found |= {row.id: row for row in await self._select(uploads.c.id.in_(some))}
        return found

    async def of_key(self, key: str) -> list[UploadRow]:
        """The uploads of a key that can be gone on with, newest first.

        Those are the unfinished ones, and complete parts that are not joined yet.
        """
        return await self._select(
            uploads.c.key == key,
            _UNSTORED,
            order=(uploads.c.created.desc(),),
        )

    async def history(self, key: str, most: int) -> list[UploadRow]:
        """The newest uploads of a key, whatever became of them, newest first."""
        newest = (uploads.c.created.desc(),)
        return await self._select(uploads.c.key == key, order=newest, limit=most)

    async def of_group(self, row: UploadRow) -> list[UploadRow]:
        """The uploads that lie in the same file as ``row``, which is of a group."""
        return await self._select(_same_file(row))

    async def waiting_for(self, part: str) -> list[UploadRow]:
        """The finals that have this upload as a part and are not joined yet."""
        # Ids are of letters that have no meaning in LIKE but for "_", which matches itself too.
        return await self._select(
            uploads.c.kind == FINAL,
            uploads.c.state == OPEN,
            uploads.c.parts.like(f'%"{part}"%'),
        )

    async def expired(self, now: float, most: int) -> list[UploadRow]:
        """Some of those whose time is over, the longest first."""
        return await self._select(uploads.c.expires <= now, order=(uploads.c.expires,), limit=most)

    async def finishing(self) -> list[UploadRow]:
        """Those that are about to be stored, or were when their server died."""
        return await self._select(uploads.c.state == FINISHING)

    async def ahead(self) -> list[UploadRow]:
        """The unfinished ones of which parts are in the store."""
        return await self._select(uploads.c.state.in_(UNFINISHED), uploads.c.ahead.is_not(None))

    async def grouped(self) -> list[UploadRow]:
        """Those whose bytes lie in the file of a group."""
        return await self._select(uploads.c.part_group != "", uploads.c.generation == 0)

    async def wanted_of(self, holder: str) -> list[str]:
        """The ids that this process holds and another asks for."""
        rows = await self._select(uploads.c.holder == holder, uploads.c.wanted == ASKED)
        return [row.id for row in rows]

    async def insert(self, row: UploadRow, most: Open) -> Open | None:
        """Add an upload, unless there would be more than ``most`` then: answers how many.

        A part that would overlap another of its group gets a file of its own.
        """

        def change(connection: Connection) -> Open | None:
            # The write comes first: in SQLite it takes the lock that makes the count certain. Two
            # hosts on PostgreSQL may pass the limit together, by what they begin at one moment.
            connection.execute(insert(uploads), row._asdict())
            if row.part_group and connection.execute(_overlapping(row)).first():
                alone = update(uploads).where(uploads.c.id == row.id).values(part_group="")
                connection.execute(alone)
            now = Open(*map(int, connection.execute(_counted()).one()))
            if now.uploads > most.uploads or now.size > most.size:
                connection.execute(delete(uploads).where(uploads.c.id == row.id))
                return now
            self._tell(connection, "upload.created", row._asdict())
            return None

        over = await self._commits.run(change)
        self.happened["upload.created"] += over is None
        return over

    async def acquire(self, seen: UploadRow, holder: str, *, generation: int) -> UploadRow | None:
        """Become the holder if nobody else did since ``seen`` was read, and no bytes more are
        counted; answers the new row."""
        values = {
            "holder": holder,
            "token": seen.token + 1,
            "wanted": 0,
            "generation": generation,
        }
        # Who seemed frozen may have counted more while what was seen was copied.
        at = and_(self._at(seen.id, seen.token), uploads.c.offset == seen.offset)
        return await self._update(seen.id, at, values)

    async def ask_for(self, seen: UploadRow) -> None:
        """Tell the holder that somebody else wants the upload."""
        at = and_(self._at(seen.id, seen.token), uploads.c.wanted == 0)
        await self._update(seen.id, at, {"wanted": ASKED})

    async def give_way(self, identity: str, holder: str) -> None:
        """Tell who asks that the holder is alive and about to let go."""
        at = and_(uploads.c.id == identity, uploads.c.holder == holder)
        await self._update(identity, at, {"wanted": GIVING_WAY})

    async def change(self, row: UploadRow, **values: object) -> UploadRow | None:
        """Change the columns if ``row``'s token is still the one; answers the new row."""
        return await self._update(row.id, self._at(row.id, row.token), values)

    async def go_ahead(
        self, identity: str, holder: str, before: str | None, after: str
    ) -> UploadRow | None:
        """Change what is ``ahead`` of an open upload if it is ``before`` still, and no other
        process holds the upload; answers the new row."""
        at = and_(
            uploads.c.id == identity,
            uploads.c.state == OPEN,
            uploads.c.ahead.is_not_distinct_from(before),
            or_(uploads.c.holder == holder, uploads.c.holder.is_(None)),
        )
        return await self._update(identity, at, {"ahead": after})

    async def end(self, row: UploadRow, event: str, **values: object) -> UploadRow | None:
        """As :meth:`change` for the last time, and tell the hooks."""
        ended = await self._update(row.id, self._at(row.id, row.token), values, event)
        self.happened[event] += ended is not None
        return ended

    async def open(self) -> Open:
        """What is unfinished now."""

        def read() -> Open:
            with self._engine.connect() as connection:
                return Open(*map(int, connection.execute(_counted()).one()))

        return await in_thread(read)

    async def remove(self, row: UploadRow, event: str | None) -> bool:
        """Remove it if ``row``'s token is still the one; answers whether it was."""

        def change(connection: Connection) -> bool:
            gone = connection.execute(delete(uploads).where(self._at(row.id, row.token))).rowcount
            if gone and event is not None:
                self._tell(connection, event, row._asdict())
            return gone == 1

        removed = await self._commits.run(change)
        if event is not None:
            self.happened[event] += removed
        return removed

    @staticmethod
    def _at(identity: str, token: int) -> ColumnElement[bool]:
        return and_(uploads.c.id == identity, uploads.c.token == token)

    async def _update(
        self,
        identity: str,
        at: ColumnElement[bool],
        values: Mapping[str, object],
        event: str | None = None,
    ) -> UploadRow | None:
        def change(connection: Connection) -> UploadRow | None:
            if not connection.execute(update(uploads).where(at).values(**values)).rowcount:
                return None
            found = connection.execute(select(*_COLUMNS).where(uploads.c.id == identity)).one()
            row = UploadRow(*found)
            if event is not None:
                self._tell(connection, event, row._asdict())
            return row

        return await self._commits.run(change)

    def _tell(self, connection: Connection, event: str, row: Mapping[str, Any]) -> None:
        if self._events is not None:
            told = {name: row[name] for name in _TOLD}
            told["outcome"] = None if row["outcome"] is None else json.loads(row["outcome"])
            self._events(connection, row["id"], event, told)

    async def _select(
        self,
        *conditions: ColumnElement[bool],
        order: tuple[ColumnElement[Any], ...] = (),
        limit: int | None = None,
    ) -> list[UploadRow]:
        query = select(*_COLUMNS).where(*conditions).order_by(*order).limit(limit)
        return await in_thread(self._read, query)

    def _read(self, query: Any) -> list[UploadRow]:
        with self._engine.connect() as connection:
            return [UploadRow(*found) for found in connection.execute(query)]
