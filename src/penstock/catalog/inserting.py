"""Rows that are added only if they are new, which each database says in its own words."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

_INSERT: Mapping[str, Callable[..., Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def inserting(connection: Connection, table: Table, values: Mapping[str, object]) -> Any:
    """An INSERT of a row, to be told what to do if there is one (``on_conflict_…``)."""
    return _INSERT[connection.dialect.name](table).values(**values)
