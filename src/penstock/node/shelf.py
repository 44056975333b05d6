"""The files of a node, and how many bytes they have together."""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from penstock.errors import NotFound
from penstock.node import listing
from penstock.node.arriving import Arriving, free_in, sweep
from penstock.node.book import Book
from penstock.node.changes import Change, Changes
from penstock.stores.interface import NOTHING_KNOWN, Facts, FileInfo, OpenFile
from penstock.stores.local import LocalStore, OpenLocalFile
from penstock.stores.local_writer import etag_of, file_info
from penstock.threads import in_thread, open_in_thread, to_the_end, use_in_thread

CONTENT_TYPE = "application/octet-stream"

_BATCH = 1000
# O_NONBLOCK: opening a named pipe must not hang the thread.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Space(NamedTuple):
    """Bytes of the disk, of it those that are free, and those that the files have."""

    capacity: int
    free: int
    used: int


class Shelf:
    """The files below ``folder``. Belongs to one process and one event loop.

    :meth:`count` comes first.
    """

    def __init__(self, folder: str, engine: Engine, threads: int) -> None:
        """Open it, and sweep away what an earlier process left. Blocks."""
        files, book = Path(folder, "files"), Book(engine)
        self._folder = folder
        self._engine = engine
        self._store = LocalStore(files, book, threads=threads, sha256=False)
        self._book = book
        self._files = os.open(files, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._changes = Changes(self._files, self._store.incoming, book)
        self._pool = ThreadPoolExecutor(threads, "penstock-node")
        sweep(self._store.incoming)

    @property
    def used(self) -> int:
        """Bytes of all files together."""
        return self._changes.used

    async def count(self) -> None:
        """Count the bytes of what is there."""
        self._changes.used = await use_in_thread(listing.bytes_of_all, self._files)

    async def space(self) -> Space:
        """How full the disk is; nothing is free where nothing can be written.

        :meth:`arriving` takes as much as is free.

        :raises OSError: the disk does not answer.
        """
        found = await in_thread(os.statvfs, self._folder)
        free = 0 if found.f_flag & os.ST_RDONLY else free_in(found)
        return Space(found.f_blocks * found.f_frsize, free, self.used)

    @asynccontextmanager
    async def arriving(self, size: int | None) -> AsyncIterator[Arriving]:
        """A new file, of ``size`` bytes if that is known; dropped if it is not kept.

        :raises StorageFull: they do not fit.
        """
        arriving = Arriving(self._pool, self._store.incoming, size)
        try:
            await arriving.begin()
            yield arriving
        finally:
            await arriving.drop()

    async def keep(self, arriving: Arriving, name: str) -> FileInfo:
        """Make what arrived, all of it written, durable, then visible, in one step.

        Once begun it runs to its end, whether anybody waits for it or not.

        :raises StorageFull: there is no space left.
        """
        return await to_the_end(self._keep(arriving, name))

    async def open(self, name: str) -> OpenFile:
        """The file, open; to be closed.

        :raises NotFound: there is none.
        :raises OSError: whether there is one cannot be told, or it cannot be opened.
        """
        if (found := self._store.open_cached(name, facts=False)) is not None:
            return found
        return await open_in_thread(lambda: self._open(name), OpenLocalFile.close)

    async def delete(self, name: str) -> None:
        """Remove a file, durably. Does nothing if there is none."""
        await to_the_end(self._changes.make(Change(name)))

    async def files(self, after: str = "") -> AsyncGenerator[Sequence[FileInfo], None]:
        """All of them behind ``after``, in bytewise order of names, in batches."""
        is_last = False
        while not is_last:
            names = await use_in_thread(listing.names_after, self._files, after, listing.PAGE)
            is_last = len(names) < listing.PAGE
            for first in range(0, len(names), _BATCH):
                yield await use_in_thread(self._described, names[first : first + _BATCH])
            after = names[-1] if names else after

    async def close(self) -> None:
        """Free what is held."""
        await asyncio.to_thread(self._pool.shutdown)
        await self._changes.close()
        await self._store.close()
        os.close(self._files)
        await in_thread(self._engine.dispose)

    async def _keep(self, arriving: Arriving, name: str) -> FileInfo:
        facts = Facts(crc32=arriving.crc32, content_type=CONTENT_TYPE)
        info = await arriving.finish(lambda fd: self._store.finish(fd, name, facts))
        await self._changes.make(Change(name, arriving.name, info))
        arriving.taken()
        return info

    # Below here: in a worker thread.

    def _open(self, name: str) -> OpenLocalFile:
        """Stricter than the store, to which one that it may not open is a missing one: whoever
        hears that here makes a new copy, and removes this one."""
        try:
            fd = os.open(name, _FILE, dir_fd=self._files)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):  # the latter: a symbolic link
                raise NotFound(f"nothing is stored at {name!r}") from None
            raise
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise NotFound(f"no file is stored at {name!r}")
        return OpenLocalFile(fd, file_info(name, status, etag_of(status), NOTHING_KNOWN))

    def _described(self, names: Sequence[str]) -> Sequence[FileInfo]:
        """What is known of those that are still there."""
        found = []
        for name in names:
            try:
                status = os.stat(name, dir_fd=self._files, follow_symlinks=False)
            except FileNotFoundError:
                continue
            found.append((name, status, etag_of(status)))
        facts = self._book.get_many((name, etag) for name, _, etag in found)
        return [
            file_info(name, status, etag, facts.get(name, NOTHING_KNOWN))
            for name, status, etag in found
        ]
