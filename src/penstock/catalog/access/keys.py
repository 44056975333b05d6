"""What this installation signs with, in the catalog."""

import secrets

from sqlalchemy import Connection, Engine, select

from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import access_keys
from penstock.threads import in_thread

_BYTES = 32


class KeyBook:
    """The table of keys, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def get(self, name: str) -> bytes:
        """The key of this name: 32 bytes, made by whoever asks first."""
        found: bytes | None = await in_thread(self._find, name)
        if found is not None:
            return found
        return await self._commits.run(lambda connection: _made(connection, name))

    def _find(self, name: str) -> bytes | None:
        with self._engine.connect() as connection:
            return _kept(connection, name)


def _made(connection: Connection, name: str) -> bytes:
    new = inserting(connection, access_keys, {"name": name, "secret": secrets.token_bytes(_BYTES)})
    connection.execute(new.on_conflict_do_nothing(index_elements=["name"]))
    key = _kept(connection, name)
    assert key is not None
    return key


def _kept(connection: Connection, name: str) -> bytes | None:
    key: bytes | None = connection.scalar(
        select(access_keys.c.secret).where(access_keys.c.name == name)
    )
    return key
