"""One upload as its readers see it: how it stands, and the file that has its bytes."""

import asyncio
import hashlib
import os
from base64 import urlsafe_b64encode
from concurrent.futures import Executor
from functools import partial

from penstock.errors import UploadGone
from penstock.threads import open_in_thread
from penstock.uploads import files
from penstock.uploads.joint import Joint, goes_on, shares_a_file
from penstock.uploads.upload import State, from_row

_NAME_BYTES = 16


def name_of(identity: str) -> str:
    """What readers know an upload by: who knows no more than this cannot change it."""
    digest = hashlib.sha256(b"follow " + identity.encode()).digest()
    return urlsafe_b64encode(digest[:_NAME_BYTES]).decode().rstrip("=")


class Feed:
    """One upload, or the parts of a group as one, for all who read it here."""

    def __init__(self, joint: Joint, folder: files.Folder, pool: Executor) -> None:
        self.row, self.members = joint
        self.is_group = shares_a_file(self.row)
        self.readers = 0
        self.changed = asyncio.Event()
        """Set when the upload stands otherwise; then there is another event for the next time."""
        self._gone = False
        self._folder = folder
        self._pool = pool
        self._opening = asyncio.Lock()
        self._fds: dict[str, int] = {}

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self._gone or self.row.state in (State.DONE, State.FAILED)

    def see(self, joint: Joint | None) -> None:
        """Take down how the upload stands, ``None``: there is none any more."""
        if self.ended or joint == (self.row, self.members):
            return
        if joint is None or (self.is_group and not goes_on(self.row, joint.row)):
            self._gone = True
        elif (joint.row.token, joint.row.offset) < (self.row.token, self.row.offset):
            return  # it was read before what is known already
        else:
            self.row, self.members = joint
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()

    def check(self) -> None:
        """:raises UploadGone: no file will come of the upload."""
        if self._gone:
            raise gone()
        if self.row.state == State.FAILED:
            outcome = from_row(self.row).outcome
            why = "it failed" if outcome is None or outcome.error is None else outcome.error.detail
            raise UploadGone(f"the upload that is followed has ended: {why}")

    async def file(self) -> tuple[int, int] | None:
        """A descriptor of the file that has the bytes, and where in it they begin.

        ``None`` if it went to its key before it was opened here.
        """
        async with self._opening:
            name, base = files.data_place(self.row)
            # After the end another file could have that name.
            if name not in self._fds and not self.ended:
                work = partial(self._folder.open_to_read, name)
                fd = await open_in_thread(work, _close_if_any, self._pool)
                if fd is not None:
                    self._fds[name] = fd
            return (self._fds[name], base) if name in self._fds else None

    def close(self) -> None:
        """Close the files."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()


def gone() -> UploadGone:
    """What a reader is told whose upload is not there."""
    return UploadGone("the upload that is followed is no more; ask for the file again")


def _close_if_any(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)
