"""Uploads that are read while they arrive.

A reader is shown what is durable and counted in the ledger, and nothing else: those bytes are
never taken back, whoever dies, so a reader that was cut off can go on at the byte it has. What
this process holds is made durable every second while somebody reads along; of what another
process holds the ledger tells. No writer ever waits for a reader.

All bytes of an upload can be there before anybody knows whether they are the right ones. So where
the reader was told a length the last byte is held back until the upload is stored.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor

from sqlalchemy.exc import SQLAlchemyError

from penstock.catalog.ledger import Ledger, UploadRow
from penstock.errors import UploadGone
from penstock.uploads import files
from penstock.uploads.feed import Feed, gone, name_of
from penstock.uploads.holding import Holding
from penstock.uploads.joint import Joint, as_one, goes_on, shares_a_file
from penstock.uploads.reader import Reader
from penstock.uploads.session import Session
from penstock.uploads.upload import Kind, State

_log = logging.getLogger("penstock.uploads")

_LOOK = 0.05
_ASK = 0.25
"""Seconds between two looks at what this process holds, and two questions to the ledger."""

_MOST = 1000
"""Uploads of one key, the newest, among which one is found by its name."""


class Following:
    """The uploads that somebody reads along here. Belongs to one event loop.

    ``expiry`` is seconds after its last byte that an upload expires, ``now`` the clock of that.
    """

    def __init__(
        self,
        ledger: Ledger,
        holding: Holding,
        folder: files.Folder,
        pool: Executor,
        *,
        expiry: float,
        now: Callable[[], float],
    ) -> None:
        self._ledger = ledger
        self._holding = holding
        self._folder = folder
        self._pool = pool
        self._expiry = expiry
        self._now = now
        self._feeds: dict[str, Feed] = {}
        self._watch: asyncio.Task[None] | None = None

    async def newest(self, key: str, owner: str = "", *, idle: float) -> Reader | None:
        """Read along the newest unfinished upload of the file at ``key``, if there is one.

        One that nobody holds and that got no byte for ``idle`` seconds is left out: it was left.
        Parts of one group are one upload.
        """
        seen = set()
        for row in await self._ledger.of_key(key):
            identity = files.group_name(row) if shares_a_file(row) else row.id
            if row.owner != owner or identity in seen:
                continue
            seen.add(identity)
            joint = await self._joint(row)
            if joint is not None and await self._is_arriving(row, joint.row, idle):
                return self._reader(joint)
        return None

    async def named(self, key: str, name: str, owner: str = "") -> Reader:
        """Read along the very upload of that name, or what it became.

        :raises UploadGone: it failed, was deleted, or is forgotten by now.
        """
        for row in await self._ledger.history(key, _MOST):
            if row.owner != owner:
                continue
            if row.kind != Kind.PARTIAL and name_of(row.id) == name:
                return self._checked(Joint(row, (row.id,)))
            if shares_a_file(row) and name_of(files.group_name(row)) == name:
                return self._checked(await self._joint(row))
        raise gone()

    def _checked(self, joint: Joint | None) -> Reader:
        if joint is None:
            raise gone()
        reader = self._reader(joint)
        try:
            reader.check()
        except UploadGone:
            reader.leave()
            raise
        return reader

    def left(self, session: Session) -> None:
        """A session of this process was left."""
        if (feed := self._feeds.get(session.row.id)) is not None:
            feed.see(None if session.removed else Joint(session.row, feed.members))

    def _held(self, feed: Feed) -> list[Session]:
        """The sessions of this process that hold the upload, or parts of it."""
        sessions = map(self._holding.held, feed.members)
        return [session for session in sessions if session is not None]

    def _leave(self, feed: Feed) -> None:
        """A reader of it has left."""
        feed.readers -= 1
        if not feed.readers:
            feed.close()
            del self._feeds[feed.row.id]

    async def close(self) -> None:
        """Stop looking; the readers have left."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def _joint(self, row: UploadRow) -> Joint | None:
        """The upload as it is read: itself, or its group; ``None``: it cannot be read alone."""
        if shares_a_file(row):
            return as_one(await self._ledger.of_group(row))
        return None if row.kind == Kind.PARTIAL else Joint(row, (row.id,))

    async def _is_arriving(self, newest: UploadRow, row: UploadRow, idle: float) -> bool:
        if row.state not in (State.OPEN, State.FINISHING):
            return False
        came = row.expires - self._expiry
        return self._now() - came <= idle or await self._holding.lives(newest)

    def _reader(self, joint: Joint) -> Reader:
        feed = self._feeds.setdefault(joint.row.id, Feed(joint, self._folder, self._pool))
        # What was read of a group may be older than what the feed knows, and nothing would tell;
        # but the reader may have been told by another server of bytes that the feed has not seen.
        if not feed.is_group or goes_on(feed.row, joint.row):
            feed.see(joint)
        feed.readers += 1
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_out())
        return Reader(feed, self._held, self._leave)

    async def _look_out(self) -> None:
        """See how the uploads stand, as long as any is read."""
        asked = 0.0
        while self._feeds:
            for feed in self._feeds.values():
                for session in self._held(feed):
                    session.save_for_readers()
                    if not feed.is_group:
                        feed.see(Joint(session.row, feed.members))
            now = asyncio.get_running_loop().time()
            if now - asked >= _ASK:
                asked = now
                await self._ask()
            await asyncio.sleep(_LOOK)

    async def _ask(self) -> None:
        """Ask the ledger, for all at once.

        For those that this process holds as well: it may have been frozen, and another one holds
        them now.
        """
        feeds = [feed for feed in self._feeds.values() if not feed.ended]
        alone = [feed.row.id for feed in feeds if not feed.is_group]
        try:
            found = await self._ledger.get_many(alone)
            groups = {
                feed.row.id: as_one(await self._ledger.of_group(feed.row))
                for feed in feeds
                if feed.is_group
            }
        except SQLAlchemyError:  # the next question may find the catalog again
            _log.exception("asking how followed uploads stand failed")
            return
        for feed in feeds:
            if feed.is_group:
                feed.see(groups[feed.row.id])
            else:
                row = found.get(feed.row.id)
                feed.see(None if row is None else Joint(row, feed.members))
