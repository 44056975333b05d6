"""A database that is away is no fault of the program."""

import logging
import sqlite3
from contextlib import AbstractContextManager
from types import TracebackType

from sqlalchemy import exc as sql

from penstock.errors import ServerUnavailable

_RETRY_AFTER = 2
"""Seconds."""
_TOO_MANY = "53300"
_SHUT_DOWN = "57P"
_BROKEN = "08"

_log = logging.getLogger("penstock.catalog")


class _ToldWhenAway:
    """A class, as every request passes through it: a generator would cost three times as much."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not isinstance(error, sql.SQLAlchemyError) or not is_away(error):
            return
        cause = error.orig if isinstance(error, sql.DBAPIError) else error
        _log.warning("the catalog is away: %s", str(cause).strip().partition("\n")[0])
        raise ServerUnavailable(
            "the catalog's database cannot be reached now; try again later",
            retry_after=_RETRY_AFTER,
        ) from error


_TOLD = _ToldWhenAway()


def told_when_away() -> AbstractContextManager[None]:
    """Within this, what SQLAlchemy says of a PostgreSQL that cannot be reached, or has no
    connection left, is told as an error of ours. Of a change nobody knows then whether it was made.

    What it says of anything else, such as a bug in SQL, is raised as it is.

    :raises ServerUnavailable: the database is away.
    """
    return _TOLD


def is_away(error: Exception) -> bool:
    """Whether this says that a PostgreSQL cannot be reached, or has no connection left."""
    if isinstance(error, sql.TimeoutError):  # all connections of the pool are in use
        return True
    if not isinstance(error, sql.DBAPIError) or isinstance(error.orig, sqlite3.Error):
        return False
    if error.connection_invalidated:
        return True
    # What was refused before there was a connection has no code.
    code = getattr(error.orig, "sqlstate", None) or _BROKEN
    known = code.startswith((_BROKEN, _SHUT_DOWN, _TOO_MANY))
    return known and isinstance(error, sql.OperationalError)
