"""Group commit: changes that are asked for at the same time share one transaction.

A commit costs the disk as much as a thousand changes do, and SQLite takes one writer at a time.
So the first change is committed at once, and those that come while it is under way go together
in the next.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from penstock.errors import StorageFull
from penstock.threads import to_the_end

T = TypeVar("T")
Change: TypeAlias = Callable[[Connection], T]
Waiting: TypeAlias = tuple[Change[Any], "asyncio.Future[Any]"]

_MOST = 500
_PG_DISK_FULL = "53100"
_PG_MADE_AGAIN = ("40001", "40P01")
"""Serialization failure and deadlock: PostgreSQL ended one so that another could go on."""


class GroupCommit:
    """Runs changes on one database in one thread; belongs to one event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, "penstock-commit")
        self._waiting: list[Waiting] = []
        self._under_way: list[Waiting] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self.on_commit: Callable[[int, float], None] | None = None
        """Is told how many changes a transaction made, and the seconds that it took."""

    async def run(self, change: Change[T]) -> T:
        """Make ``change``; it is durable on return.

        Once asked for it is made, even if the caller is cancelled meanwhile. A change tells by
        what it answers that it does not apply: if it raises, its transaction is undone.
        """
        if self._closed:
            raise RuntimeError("the catalog is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
            self._running.add_done_callback(self._ended)
        return await to_the_end(done)

    async def close(self) -> None:
        """Wait for what was asked for, then end the thread."""
        self._closed = True
        if self._running is not None:
            await self._running
        await asyncio.to_thread(self._thread.shutdown)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                self._under_way = batch
                changes = [change for change, _ in batch]
                began = time.perf_counter()
                results = await loop.run_in_executor(self._thread, self._commit, changes)
                if self.on_commit is not None:
                    self.on_commit(len(changes), time.perf_counter() - began)
                for (_, done), (result, error) in zip(batch, results, strict=True):
                    if error is None:
                        done.set_result(result)
                    else:
                        done.set_exception(error)
        finally:
            self._running = None

    def _ended(self, running: "asyncio.Task[None]") -> None:
        """If the loop is torn down, end those who wait: they do not let themselves be cancelled."""
        error = None if running.cancelled() else running.exception()
        if error is None and not running.cancelled():
            return
        self._running = None
        for _, done in [*self._under_way, *self._waiting]:
            if error is None:
                done.cancel()
            elif not done.done():
                done.set_exception(error)
        self._under_way, self._waiting = [], []

    def _commit(
        self, changes: list[Change[Any]], *, again: bool = True
    ) -> list[tuple[Any, BaseException | None]]:
        try:
            with self._engine.begin() as connection:
                return [(change(connection), None) for change in changes]
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            if len(changes) == 1:
                if again and _sqlstate(error) in _PG_MADE_AGAIN:
                    return self._commit(changes, again=False)
                return [(None, _told(error))]
        # One of them is to blame: each for itself, so that the others do not suffer.
        return [self._commit([change])[0] for change in changes]


def _told(error: Exception) -> Exception:
    """A full disk is no fault of the program."""
    cause = error.orig if isinstance(error, OperationalError) else None
    full = getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    if full or _sqlstate(error) == _PG_DISK_FULL:
        return StorageFull("the catalog has no space left; nothing was written down")
    return error


def _sqlstate(error: Exception) -> str | None:
    """PostgreSQL's code for it."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return getattr(cause, "sqlstate", None)
