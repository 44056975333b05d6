"""How a catalog of this version is: a closer look, which changes nothing either."""

import os
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, or_, select, text
from sqlalchemy.exc import DBAPIError

from penstock.catalog.clock import NOW
from penstock.catalog.looking import engine_for
from penstock.catalog.schema import jobs, lanes, outbox, tokens
from penstock.errors import PenstockError

LATE = 60.0
"""Seconds after which a job that could be begun has waited for too long."""
SOON = 14 * 86_400.0
"""Seconds before its end in which a token should be replaced."""
_MOST_CHECKED = 1 << 30
"""Bytes; to read more would take minutes."""


@dataclass(frozen=True, slots=True)
class Health:
    """``damage`` is what the database finds wrong with its file; ``None``: it was not looked for.

    ``size``, ``unused`` and ``journal`` are bytes of an SQLite catalog: its file, its free pages
    in it, and the write-ahead log. ``late`` is how many jobs of each lane could have been begun a
    minute ago and were not, where nobody works in that lane now; ``paused`` are lanes that are
    held back, ``dead_letters`` webhooks that were given up. ``admins`` counts tokens with the
    scope admin that are good now, ``expiring`` names those that will not be in two weeks.
    """

    version: str
    damage: str | None
    size: int
    unused: int
    journal: int
    late: dict[str, int]
    paused: tuple[str, ...]
    dead_letters: int
    admins: int
    expiring: tuple[str, ...]


def look_into(url: str) -> Health:
    """Look closely at a catalog that is of this version. Blocks.

    :raises PenstockError: it cannot be read.
    """
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            sqlite = engine.dialect.name == "sqlite"
            size, unused, damage = _pages(connection) if sqlite else (0, 0, None)
            return Health(
                version=_version(connection, sqlite=sqlite),
                damage=damage,
                size=size,
                unused=unused,
                journal=_size(f"{engine.url.database}-wal") if sqlite else 0,
                late=_late(connection),
                paused=tuple(connection.scalars(select(lanes.c.name).where(lanes.c.paused))),
                dead_letters=connection.scalar(_DEAD) or 0,
                admins=connection.scalar(_ADMINS) or 0,
                expiring=tuple(connection.scalars(_EXPIRING)),
            )
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise PenstockError(f"the catalog cannot be read: {reason}") from None
    finally:
        engine.dispose()


_DEAD = select(func.count()).select_from(outbox).where(outbox.c.due.is_(None))
_GOOD = or_(tokens.c.expires.is_(None), tokens.c.expires > NOW)
_ADMINS = select(func.count()).select_from(tokens).where(_GOOD, tokens.c.scopes.like("%admin%"))
_EXPIRING = (
    select(tokens.c.name)
    .where(tokens.c.expires > NOW, tokens.c.expires < NOW + SOON)
    .order_by(tokens.c.expires)
    .limit(20)
)


def _late(connection: Connection) -> dict[str, int]:
    due, running = jobs.c.due, jobs.c.state == "running"
    worked = select(jobs.c.lane).where(running, due > NOW).distinct()
    waits = or_(jobs.c.state == "waiting", running)
    held = select(lanes.c.name).where(lanes.c.paused)
    late = (
        select(jobs.c.lane, func.count())
        .where(and_(waits, due < NOW - LATE))
        .where(jobs.c.lane.not_in(worked), jobs.c.lane.not_in(held))
        .group_by(jobs.c.lane)
        .order_by(jobs.c.lane)
    )
    return {str(lane): int(count) for lane, count in connection.execute(late)}


def _pages(connection: Connection) -> tuple[int, int, str | None]:
    """Bytes of the file, those of its free pages, and what is wrong with it."""
    page, pages, free = (
        int(connection.scalar(text(f"PRAGMA {name}")) or 0)
        for name in ("page_size", "page_count", "freelist_count")
    )
    if page * pages > _MOST_CHECKED:
        return page * pages, page * free, None
    told = str(connection.scalar(text("PRAGMA quick_check(1)")))
    return page * pages, page * free, "" if told == "ok" else told


def _version(connection: Connection, *, sqlite: bool) -> str:
    question = "SELECT sqlite_version()" if sqlite else "SHOW server_version"
    return f"{'SQLite' if sqlite else 'PostgreSQL'} {connection.scalar(text(question))}"


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size
    except FileNotFoundError:
        return 0
