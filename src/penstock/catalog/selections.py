"""Selections for ZIP downloads that can be fetched again until they expire."""

import secrets
import time

from sqlalchemy import Engine, delete, insert, select

from penstock.catalog.ids import may_be_id
from penstock.catalog.schema import selections
from penstock.errors import NotFound
from penstock.threads import in_thread


class Selections:
    """Blocking; call it in a worker thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, spec: str, lifetime: float) -> tuple[str, float]:
        """Keep ``spec`` for ``lifetime`` seconds; answers its id and when it expires."""
        identity = secrets.token_urlsafe(18)
        now = time.time()
        expires = now + lifetime
        with self._engine.begin() as connection:
            connection.execute(delete(selections).where(selections.c.expires <= now))
            connection.execute(
                insert(selections), {"id": identity, "spec": spec, "expires": expires}
            )
        return identity, expires

    def get(self, identity: str) -> str:
        """The spec kept under the id.

        :raises NotFound: there is none, or it has expired.
        """
        query = select(selections.c.spec).where(
            selections.c.id == identity, selections.c.expires > time.time()
        )
        spec: str | None = None
        if may_be_id(identity):
            with self._engine.connect() as connection:
                spec = connection.execute(query).scalar()
        if spec is None:
            raise NotFound("this ZIP link is unknown or has expired; make a new one")
        return spec

    def close(self) -> None:
        """Close the catalog's connections; the checksum book shares them."""
        self._engine.dispose()

    async def check(self) -> None:
        """Prove that the database answers."""
        await in_thread(self._ping)

    def _ping(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(select(1))
