"""Tokens in the catalog."""

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import access_keys, sessions, shares, tokens
from penstock.threads import in_thread

_TURN = "first-token"
"""The row of ``access_keys`` that is held while it is found out whether there is a token."""


class TokenRow(NamedTuple):
    """A row, as the schema has it."""

    id: str
    digest: bytes
    name: str
    scopes: str
    prefix: str
    created: float
    expires: float | None
    used: float | None
    request_rate: float | None
    byte_rate: int | None
    maker: str


class TokenBook:
    """The table of tokens, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def add(self, row: TokenRow) -> None:
        """Add one; durable on return."""
        await self._commits.run(
            lambda connection: connection.execute(insert(tokens), row._asdict())
        )

    async def add_first(self, row: TokenRow, scope: str) -> bool:
        """Add one unless there is one that is bound to no folder, has the scope and has not
        expired when this one is made. Of several processes that ask at once one adds it."""

        def change(connection: Connection) -> bool:
            # Whoever writes this row first keeps the others waiting until it is done.
            turn = inserting(connection, access_keys, {"name": _TURN, "secret": os.urandom(8)})
            connection.execute(
                turn.on_conflict_do_update(
                    index_elements=["name"], set_={"secret": turn.excluded.secret}
                )
            )
            # Between spaces, so that no scope is taken for the beginning of another.
            named = literal(" ") + tokens.c.scopes + literal(" ")
            found = connection.scalar(
                select(func.count()).where(
                    named.contains(f" {scope} ", autoescape=True),
                    tokens.c.prefix == "",
                    or_(tokens.c.expires.is_(None), tokens.c.expires > row.created),
                )
            )
            if found:
                return False
            connection.execute(insert(tokens), row._asdict())
            return True

        return await self._commits.run(change)

    async def get(self, identity: str) -> TokenRow | None:
        """The one with this id."""
        if not may_be_id(identity):
            return None
        found = await in_thread(self._rows, select(tokens).where(tokens.c.id == identity))
        return found[0] if found else None

    async def all(self) -> list[TokenRow]:
        """All of them, the newest first."""
        newest = select(tokens).order_by(tokens.c.created.desc(), tokens.c.id)
        return await in_thread(self._rows, newest)

    def _rows(self, query: Select[Any]) -> list[TokenRow]:
        with self._engine.connect() as connection:
            return [TokenRow(**row) for row in connection.execute(query).mappings()]

    async def remove(self, identity: str, actor: str) -> bool:
        """Remove one, its logins, and the share links that ``actor``, which it is, made; durable on
        return. Answers whether it was there."""
        if not may_be_id(identity):
            return False

        def change(connection: Connection) -> bool:
            removed = connection.execute(delete(tokens).where(tokens.c.id == identity))
            connection.execute(delete(sessions).where(sessions.c.token == identity))
            connection.execute(delete(shares).where(shares.c.maker == actor))
            return bool(removed.rowcount)

        return await self._commits.run(change)

    async def were_used(self, times: Mapping[str, float]) -> None:
        """Write down when tokens were used last."""
        change = _update_used([{"of": name, "at": time} for name, time in sorted(times.items())])
        await self._commits.run(change)


def _update_used(used: list[dict[str, Any]]) -> Callable[[Connection], None]:
    statement = update(tokens).where(tokens.c.id == bindparam("of")).values(used=bindparam("at"))

    def change(connection: Connection) -> None:
        connection.execute(statement, used)

    return change
