"""Versions of files in parts on the nodes, and which of them is seen under each key.

A version that is not whole has a row in the outbox, which is due when its lease is over: whoever
finds it then removes what there is of it. Once a removal has begun, nothing brings the version
back: whoever made it is told so by :class:`Superseded`.

A commit whose answer is lost with the connection may have been made or not. So every change here
can be asked for again: it is made once.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Select,
    Update,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    update,
)

from penstock.catalog.clock import NOW
from penstock.catalog.cluster import listing, pointing
from penstock.catalog.cluster.rows import BLOCK, CopyState, Part, PartRow, Stored, part_name
from penstock.catalog.cluster.selecting import (
    INFO,
    SEEN,
    Place,
    info,
    parts_at,
    parts_of,
    some,
)
from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_keys as keys
from penstock.catalog.schema import cluster_outbox as outbox
from penstock.catalog.schema import cluster_parts as parts
from penstock.errors import NotFound, PenstockError, PreconditionFailed, Superseded
from penstock.stores.interface import Condition, Facts, FileInfo, Page
from penstock.stores.local_writer import condition_text
from penstock.threads import in_thread

_UNCLAIMED = and_(outbox.c.attempts == 0, outbox.c.fence.is_(None))
"""Nobody gave it up or has begun to remove it: a claim that failed may have removed some of it."""

_GIVEN_UP = "given up"
"""A fence that no claim has."""

_UNPROCESSED = exists().where(files.c.id == outbox.c.file, files.c.processed.is_(None))

_NOW_NS = cast(NOW * 1e9, BigInteger)

# With the parameters of a part that is stored, and of a copy of it.
_TOLD = (
    update(parts)
    .where(parts.c.file == bindparam("of"), parts.c.number == bindparam("at"))
    .values(crc32=bindparam("value"), blocks=bindparam("values"))
)
_THERE = (
    update(copies)
    .where(copies.c.name == bindparam("called"), copies.c.node == bindparam("on"))
    .where(copies.c.state != CopyState.STORED)
    .values(state=CopyState.STORED, changed=NOW)
)


class Files:
    """The tables of files, parts and copies, as writers and readers use them; leases are seconds
    by the database's clock."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def begin(
        self, file: str, key: str, size: int | None, parts: Sequence[Part], lease: float
    ) -> None:
        """Take down a new version before a byte of it goes to a node.

        :param size: of the whole, ``None`` while nobody knows
        :param lease: how long it may be without :meth:`renew`, :meth:`add` or :meth:`stored`
        """

        def change(connection: Connection) -> None:
            row = {"id": file, "key": key, "size": size, "created": NOW, "read_until": 0.0}
            connection.execute(inserting(connection, files, row).on_conflict_do_nothing())
            waiting = {"file": file, "due": NOW + lease, "attempts": 0}
            connection.execute(inserting(connection, outbox, waiting).on_conflict_do_nothing())
            _insert_parts(connection, file, parts)

        await self._commits.run(change)

    async def add(self, file: str, parts: Sequence[Part], lease: float) -> None:
        """Take down more parts of it, before a byte of them goes to a node.

        :raises Superseded: its removal has begun.
        """

        def change(connection: Connection) -> bool:
            held = connection.execute(_renewed([file], lease)).rowcount == 1
            if held:
                _insert_parts(connection, file, parts)
            return held

        if not await self._commits.run(change):
            raise _superseded(file)

    async def place(self, file: str, number: int, node: str) -> None:
        """Take down that the part is about to be on the node. If it is there already it stays so:
        a node has the old bytes, which are the same, until it has the new ones.

        :raises Superseded: the version is gone, or its removal has begun.
        """
        going = exists().where(outbox.c.file == files.c.id, ~_UNCLAIMED)

        def change(connection: Connection) -> bool:
            copy = [literal(part_name(file, number)), literal(node), files.c.id, literal(number)]
            row = select(*copy, literal(str(CopyState.WRITING)), NOW)
            # Locked, so that nobody removes the version without having seen the copy.
            row = row.where(files.c.id == file, ~going).with_for_update(read=True, key_share=True)
            placed = inserting(connection, copies, {}).from_select(list(copies.c.keys()), row)
            is_there = copies.c.state == CopyState.STORED
            placed = placed.on_conflict_do_update(
                index_elements=["name", "node"],
                set_={
                    "state": case((is_there, copies.c.state), else_=placed.excluded.state),
                    "changed": placed.excluded.changed,
                },
            )
            return connection.scalar(placed.returning(copies.c.name)) is not None

        if not await self._commits.run(change):
            raise _superseded(file)

    async def stored(self, file: str, parts: Sequence[Stored], lease: float) -> None:
        """Take down that the parts are on their nodes. Copies that were begun on others stay as
        they are.

        :raises Superseded: the version is gone, or its removal has begun.
        """

        def change(connection: Connection) -> bool:
            held = connection.execute(_renewed([file], lease)).rowcount == 1
            if held or pointing.processed(connection, file) is not None:
                _store_parts(connection, file, parts)
                return True
            return False

        if not await self._commits.run(change):
            raise _superseded(file)

    async def renew(self, files: Iterable[str], lease: float) -> None:
        """Keep those of the versions from being removed that are on their way still."""
        for these in some(files):
            await self._commits.run(_executing(_renewed(these, lease)))

    async def commit(
        self,
        file: str,
        key: str,
        size: int,
        facts: Facts,
        condition: Condition,
        grace: float,
        parts: Sequence[Stored] = (),
    ) -> tuple[FileInfo, bool]:
        """Let the version be seen under ``key``; answers it, and whether it took another's place.

        :param grace: how long the version is kept whose place it takes
        :param parts: what is to be taken down first, as by :meth:`stored`
        :raises PreconditionFailed: ``condition`` does not hold at this moment.
        :raises Superseded: its removal has begun, or a part of it is on no node any more.
        """

        def change(connection: Connection) -> tuple[FileInfo, bool] | PenstockError:
            # The write comes first: in SQLite it takes the lock that makes certain what is read.
            locked = update(outbox).where(outbox.c.file == file, _UNCLAIMED)
            held = connection.execute(locked.values(attempts=outbox.c.attempts)).rowcount == 1
            if (done := pointing.processed(connection, file)) is not None:
                return done
            if not held:
                return _superseded(file)
            _store_parts(connection, file, parts)
            if _bytes_stored(connection, file) != size:
                return Superseded("parts of the file are on no storage node any more; send it anew")
            moved = pointing.move(connection, key, file, condition, grace)
            if moved is None:
                return PreconditionFailed(condition_text(key, condition), key=key)
            values = {**facts._asdict(), "key": key, "size": size, "replaced": moved.replaced}
            processed = update(files).where(files.c.id == file).values(processed=_NOW_NS, **values)
            row = connection.execute(processed.returning(*INFO)).one()
            connection.execute(outbox.delete().where(outbox.c.file == file))
            return info(row), moved.replaced

        answer = await self._commits.run(change)
        if isinstance(answer, PenstockError):
            raise answer
        return answer

    async def abort(self, file: str) -> None:
        """Let the version be removed, unless it is whole; nothing brings it back."""
        ended = update(outbox).where(outbox.c.file == file, _UNCLAIMED, _UNPROCESSED)
        ended = ended.values(due=NOW, fence=_GIVEN_UP)
        await self._commits.run(_executing(ended))

    async def stat(self, key: str) -> FileInfo:
        """The version that is seen under ``key``.

        :raises NotFound: none is.
        """
        query = select(*INFO).select_from(SEEN).where(keys.c.key == key)

        def read() -> FileInfo | None:
            with self._engine.connect() as connection:
                row = connection.execute(query).first()
                return None if row is None else info(row)

        found = await in_thread(read)
        if found is None:
            raise _nothing_at(key)
        return found

    async def made(self, file: str) -> tuple[FileInfo, bool] | None:
        """What :meth:`commit` answered, if the version became whole; ``None`` if it may do so yet.

        :raises Superseded: the version is gone; nobody knows whether it was whole.
        """
        there = select(files.c.id).where(files.c.id == file)

        def read() -> tuple[FileInfo, bool] | PenstockError | None:
            with self._engine.connect() as connection:
                if (done := pointing.processed(connection, file)) is not None:
                    return done
                is_there = connection.scalar(there) is not None
                return None if is_there else _superseded(file)

        answer = await in_thread(read)
        if isinstance(answer, PenstockError):
            raise answer
        return answer

    async def part(self, file: str, number: int) -> PartRow | None:
        """One part of a version with its copies; ``None`` if there is no such part."""

        def read() -> PartRow | None:
            with self._engine.connect() as connection:
                return next(iter(parts_at(connection, [(file, number)])), None)

        return await in_thread(read)

    async def parts(self, file: str, start: int = 0, stop: int | None = None) -> list[PartRow]:
        """The parts of a version with their copies, by number: those that have some of its bytes
        ``start`` to ``stop`` (``None``: its end).

        What is kept of a large file's parts is some megabytes, so ask for no more than is needed.
        """

        def read() -> list[PartRow]:
            with self._engine.connect() as connection:
                return parts_of(connection, file, start, stop)

        return await in_thread(read)

    async def few_parts(self, file: str, most: int) -> list[PartRow] | None:
        """All parts of a version as :meth:`parts` has them; ``None`` if they are more than
        ``most``."""
        further = select(parts.c.number).where(parts.c.file == file, parts.c.number > most)

        def read() -> list[PartRow] | None:
            with self._engine.connect() as connection:
                if connection.scalar(further.limit(1)) is not None:
                    return None
                return parts_of(connection, file)

        return await in_thread(read)

    async def parts_beside(
        self, versions: Iterable[str], silent: Collection[str], most: int = 1000
    ) -> list[PartRow]:
        """Parts of the versions without a good copy on any node but ``silent`` ones: ``most`` or
        somewhat more."""

        def read() -> list[PartRow]:
            found: list[Place] = []
            with self._engine.connect() as connection:
                for these in some(versions):
                    places = connection.execute(_beside(these, silent).limit(most))
                    found += [(place.file, place.number) for place in places]
                    if len(found) >= most:
                        break
                return parts_at(connection, found)

        return await in_thread(read)

    async def page(
        self, prefix: str = "", after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        """As :meth:`penstock.stores.interface.Store.list`. What is rolled up is skipped by the
        index, however many files it is."""

        def read() -> Page:
            with self._engine.connect() as connection:
                return listing.page(connection, prefix, after, limit, delimiter)

        return await in_thread(read)

    async def batches(self, prefix: str = "", after: str = "", limit: int = 1000) -> list[FileInfo]:
        """Up to ``limit`` files that start with ``prefix``, after the key ``after``."""

        def read() -> list[FileInfo]:
            with self._engine.connect() as connection:
                return listing.batch(connection, prefix, after, limit)

        return await in_thread(read)

    async def delete(self, key: str, condition: Condition, grace: float) -> None:
        """Let nothing be seen under ``key``; what was is kept for ``grace`` seconds.

        :raises NotFound: nothing is stored there.
        :raises PreconditionFailed: ``condition`` does not hold at this moment.
        """
        gone = False

        def change(connection: Connection) -> PenstockError | None:
            nonlocal gone
            file = pointing.lock(connection, key)
            if file is None:
                # Gone by this change, if it is made again as nobody knows whether it was made.
                return None if gone else _nothing_at(key)
            if not condition.allows(file):
                return PreconditionFailed(condition_text(key, condition), key=key)
            connection.execute(keys.delete().where(keys.c.key == key))
            pointing.doom(connection, file, grace)
            gone = True
            return None

        error = await self._commits.run(change)
        if error is not None:
            raise error

    async def reading(self, files: Iterable[str], lease: float) -> None:
        """Keep the versions for ``lease`` seconds more, as somebody reads them, unless their
        removal has begun."""
        for these in some(files):
            await self._commits.run(partial(_read_on, these=these, lease=lease))

    async def know(self, file: str, sha256: bytes, crc32: int) -> None:
        """Take down the digests of the version, which were taken later."""
        known = update(files).where(files.c.id == file).values(sha256=sha256, crc32=crc32)
        await self._commits.run(_executing(known))


def _beside(these: Sequence[str], silent: Collection[str]) -> Select[Any]:
    elsewhere = select(copies.c.node).where(
        copies.c.file == parts.c.file,
        copies.c.number == parts.c.number,
        copies.c.state == CopyState.STORED,
        copies.c.node.not_in(sorted(silent)),
    )
    # One look-up for each row: of a join PostgreSQL might read the whole table of copies.
    lacking = elsewhere.limit(1).scalar_subquery().is_(None)
    return select(parts.c.file, parts.c.number).where(parts.c.file.in_(these), lacking)


def _executing(statement: Update) -> Callable[[Connection], object]:
    return lambda connection: connection.execute(statement)


def _insert_parts(connection: Connection, file: str, added: Sequence[Part]) -> None:
    rows = [
        {"file": file, "number": part.number, "start": part.start, "size": part.size}
        for part in added
    ]
    begun = [
        {"name": part_name(file, part.number), "node": node, "file": file, "number": part.number}
        for part in added
        for node in part.nodes
    ]
    if rows:
        connection.execute(inserting(connection, parts, {}).on_conflict_do_nothing(), rows)
    if begun:
        writing = inserting(connection, copies, {"state": CopyState.WRITING, "changed": NOW})
        connection.execute(writing.on_conflict_do_nothing(), begun)


def _store_parts(connection: Connection, file: str, stored: Sequence[Stored]) -> None:
    told = [
        {"of": file, "at": part.number, "value": part.crc32, "values": part.blocks}
        for part in stored
    ]
    there = [
        {"called": part_name(file, part.number), "on": node}
        for part in stored
        for node in part.nodes
    ]
    if told:
        connection.execute(_TOLD, told)
    if there:
        connection.execute(_THERE, there)


def _bytes_stored(connection: Connection, file: str) -> int:
    """The bytes of those parts that have a good copy, and sums for all of their blocks: nothing is
    read without them."""
    good = exists().where(
        copies.c.file == parts.c.file,
        copies.c.number == parts.c.number,
        copies.c.state == CopyState.STORED,
    )
    summed_up = func.length(parts.c.blocks) == (parts.c.size + (BLOCK - 1)) // BLOCK * 4
    summed = select(func.coalesce(func.sum(parts.c.size), 0))
    summed = summed.where(parts.c.file == file, good, summed_up)
    return int(connection.scalar(summed) or 0)


def _renewed(these: Sequence[str], lease: float) -> Update:
    held = and_(outbox.c.file.in_(these), _UNCLAIMED, _UNPROCESSED)
    return update(outbox).where(held).values(due=NOW + lease)


def _read_on(connection: Connection, these: Sequence[str], lease: float) -> None:
    until = NOW + lease
    longer = case((files.c.read_until > until, files.c.read_until), else_=until)
    connection.execute(update(files).where(files.c.id.in_(these)).values(read_until=longer))
    # Those that wait for their removal: who claims one of them either did so before or not yet.
    waiting = and_(outbox.c.file.in_(these), _UNCLAIMED, outbox.c.due < until)
    connection.execute(update(outbox).where(waiting).values(due=until))


def _nothing_at(key: str) -> NotFound:
    return NotFound(f"nothing is stored at {key!r}", key=key)


def _superseded(file: str) -> Superseded:
    return Superseded(f"what was stored of the file (version {file}) is removed; send it anew")
