"""Logins in the catalog."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from penstock.catalog.commits import GroupCommit
from penstock.catalog.schema import sessions
from penstock.threads import in_thread


class SessionRow(NamedTuple):
    """A row, as the schema has it."""

    digest: bytes
    token: str
    created: float
    expires: float


class SessionBook:
    """The table of logins, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def add(self, row: SessionRow) -> None:
        """Add one; durable on return."""
        await self._commits.run(
            lambda connection: connection.execute(insert(sessions), row._asdict())
        )

    async def find(self, digests: Sequence[bytes], now: float) -> SessionRow | None:
        """One that has any of the digests and has not expired."""
        query = select(sessions).where(sessions.c.digest.in_(digests), sessions.c.expires > now)

        def find() -> SessionRow | None:
            with self._engine.connect() as connection:
                row = connection.execute(query).mappings().first()
                return None if row is None else SessionRow(**row)

        return await in_thread(find)

    async def remove(self, digests: Sequence[bytes]) -> None:
        """Remove those with the digests; durable on return."""
        await self._commits.run(
            lambda connection: connection.execute(
                delete(sessions).where(sessions.c.digest.in_(digests))
            )
        )

    async def sweep(self, now: float) -> None:
        """Remove those that have expired."""

        def change(connection: Connection) -> None:
            connection.execute(delete(sessions).where(sessions.c.expires <= now))

        await self._commits.run(change)
