"""Listings of keys in bytewise order, which is the order of their characters in UTF-8."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    true,
)

from penstock.catalog.cluster.selecting import INFO, SEEN, info
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_keys as keys
from penstock.stores.interface import FileInfo, Page
from penstock.stores.keys import MAX_KEY_BYTES

_FIND = {"sqlite": func.instr, "postgresql": func.strpos}

_LEAST = "\x01"
"""Behind a key: what comes right after it, as no key has a control character."""

_SURROGATES = range(0xD800, 0xE000)
_MOST_CHARACTER = 0x10FFFF
_GREATEST = chr(_MOST_CHARACTER) * MAX_KEY_BYTES
"""Behind what only the greatest characters make: what comes after all keys, which are shorter."""


def batch(connection: Connection, prefix: str, after: str, limit: int) -> list[FileInfo]:
    """Up to ``limit`` files that start with ``prefix``, after ``after``."""
    within = _within(keys.c.key, _first(prefix, after, ""), _behind(prefix))
    query = select(*INFO).select_from(SEEN).where(within).order_by(keys.c.key).limit(limit)
    return [info(row) for row in connection.execute(query)]


def page(connection: Connection, prefix: str, after: str, limit: int, delimiter: str) -> Page:
    """As :meth:`penstock.stores.interface.Store.list`."""
    if not delimiter:
        found = batch(connection, prefix, after, limit + 1)
        return Page(found[:limit], [], found[limit - 1].key if len(found) > limit else None)
    rows = connection.execute(_walk(connection, prefix, after, limit, delimiter)).all()
    listed: list[FileInfo] = []
    prefixes: list[str] = []
    last = ""
    for row in rows[:limit]:
        head, rolled, _ = row.at[len(prefix) :].partition(delimiter)
        if rolled:
            last = prefix + head + delimiter
            prefixes.append(last)
        else:
            last = row.at
            listed.append(info(row))
    return Page(listed, prefixes, last if len(rows) > limit else None)


def _walk(
    connection: Connection, prefix: str, after: str, limit: int, delimiter: str
) -> Select[Any]:
    """A file of each item of the page and of the one behind it, by one jump in the index each."""
    stop = _behind(prefix)
    first = select(keys.c.key).where(_within(keys.c.key, _first(prefix, after, delimiter), stop))
    first = first.order_by(keys.c.key).limit(1)
    at = select(first.scalar_subquery().label("at"), literal(1, Integer).label("count"))
    walk = at.cte("walk", recursive=True)
    # As a column of the CTE the key keeps its collation, which the index has.
    following = _following(connection, walk.c.at, prefix, delimiter)
    step = select(keys.c.key).where(_within(keys.c.key, following, stop))
    step = step.order_by(keys.c.key).limit(1)
    walk = walk.union_all(
        select(step.scalar_subquery(), walk.c.count + 1).where(
            walk.c.at.is_not(None), walk.c.count <= limit
        )
    )
    found = walk.join(keys, keys.c.key == walk.c.at).join(files, files.c.id == keys.c.file)
    return select(*INFO, walk.c.at).select_from(found).order_by(walk.c.count)


def _following(
    connection: Connection, key: ColumnElement[str], prefix: str, delimiter: str
) -> ColumnElement[str]:
    """The least text that may be the next item's: behind all that is rolled up with the key."""
    rest = func.substr(key, len(prefix) + 1)
    found = _FIND[connection.dialect.name](rest, delimiter)
    folder = func.substr(rest, 1, found - 1)
    behind = _behind(delimiter) or delimiter + _GREATEST
    return case((found > 0, literal(prefix) + folder + behind), else_=key + _LEAST)


def _within(
    key: ColumnElement[str], first: str | ColumnElement[str], stop: str | None
) -> ColumnElement[bool]:
    return and_(key >= first, true() if stop is None else key < stop)


def _first(prefix: str, after: str, delimiter: str) -> str:
    """The least text that may be a key of the listing."""
    after = _storable(after)
    if after < prefix or not after:
        return prefix
    if delimiter and after.startswith(prefix):
        head, rolled, _ = after[len(prefix) :].partition(delimiter)
        if rolled:  # all of it was told by its common prefix
            told = prefix + head + delimiter
            return _behind(told) or told + _GREATEST
    return after + _LEAST


def _storable(text: str) -> str:
    """The text up to what no key can have and no database takes. What comes after it is the same,
    but for half of a surrogate pair, which comes from no honest client."""
    return text.partition("\0")[0].encode(errors="ignore").decode()


def _behind(prefix: str) -> str | None:
    """The least text that comes after all that start with ``prefix``; ``None``: there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[at]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _MOST_CHARACTER:
            return prefix[:at] + chr(following)
    return None
