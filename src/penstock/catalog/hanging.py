"""A database that hangs must not keep a process from ending.

A thread that waits for an answer cannot be stopped. But when its connection is shut down, it is
told that the connection broke, and all that waits for it ends as after any such error.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from penstock.threads import in_pool

_PAUSE = 1.0

_log = logging.getLogger("penstock.catalog")


class _Connection(Protocol):
    """One of psycopg."""

    def fileno(self) -> int: ...


_open: WeakKeyDictionary[Engine, WeakSet[_Connection]] = WeakKeyDictionary()


def watch(engine: Engine) -> None:
    """Know the connections to a PostgreSQL server."""
    connections = _open[engine] = WeakSet()
    event.listen(engine, "connect", lambda connection, _record: connections.add(connection))


@contextmanager
def bounded(engine: Engine, seconds: int) -> Iterator[None]:
    """Within this, at the end of a process, nobody waits for a server that takes more than so many
    seconds for a new connection: the others are cut then. Does nothing for SQLite."""
    if engine not in _open:
        yield
        return
    watching = asyncio.create_task(_watch(engine, seconds))
    try:
        yield
    finally:
        watching.cancel()


async def _watch(engine: Engine, seconds: int) -> None:
    pool = ThreadPoolExecutor(1, "penstock-database")  # the others may all be waiting
    try:
        while True:
            await asyncio.sleep(_PAUSE)
            if await in_pool(pool, _hangs, engine, seconds):
                _log.warning("the database hangs; its connections are cut, for the process ends")
                _cut(engine)
                return
    finally:
        pool.shutdown(wait=False)


def _hangs(engine: Engine, seconds: int) -> bool:
    """In a worker thread."""
    began = time.monotonic()
    arguments, fields = engine.dialect.create_connect_args(engine.url)
    try:
        engine.dialect.connect(*arguments, **{**fields, "connect_timeout": seconds}).close()
    except engine.dialect.loaded_dbapi.Error:  # it may have too many of them, which it says at once
        return time.monotonic() - began >= seconds * 0.9
    return False


def _cut(engine: Engine) -> None:
    event.listen(engine, "do_connect", _refuse)
    for connection in list(_open[engine]):
        with suppress(OSError, OperationalError), _socket(connection) as end:
            end.shutdown(socket.SHUT_RDWR)


def _socket(connection: _Connection) -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))


def _refuse(*_: Any) -> None:
    raise OperationalError("the database hangs, and the process ends", None, OSError())
