"""One request's hold on an upload: it appends, makes durable, and finishes.

Bytes are written first, then made durable (``fdatasync``), and only then counted in the ledger:
the offset that anybody is told never lies, whenever the process is killed.
"""

import asyncio
import os
from concurrent.futures import Executor
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from penstock.catalog.ledger import Ledger, UploadRow
from penstock.errors import (
    BodyIncomplete,
    LengthExceeded,
    LengthMismatch,
    PenstockError,
    Superseded,
)
from penstock.octets.digests import Digester
from penstock.stores.interface import FileInfo
from penstock.threads import in_pool, to_the_end
from penstock.uploads import files
from penstock.uploads.data import Data, Source
from penstock.uploads.limits import UploadLimits
from penstock.uploads.upload import Kind, Outcome, State, Upload, from_row

_SAVE_BYTES = 32 << 20
_SAVE_SECONDS = 10.0
_SAVE_SECONDS_BYTES = 256 << 10
_SAVE_SECONDS_READ = 1.0


class Keeper(Protocol):
    """What keeps the sessions: their limits, and what happens when they end."""

    limits: UploadLimits

    def check_size(self, size: int) -> None:
        """Refuse an upload of so many bytes."""

    def expires(self) -> float:
        """When an upload expires that gets a byte now, in seconds since 1970."""

    async def finish(self, session: "Session") -> None:
        """End a complete upload."""

    def counted(self, session: "Session") -> None:
        """Bytes may be durable and counted that were not; costs next to nothing if not."""

    def let_go(self, session: "Session", digester: Digester | None) -> None:
        """A session was left; the digest of what is counted is of use to the next one."""


class Session:
    """An upload that this request alone may change, until the ``async with`` is left.

    Leaving makes what arrived durable and lets go, also when the request is cancelled because
    its client went away. When another request asks for the upload, the body of the ``async
    with`` ends with :class:`Superseded`.
    """

    def __init__(
        self,
        keeper: Keeper,
        ledger: Ledger,
        folder: files.Folder,
        pool: Executor,
        row: UploadRow,
        fds: tuple[int, int | None],
        digester: Digester,
    ) -> None:
        self._keeper = keeper
        self._ledger = ledger
        self._folder = folder
        self._pool = pool
        self.row = row
        self._lock_fd, data_fd = fds
        place = data_fd, files.data_place(row)[1]
        self.data = Data(pool, folder, place, row.offset, digester)
        self._began = row.offset
        self._saved = row.offset
        self._saved_at = asyncio.get_running_loop().time()
        self._saving: asyncio.Task[None] | None = None
        self._patience = asyncio.timeout(None)
        self._unwanted = False
        self._inside = False
        self._storing = False
        self._ending = False
        self._removed = False
        self.left = asyncio.Event()
        self.offset = row.offset
        self.length = row.length

    @property
    def ended(self) -> bool:
        """Whether nothing can be added any more."""
        return self.row.state in (State.DONE, State.FAILED)

    @property
    def is_open(self) -> bool:
        """Whether bytes can be added."""
        return self.row.state == State.OPEN and not self._removed

    @property
    def is_storing(self) -> bool:
        """Whether the last step is under way."""
        return self._storing

    @property
    def removed(self) -> bool:
        """Whether the upload was dropped."""
        return self._removed

    @property
    def upload(self) -> Upload:
        """The upload as it stands in the ledger."""
        return from_row(self.row)

    async def set_length(self, length: int) -> None:
        """Tell how many bytes the whole has.

        :raises LengthMismatch: it was told before, and differently, or more bytes are there.
        :raises TooLarge: it is over a limit.
        """
        if self.length == length:
            return
        if self.length is not None or length < self.offset:
            known = f"{self.length:,}" if self.length is not None else f"at least {self.offset:,}"
            raise LengthMismatch(
                f"the upload has {known} bytes, not {length:,}; "
                "its length cannot be changed, begin another"
            )
        self._keeper.check_size(length)
        await self.change(length=length)
        self.length = length

    async def append(self, data: bytes) -> None:
        """Take the next bytes; waits while those before are still on their way to the disk.

        :raises LengthExceeded: the upload was told to have fewer.
        :raises TooLarge: it is over the limit for one upload.
        :raises StorageFull: there is no space left.
        :raises Superseded: another request goes on with the upload.
        """
        assert self.is_open
        after = self.offset + len(data)
        if self.length is not None and after > self.length:
            raise LengthExceeded(
                f"the upload was told to have {self.length:,} bytes, and more are coming"
            )
        if self.length is None:
            self._keeper.check_size(after)
        self.offset = after
        await self.data.put(data)
        await self._look_after()

    def fits(self, size: int) -> bool:
        """Whether the upload may have so many more bytes, and they count as they come."""
        most = self._keeper.limits.max_size if self.length is None else self.length
        return self.offset + size <= most and not self.data.is_held_back

    async def pull(self, source: Source, most: int) -> None:
        """Let a worker thread append up to ``most`` bytes, which must fit, from ``source``.

        :raises StorageFull: there is no space left.
        :raises Superseded: another request goes on with the upload.
        """
        assert self.is_open
        assert self.fits(most)
        try:
            await self.data.pull(source, most)
        finally:
            self.offset = self.data.written
        await self._look_after()

    async def checkpoint(self) -> int:
        """Make everything received durable; answers the offset.

        :raises StorageFull: there is no space left.
        :raises Superseded: another request goes on with the upload.
        """
        await self.data.drain()
        await self._end_saving()
        if not self.data.is_held_back and self.data.written > self._saved:
            await to_the_end(self._save(self.data.written))
        self._check()
        return self._saved

    async def flush(self) -> None:
        """Write everything received; leaving makes it durable and counts it, in one commit.

        :raises StorageFull: there is no space left.
        :raises Superseded: another request goes on with the upload.
        """
        await self.data.drain()
        self._check()

    @property
    def durable(self) -> int:
        """Bytes that are durable and counted in the ledger."""
        return self._saved

    def save_for_readers(self) -> None:
        """Begin to make durable what was written, now rather than when it is due.

        At most once a second, beside the writing, and not when the session comes to its end: that
        makes everything durable.
        """
        if self._saving is not None and self._saving.done() and not self._saving.exception():
            self._saving = None
        goes_on = self._inside and self.is_open and not (self._ending or self._unwanted)
        waited = asyncio.get_running_loop().time() - self._saved_at
        is_new = self.data.written > self._saved and waited >= _SAVE_SECONDS_READ
        if goes_on and is_new and self._saving is None and not self.data.is_held_back:
            self._saving = asyncio.create_task(self._save(self.data.written))

    def hold_back(self) -> None:
        """From here on nothing counts until :meth:`confirm`: leaving without it discards."""
        assert self.offset == self.data.written
        self.data.hold_back()

    def confirm(self) -> None:
        """What was held back is good."""
        self.data.confirm()

    async def digest(self) -> bytes:
        """The SHA-256 (32 bytes) of everything received; it may have to be read for that."""
        sha256 = (await self.data.digest(sha256=True)).sha256
        assert sha256 is not None
        return sha256

    async def crc32(self) -> int:
        """The CRC-32 of everything received; likewise."""
        return (await self.data.digest(sha256=False)).crc32

    async def finish(self) -> FileInfo | None:
        """Store the whole at its key; answers the file, ``None`` for a part.

        An upload that has ended gives the same answer again.

        :raises BodyIncomplete: bytes are missing.
        :raises DigestMismatch: they are not those that were announced.
        :raises PreconditionFailed: the file at the key is not the one it may replace.
        :raises KeyConflict: a folder stands at the key.
        :raises StorageFull: there is no space left; the upload can be finished later.
        """
        if not self.ended:
            self._ending = True
            await self.data.drain()
            self._check()
            if self.row.kind != Kind.FINAL:
                await self._check_length()
            await self._end_saving()
            self._storing = True
            try:
                await to_the_end(self._keeper.finish(self))
            finally:
                self._storing = False
        return self.upload.result()

    async def _check_length(self) -> None:
        if self.length is None:
            await self.set_length(self.offset)
        elif self.offset < self.length:
            raise BodyIncomplete(
                f"{self.length - self.offset:,} bytes are missing; send them first"
            )

    async def fail(self, error: PenstockError) -> None:
        """End the upload with this error as its answer, and drop its bytes."""
        await self.end(State.FAILED, Outcome(error=error))

    async def end(self, state: State, outcome: Outcome) -> None:
        """Write down the final answer; used by what finishes uploads.

        :raises Superseded: another request holds the upload by now.
        """
        self._ending = True
        event = "upload.finished" if state == State.DONE else "upload.failed"
        row = await self._ledger.end(
            self.row,
            event,
            state=state,
            outcome=outcome.to_json(),
            offset=self.data.written,
            length=self.length if self.length is not None else self.data.written,
            expires=self._keeper.expires(),
            holder=None,
            wanted=0,
        )
        self._take_over(row)
        self._saved = self.data.written

    async def remove(self, event: str) -> None:
        """Drop the upload and its bytes; used by what deletes uploads.

        :raises Superseded: another request holds the upload by now.
        """
        self._ending = True
        if not await self._ledger.remove(self.row, None if self.ended else event):
            raise _superseded()
        self._removed = True
        await in_pool(self._pool, self._folder.drop, self.row)

    async def change(self, **values: object) -> None:
        """Change the upload's row; used by what finishes uploads too.

        :raises Superseded: another request holds the upload by now.
        """
        self._take_over(await self._ledger.change(self.row, **values))

    def replace_data(self, fd: int, base: int, size: int) -> None:
        """The bytes lie elsewhere now; used by what joins parts."""
        self.data.replace(fd, base, size)
        self.offset = self.length = size

    def give_way(self) -> None:
        """End the body of the ``async with``; :attr:`left` is set when it is left.

        One that stores the upload at this moment comes to its end by itself.
        """
        if self._inside and not self._unwanted and not self._storing:
            self._patience.reschedule(asyncio.get_running_loop().time())
        self._unwanted = True

    async def __aenter__(self) -> Self:
        await self._patience.__aenter__()
        self._inside = True
        if self._unwanted:
            self._patience.reschedule(asyncio.get_running_loop().time())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inside = False
        try:
            await self._patience.__aexit__(kind, error, trace)
        except TimeoutError:
            raise _superseded() from None
        finally:
            counted = await to_the_end(self._leave())
        if kind is None and not counted:
            raise _superseded()

    async def _leave(self) -> bool:
        """Make what arrived durable and let go, whatever goes wrong with either.

        Whether the upload was ours to the end, so that all of it counts.
        """
        with suppress(PenstockError, OSError):  # what cannot be written is not counted
            await self.data.drain()
        await self.data.stop()
        digester = None
        try:
            await self._end_saving()
            counted = await self._release()
            if counted:
                digester = self.data.digester
                if self.is_open and self.data.written > self._began:
                    self._keeper.counted(self)
            if not self._is_needed():
                await in_pool(self._pool, self._folder.drop, self.row)
        finally:
            self.data.close()
            os.close(self._lock_fd)
            self._keeper.let_go(self, digester)
            self.left.set()
        return counted

    def _is_needed(self) -> bool:
        """Whether the bytes are still to be stored, or to become a part of another."""
        if self.row.state == State.DONE:
            return self.row.kind == Kind.PARTIAL
        return self.row.state != State.FAILED

    async def _release(self) -> bool:
        """Count what was written and let go; whether it was still ours to count."""
        if self.row.holder is None or self._removed:
            return True
        values: dict[str, object] = {"holder": None, "wanted": 0}
        if self.row.state == State.OPEN and self.data.written > self._began:
            if self.data.written > self._saved:
                await self.data.sync()
            # Nobody keeps an upload alive without sending anything.
            values |= {"offset": self.data.written, "expires": self._keeper.expires()}
        row = await self._ledger.change(self.row, **values)
        if row is None:
            return False
        self.row = row
        return True

    def _is_due(self) -> bool:
        """Whether it is time to count what was written: by bytes, or by bytes and seconds."""
        unsaved = self.data.written - self._saved
        waited = asyncio.get_running_loop().time() - self._saved_at
        return unsaved >= _SAVE_BYTES or (
            waited >= _SAVE_SECONDS and unsaved >= _SAVE_SECONDS_BYTES
        )

    async def _save(self, written: int) -> None:
        try:
            await self.data.sync()
            await self.change(offset=written, expires=self._keeper.expires())
            self._saved = written
            self._saved_at = asyncio.get_running_loop().time()
        except Superseded:
            self.give_way()

    async def _end_saving(self) -> None:
        """Wait for the saving under way; raises what went wrong with it."""
        if self._saving is not None:
            saving, self._saving = self._saving, None
            await to_the_end(saving)

    def _take_over(self, row: UploadRow | None) -> None:
        if row is None:
            raise _superseded()
        self.row = row

    async def _look_after(self) -> None:
        """Now and then make durable what was written, while more is coming."""
        self._check()
        if self._saving is not None and self._saving.done():
            await self._end_saving()
        if not self.data.is_held_back and self._saving is None and self._is_due():
            self._saving = asyncio.create_task(self._save(self.data.written))
        self._keeper.counted(self)

    def _check(self) -> None:
        if self._unwanted:
            raise _superseded()


def _superseded() -> Superseded:
    return Superseded("another request goes on with this upload; ask for its offset")
