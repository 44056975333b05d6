"""One reader's way through an upload."""

from collections.abc import Callable, Sequence
from typing import Self, TypeAlias

from penstock.errors import SourceChanged
from penstock.stores.interface import FileInfo
from penstock.uploads.feed import Feed, name_of
from penstock.uploads.session import Session
from penstock.uploads.upload import Kind, State, Upload, from_row

Held: TypeAlias = Callable[[Feed], Sequence[Session]]
"""The sessions of this process that hold an upload, or parts of it."""


class Reader:
    """One reader's way through an upload; use it with ``async with``, at once.

    ``length`` is the bytes of the whole, ``None`` if nobody could say when the reader came.
    ``place`` is the file that has the bytes, by its descriptor and where in it they begin, while
    that is known; what is stored and has none is to be read from its key.
    """

    def __init__(self, feed: Feed, held: Held, leave: Callable[[Feed], None]) -> None:
        self._feed = feed
        self._held = held
        self._leave = leave
        self.name = name_of(feed.row.id)
        self.place: tuple[int, int] | None = None
        stored = self.stored
        self.length = feed.row.length if stored is None else stored.size

    @property
    def upload(self) -> Upload:
        """The upload as it stands."""
        return from_row(self._feed.row)

    @property
    def stored(self) -> FileInfo | None:
        """The file that the upload became; ``None`` while it goes on."""
        if self._feed.row.state != State.DONE:
            return None
        outcome = self.upload.outcome
        return None if outcome is None else outcome.file

    @property
    def is_written_here(self) -> bool:
        """Whether a request of this process holds the upload."""
        return bool(self._held(self._feed))

    @property
    def is_being_stored(self) -> bool:
        """Whether this process is at the last step, which takes as long as it takes."""
        return any(session.is_storing for session in self._held(self._feed))

    def check(self) -> None:
        """:raises UploadGone: no file will come of the upload."""
        self._feed.check()

    async def more(self, at: int) -> int:
        """Wait until there is something behind the byte ``at``; answers up to where.

        At the end of the stored file it answers ``at``.

        :raises UploadGone: no file will come of the upload.
        """
        while True:
            changed = self._feed.changed
            self.check()
            stored = self.stored
            stop = self._stop(stored)
            if stop > at:
                self.place = await self._feed.file()
                if self.place is not None or stored is not None:
                    return stop
            elif stored is not None:
                return at
            await changed.wait()

    def _stop(self, stored: FileInfo | None) -> int:
        """Up to where bytes may be shown."""
        row = self._feed.row
        if stored is not None:
            if self.length not in (None, stored.size):
                raise SourceChanged("the upload became a file of another size than was told")
            return stored.size
        if row.kind == Kind.FINAL:
            return 0  # its bytes are those of its parts until it is stored
        return row.offset if self.length is None else min(row.offset, self.length - 1)

    def leave(self) -> None:
        """Read no more."""
        self._leave(self._feed)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.leave()
