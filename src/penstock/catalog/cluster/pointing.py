"""Which version is seen under a key, and how another takes its place. In the transaction of the
connection, whose lock in SQLite must be held."""

from typing import NamedTuple

from sqlalchemy import Connection, select, update

from penstock.catalog.clock import NOW
from penstock.catalog.cluster.selecting import INFO, info
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import cluster_files as files
from penstock.catalog.schema import cluster_keys as keys
from penstock.catalog.schema import cluster_outbox as outbox
from penstock.stores.interface import Condition, FileInfo


class Moved(NamedTuple):
    """A key shows another version now; ``replaced``: it showed one before."""

    replaced: bool


def processed(connection: Connection, file: str) -> tuple[FileInfo, bool] | None:
    """The version if it is whole, and whether it took another's place."""
    query = select(*INFO, files.c.replaced).where(files.c.id == file)
    row = connection.execute(query.where(files.c.processed.is_not(None))).first()
    return None if row is None else (info(row), row.replaced)


def lock(connection: Connection, key: str) -> str | None:
    """The version that is seen under ``key``, and will be until the transaction ends."""
    # A write that changes nothing: it takes the lock of SQLite too.
    same = update(keys).where(keys.c.key == key).values(file=keys.c.file)
    found: str | None = connection.scalar(same.returning(keys.c.file))
    return found


def move(
    connection: Connection, key: str, file: str, condition: Condition, grace: float
) -> Moved | None:
    """Let ``key`` show ``file``; ``None``, and nothing is changed, if the condition forbids it."""
    while True:
        current = lock(connection, key)
        if not condition.allows(current):
            return None
        if current is not None:
            connection.execute(update(keys).where(keys.c.key == key).values(file=file))
            doom(connection, current, grace)
            return Moved(replaced=True)
        adding = inserting(connection, keys, {"key": key, "file": file}).on_conflict_do_nothing()
        if connection.scalar(adding.returning(keys.c.key)) is not None:
            return Moved(replaced=False)
        # Another process was faster with a first version: look again.


def doom(connection: Connection, file: str, grace: float) -> None:
    """Let the version, which nobody sees any more, be removed after ``grace`` seconds."""
    row = {"file": file, "due": NOW + grace, "attempts": 0}
    due = {"due": NOW + grace}
    adding = inserting(connection, outbox, row)
    connection.execute(adding.on_conflict_do_update(index_elements=["file"], set_=due))
