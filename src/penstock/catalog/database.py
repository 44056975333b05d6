"""The SQL database behind the catalog: SQLite by default, PostgreSQL for several hosts."""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from penstock.catalog.hanging import watch
from penstock.catalog.schema import metadata
from penstock.errors import BadRequest, MissingExtra

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000", "cache_size=-512")

# A process that is frozen, or a host that is gone, in the middle of a transaction must not keep its
# rows locked: nobody could claim the job that it was about to save.
_POSTGRES_SETUP = "SET idle_in_transaction_session_timeout = '10s'"

# Held while the schema is made or brought up to date; any number that nobody else uses here.
_LOCK = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(7362146001)",
}

_CONNECT = "5"
"""Seconds until a server that does not speak is taken to be away, by default."""

HEAD = "0008"
"""The newest migration; a test holds it against the files."""

# Alembic's own table: where a database stands.
_version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def open_database(url: str) -> Engine:
    """Connect to ``url`` (SQLAlchemy's form) and bring the schema up to date.

    :raises MissingExtra: the driver for PostgreSQL is not installed.
    :raises BadRequest: the URL is not understood.
    """
    try:
        engine = _engine(url)
    except ModuleNotFoundError as error:
        raise MissingExtra("a catalog on PostgreSQL", "postgres") from error
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise BadRequest(
            "the catalog must be sqlite:///file or postgresql+psycopg://user@host/database"
        ) from error
    _migrate(engine)
    return engine


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise ArgumentError(backend)
    if backend == "sqlite":
        _create_private(parsed)
    # What is written may be secret, such as the headers of a pull: no error may show it.
    is_remote = backend != "sqlite"
    if is_remote and "connect_timeout" not in parsed.query:
        parsed = parsed.update_query_dict({"connect_timeout": _CONNECT})
    engine = create_engine(parsed, pool_pre_ping=is_remote, hide_parameters=True)
    if is_remote:
        watch(engine)
    prepare = _prepare_sqlite if backend == "sqlite" else _prepare_postgres
    event.listen(engine, "connect", prepare)
    return engine


def _create_private(url: URL) -> None:
    """Create a new SQLite file for its owner only; SQLite gives ``-wal`` and ``-shm`` its mode."""
    if not url.database or url.database.startswith((":", "file:")):
        return
    with suppress(OSError):  # what is wrong SQLite says when it opens the file
        os.close(os.open(url.database, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Readers beside one writer, and a commit that survives a power cut."""
    assert isinstance(connection, sqlite3.Connection)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgres(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(_POSTGRES_SETUP)
    cursor.close()
    connection.commit()  # or a rollback would undo it


def _migrate(engine: Engine) -> None:
    with engine.begin() as connection:
        if _revision(connection) == HEAD:
            return
        # A server and its workers may start together.
        connection.exec_driver_sql(_LOCK[connection.dialect.name])
        revision = _revision(connection)
        if revision == HEAD:
            return
        if revision is None:
            # A new catalog needs no history; a test holds the migrations against this schema.
            metadata.create_all(connection)
            _version.create(connection, checkfirst=True)
            connection.execute(insert(_version), {"version_num": HEAD})
            return
        _upgrade(connection)


def _revision(connection: Connection) -> str | None:
    """The migration the database is at; ``None`` for a new one."""
    if not inspect(connection).has_table(_version.name):
        return None
    return connection.scalar(select(_version.c.version_num))


def _upgrade(connection: Connection, revision: str = "head") -> None:
    # Seldom needed, and ten megabytes of memory: not imported before.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
