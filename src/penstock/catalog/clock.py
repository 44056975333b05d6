"""The database's own clock, so that hosts whose clocks differ agree on when a lease is over."""

from typing import Any

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement, FunctionElement


class _Now(FunctionElement[float]):
    inherit_cache = True
    type = Float()


NOW: ColumnElement[float] = _Now()
"""Seconds since 1970 when the statement runs, as SQL."""


@compiles(_Now, "postgresql")
def _postgresql(_element: _Now, _compiler: Any, **_options: Any) -> str:
    # Not now(), which stands still for the whole transaction; nor clock_timestamp(), which may
    # change within a statement, so that no index can be searched by it.
    return "CAST(extract(epoch FROM statement_timestamp()) AS double precision)"


@compiles(_Now, "sqlite")
def _sqlite(_element: _Now, _compiler: Any, **_options: Any) -> str:
    # To the millisecond in every version; unixepoch('subsec') needs 3.42. It is the clock of the
    # host, of which an SQLite catalog has one only.
    return "((julianday('now') - 2440587.5) * 86400.0)"
