"""Who may change an upload: one session of one process at a time, and the newest request wins.

In this process the session that holds an upload is ended at once. Another process is asked
through the catalog, and its watch sees that within a quarter of a second. One that is dead has
lost the lock on the upload's file. One that lives but does not answer is frozen: the bytes that
are durable are copied to a new file, which it does not know, and its token is outdated.
"""

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from sqlalchemy.exc import SQLAlchemyError

from penstock.catalog.ledger import GIVING_WAY, Ledger, UploadRow
from penstock.errors import NotFound, Superseded, UploadGone
from penstock.threads import in_pool, open_in_thread, to_the_end
from penstock.uploads import files
from penstock.uploads.session import Session
from penstock.uploads.upload import State

_log = logging.getLogger("penstock.uploads")

_WATCH = 0.25
_POLL = 0.05
_ANSWER = 1.0
"""Seconds within which a living process answers; then it counts as frozen."""

_PATIENCE = 10.0
"""Seconds for one that is about to let go, or that stores the upload at this moment."""

Fds = tuple[int, int | None]
Make = Callable[[UploadRow, Fds], Session]


@dataclass(frozen=True, slots=True)
class _Wish:
    """How an upload is to be taken: what makes the session, whether all bytes must be there,
    and how long that may take."""

    make: Make
    whole: bool
    patience: asyncio.Timeout


class Holding:
    """The uploads that this process holds, and the way to get hold of another."""

    def __init__(self, ledger: Ledger, folder: files.Folder, pool: Executor) -> None:
        self.me = secrets.token_hex(8)
        self._ledger = ledger
        self._folder = folder
        self._pool = pool
        self._held: dict[str, Session] = {}
        self._taking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._watch: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End the sessions that are left, so that what arrived counts; then the watch."""
        held = list(self._held.values())
        for session in held:
            session.give_way()
        leaving = [asyncio.ensure_future(session.left.wait()) for session in held]
        if leaving:
            _, late = await asyncio.wait(leaving, timeout=_PATIENCE)
            for wait in late:
                wait.cancel()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def is_wanted(self, identity: str) -> bool:
        """Whether a request of this process holds the upload or is about to."""
        return identity in self._held or identity in self._taking

    def held(self, identity: str) -> Session | None:
        """The session of this process that holds the upload."""
        return self._held.get(identity)

    async def take(self, identity: str, make: Make, owner: str, *, whole: bool = True) -> Session:
        """Hold the upload, whoever holds it now; requests get it in the order they came.

        ``whole``: only if its bytes are all there.

        :raises NotFound: there is no such upload.
        :raises UploadGone: its bytes are not there any more.
        :raises Superseded: whoever holds it does not let go in time.
        """
        taking = self._taking.setdefault(identity, asyncio.Lock())
        try:
            async with asyncio.timeout(_PATIENCE) as patience, taking:
                wish = _Wish(make, whole, patience)
                while True:
                    if (held := self._held.get(identity)) is not None:
                        check_owner(held.row, owner)
                        held.give_way()
                        await held.left.wait()
                    elif (session := await self._try(identity, wish, owner)) is not None:
                        return session
        except TimeoutError:
            raise _busy() from None

    async def begin(self, row: UploadRow, make: Make) -> Session:
        """The session of a new upload, which was written down as held by this process."""
        lock = await self._lock(files.lock_name(row), patient=True)
        if lock is None:
            raise _busy()
        try:
            return await self._begin(row, lock, make, whole=True)
        except BaseException:
            os.close(lock)
            raise

    async def lives(self, row: UploadRow) -> bool:
        """Whether the process that stands as the holder holds it still."""
        if row.holder is None or row.id in self._held:
            return row.holder is not None
        return not await in_pool(self._pool, self._is_free, row)

    def _is_free(self, row: UploadRow) -> bool:
        """In a worker thread."""
        lock = self._folder.lock(files.lock_name(row))
        _close_if_any(lock)
        return lock is not None

    def forget(self, session: Session) -> None:
        """The session let go."""
        if self._held.get(session.row.id) is session:
            del self._held[session.row.id]

    async def _try(self, identity: str, wish: "_Wish", owner: str) -> Session | None:
        """Hold it if that can be done now; waits a little for another process."""
        row = check_owner(await self._ledger.get(identity), owner)
        if wish.whole and row.state == State.FINISHING:
            await self.check(row)  # before it is taken from another host, which may be storing it
        lock = await self._lock(files.lock_name(row), patient=row.holder in (None, self.me))
        if lock is None:
            return await self._ask(row, wish)
        return await self._hold(row, lock, wish, row.generation)

    async def _hold(
        self, row: UploadRow, lock: int, wish: "_Wish", generation: int
    ) -> Session | None:
        """Become the holder, having the lock of the upload; closes it if that fails."""
        session = None
        try:
            now = await self._ledger.acquire(row, self.me, generation=generation)
            if now is not None:
                session = await self._begin(now, lock, wish.make, whole=wish.whole)
            return session
        finally:
            if session is None:
                os.close(lock)

    async def _begin(self, row: UploadRow, lock: int, make: Make, *, whole: bool) -> Session:
        """The session of an upload that is ours."""
        work = partial(self._open_data, row, whole=whole)
        fd = await open_in_thread(work, _close_if_any, self._pool)
        session = make(row, (lock, fd))
        self._held[row.id] = session
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_out())
        return session

    async def check(self, row: UploadRow) -> None:
        """Refuse an upload whose bytes are not all there any more.

        :raises UploadGone: they are not.
        """
        if _must_be_here(row):
            work = partial(self._open_data, row, whole=True)
            _close_if_any(await open_in_thread(work, _close_if_any, self._pool))

    def _open_data(self, row: UploadRow, *, whole: bool) -> int | None:
        """The file of the upload's bytes; ``None`` if they need no longer be there.

        In a worker thread.
        """
        _, base = files.data_place(row)
        fd = self._folder.open_data(row, create=row.state == State.OPEN and row.offset == 0)
        if not (whole and _must_be_here(row)):
            return fd
        if fd is None or os.fstat(fd).st_size < base + row.offset:
            _close_if_any(fd)
            raise UploadGone("the bytes of this upload are lost; begin another")
        return fd

    async def _lock(self, name: str, *, patient: bool) -> int | None:
        """The lock on a file; ``patient``: who had it has written that it let go.

        Somebody may have it for a moment just to see whether it is free.
        """
        end = asyncio.get_running_loop().time() + (_ANSWER if patient else 2 * _POLL)
        while True:
            lock = await open_in_thread(partial(self._folder.lock, name), _close_if_any, self._pool)
            if lock is not None or asyncio.get_running_loop().time() > end:
                return lock
            await asyncio.sleep(_POLL)

    async def _ask(self, row: UploadRow, wish: "_Wish") -> Session | None:
        """Another living process has the lock: ask it to let go; take over if it is frozen."""
        await self._ledger.ask_for(row)
        end = asyncio.get_running_loop().time() + _ANSWER
        while True:
            now = await self._ledger.get(row.id)
            if now is None or now.token != row.token or now.holder is None:
                return None  # it let go: try again
            if now.wanted != GIVING_WAY and asyncio.get_running_loop().time() > end:
                return await self._take_over(now, wish)
            await asyncio.sleep(_POLL)

    async def _take_over(self, row: UploadRow, wish: "_Wish") -> Session | None:
        """From a process that is frozen, and may wake and write at any moment."""
        if row.state == State.FINISHING:
            raise _busy()
        moved = row._replace(generation=row.generation + 1)
        lock = await self._lock(files.lock_name(moved), patient=False)
        if lock is None:
            return None  # another process is about to do the same
        wish.patience.reschedule(None)  # it takes as long as there are bytes
        try:
            await to_the_end(in_pool(self._pool, self._copy, row, moved))
        except BaseException:
            os.close(lock)
            raise
        session = await self._hold(row, lock, wish, moved.generation)
        await in_pool(self._pool, self._folder.drop, row if session is not None else moved)
        return session

    def _copy(self, row: UploadRow, moved: UploadRow) -> None:
        """The durable bytes into a file of their own. In a worker thread."""
        name, base = files.data_place(row)
        with ExitStack() as stack:
            source = self._folder.open(name, create=False)
            if source is None:
                return
            stack.callback(os.close, source)
            target = self._folder.open(files.data_place(moved)[0], create=True)
            assert target is not None
            stack.callback(os.close, target)
            files.copy(source, base, row.offset, target, 0)
            os.fsync(target)

    async def _look_out(self) -> None:
        """Let go of what other processes ask for, as long as anything is held."""
        while self._held:
            try:
                await self._let_go_of_wanted()
            except SQLAlchemyError:  # the next look may find the catalog again
                _log.exception("asking who wants uploads failed")
            await asyncio.sleep(_WATCH)

    async def _let_go_of_wanted(self) -> None:
        for identity in await self._ledger.wanted_of(self.me):
            await self._ledger.give_way(identity, self.me)
            if (session := self._held.get(identity)) is not None:
                session.give_way()


def check_owner(row: UploadRow | None, owner: str) -> UploadRow:
    """The row, if it is there and is that owner's.

    :raises NotFound: it is not.
    """
    if row is None or row.owner != owner:
        raise NotFound("there is no such upload; it may have expired")
    return row


def _must_be_here(row: UploadRow) -> bool:
    """Whether there are bytes that nothing can become of the upload without.

    One that is about to be stored by a rename has its answer already, and they may be gone.
    """
    if row.state == State.FINISHING:
        return row.outcome is None
    return row.state == State.OPEN and row.offset > 0


def _close_if_any(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)


def _busy() -> Superseded:
    return Superseded(
        "the upload is being stored or changed at this moment; ask again", retry_after=1
    )
