"""A look at a catalog that changes nothing in it."""

import os
import time
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL, Engine, create_engine, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from penstock.catalog.clock import NOW
from penstock.catalog.database import HEAD
from penstock.errors import BadRequest, MissingExtra, PenstockError

_PATIENCE = 10
"""Seconds to connect."""


class Standing(NamedTuple):
    """How a catalog stands: its migration (``None``: it is empty, or not there yet), the newest
    one that this version knows, and how many seconds its clock is ahead of this host's."""

    revision: str | None
    newest: str
    ahead: float


def shown(url: str) -> str:
    """The URL without a password, or parameters that may hold one.

    :raises BadRequest: it is not understood.
    """
    return _parsed(url).set(query={}).render_as_string(hide_password=True)


def folder_of(url: str) -> Path | None:
    """Where the file of an SQLite catalog is; ``None`` if it is none in a file.

    :raises BadRequest: the URL is not understood.
    """
    parsed = _parsed(url)
    file = parsed.database if parsed.get_backend_name() == "sqlite" else None
    return Path(file).absolute().parent if file and not file.startswith((":", "file:")) else None


def look_at(url: str) -> Standing:
    """Connect, and see how the catalog stands. Blocks.

    :raises MissingExtra: the driver for PostgreSQL is not installed.
    :raises BadRequest: the URL is not understood.
    :raises PenstockError: it cannot be reached, or is no catalog.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and not _is_there(parsed.database or ""):
        return Standing(None, HEAD, 0.0)
    engine = _engine(parsed)
    try:
        return _standing(engine)
    except DBAPIError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise PenstockError(f"the catalog cannot be used: {reason}") from None
    finally:
        engine.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() in ("sqlite", "postgresql"):
            return parsed
    except (ArgumentError, NoSuchModuleError, ValueError):  # the last of a port
        pass
    raise BadRequest(
        "the catalog must be sqlite:///file or postgresql+psycopg://user@host/database"
    )


def _is_there(file: str) -> bool:
    try:
        os.stat(file)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise PenstockError(f"the catalog cannot be used: {error.strerror}") from None
    return True


def engine_for(url: str) -> Engine:
    """A connection that has time to be made, and changes nothing by itself.

    :raises MissingExtra: the driver for PostgreSQL is not installed.
    :raises BadRequest: the URL is not understood.
    """
    return _engine(_parsed(url))


def _engine(url: URL) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    arguments = {"timeout": _PATIENCE} if sqlite else {"connect_timeout": _PATIENCE}
    try:
        return create_engine(url, connect_args=arguments, hide_parameters=True)
    except ModuleNotFoundError:
        raise MissingExtra("a catalog on PostgreSQL", "postgres") from None


def _standing(engine: Engine) -> Standing:
    with engine.connect() as connection:
        revision = None
        if inspect(connection).has_table("alembic_version"):
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        before = time.time()
        now = connection.scalar(select(NOW))
        assert now is not None
        return Standing(revision, HEAD, now - (before + time.time()) / 2)
