"""The audit log in the catalog."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from penstock.catalog.commits import GroupCommit
from penstock.catalog.schema import audit
from penstock.threads import in_thread

_MOST_AT_ONCE = 10_000
"""Rows that one transaction removes."""


class AuditRow(NamedTuple):
    """A line, as the schema has it."""

    sequence: int
    time: float
    actor: str
    name: str
    action: str
    subject: str
    status: int
    remote: str
    request_id: str


class AuditBook:
    """The table of the audit log, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def add(self, lines: Sequence[AuditRow]) -> None:
        """Add lines, which get sequence numbers of their own; durable on return."""
        rows = [line._asdict() for line in lines]
        for row in rows:
            del row["sequence"]

        def change(connection: Connection) -> None:
            connection.execute(insert(audit), rows)

        await self._commits.run(change)

    async def page(
        self, limit: int, before: int | None = None, action: str = "", actor: str = ""
    ) -> list[AuditRow]:
        """Lines of lower sequence numbers than ``before``, the newest first.

        ``action`` is a whole one, or the first words of it: ``token`` finds ``token.add``.
        """
        query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
        if before is not None:
            query = query.where(audit.c.sequence < before)
        if action:
            below = audit.c.action.startswith(f"{action}.", autoescape=True)
            query = query.where((audit.c.action == action) | below)
        if actor:
            query = query.where(audit.c.actor == actor)

        def read() -> list[AuditRow]:
            with self._engine.connect() as connection:
                return [AuditRow(**row) for row in connection.execute(query).mappings()]

        return await in_thread(read)

    async def sweep(self, until: float) -> int:
        """Remove lines of before ``until``, some thousands at most; answers how many."""
        old = select(audit.c.sequence).where(audit.c.time < until).limit(_MOST_AT_ONCE)

        def change(connection: Connection) -> int:
            return connection.execute(delete(audit).where(audit.c.sequence.in_(old))).rowcount

        return await self._commits.run(change)
