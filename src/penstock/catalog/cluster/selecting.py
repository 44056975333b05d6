"""Queries on files and parts that several tables of the cluster share."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from penstock.catalog.cluster.rows import CopyState, PartRow, part_name
from penstock.catalog.schema import cluster_copies as copies
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_keys as keys
from penstock.catalog.schema import cluster_parts as parts
from penstock.stores.interface import FileInfo

Place: TypeAlias = tuple[str, int]
"""The file and the number of a part."""

T = TypeVar("T", str, Place)

_AT_ONCE = 300
"""So many values are named in one statement; SQLite may take no more than 999."""

INFO = (
    files.c.key,
    files.c.size,
    files.c.processed,
    files.c.id,
    files.c.content_type,
    files.c.sha256,
    files.c.crc32,
)
"""The columns of a file, in the order of :class:`FileInfo`."""

SEEN = keys.join(files, files.c.id == keys.c.file)
"""The versions that are seen, with their keys."""


def info(row: Sequence[Any]) -> FileInfo:
    """The file of a row that begins with :data:`INFO`."""
    return FileInfo(*row[: len(INFO)])


def some(values: Iterable[T]) -> Iterator[list[T]]:
    """As many at a time as a statement can name, each once and in order: who locks rows locks them
    in the same order as everybody else."""
    rest = iter(sorted(set(values)))
    while found := list(islice(rest, _AT_ONCE)):
        yield found


def parts_of(
    connection: Connection, file: str, start: int = 0, stop: int | None = None
) -> list[PartRow]:
    """The parts of a file that have some of its bytes ``start`` to ``stop``, by number."""
    wanted, of_copies = [parts.c.file == file], [copies.c.file == file]
    if start > 0 or stop is not None:
        wanted.append(parts.c.start + parts.c.size > start)
        if stop is not None:
            wanted.append(parts.c.start < stop)
        numbers = select(func.min(parts.c.number), func.max(parts.c.number)).where(*wanted)
        first, last = connection.execute(numbers).one()
        if first is None:
            return []
        of_copies.append(copies.c.number.between(first, last))
        wanted = [parts.c.file == file, parts.c.number.between(first, last)]
    return _parts(connection, and_(*wanted), and_(*of_copies))


def parts_at(connection: Connection, places: Sequence[Place]) -> list[PartRow]:
    """Those parts, by file and number."""
    found: list[PartRow] = []
    for these in some(places):
        numbers: dict[str, list[int]] = {}
        for file, number in these:
            numbers.setdefault(file, []).append(number)
        # Not as pairs: SQLite finds a list of pairs by no index.
        of_files = [
            and_(parts.c.file == file, parts.c.number.in_(numbers[file])) for file in numbers
        ]
        named = copies.c.name.in_([part_name(*place) for place in these])
        found += _parts(connection, or_(*of_files), named)
    return found


def _parts(
    connection: Connection, of_parts: ColumnElement[bool], of_copies: ColumnElement[bool]
) -> list[PartRow]:
    # Not joined: what is kept of a part may be some kilobytes, and would come once for each copy.
    query = select(parts).where(of_parts).order_by(parts.c.file, parts.c.number)
    found = {
        (row.file, row.number): PartRow(**row._asdict(), copies={})
        for row in connection.execute(query)
    }
    there = select(copies.c.file, copies.c.number, copies.c.node, copies.c.state).where(of_copies)
    for file, number, node, state in connection.execute(there.order_by(copies.c.node)):
        if (part := found.get((file, number))) is not None:
            part.copies[node] = CopyState(state)
    return list(found.values())
