"""Files in a folder of this machine.

A write goes to a temporary file in the same file system, is fsynced, recorded in the checksum
book, renamed into place and made durable by an fsync of the folder: at every moment either the
old file is there or the new one. Files that came by other ways are served too; what is known of
a file belongs to one version of it (time, size, inode) and is never trusted for another.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

from penstock.errors import KeyConflict, PreconditionFailed, SourceChanged, StorageFull
from penstock.octets.digests import Digester
from penstock.stores.digesting import Digesting
from penstock.stores.interface import (
    ALWAYS,
    NOTHING_KNOWN,
    ChecksumBook,
    Condition,
    Facts,
    FileInfo,
    Page,
)
from penstock.stores.keys import check_key, check_prefix
from penstock.stores.local_listing import Found, Wanted, walk
from penstock.stores.local_root import Root, not_found
from penstock.stores.local_writer import (
    LocalWriter,
    condition_text,
    etag_of,
    file_info,
    finished,
    publish,
    storage_errors,
)
from penstock.threads import in_thread, open_in_thread, use_in_thread

PIECE = 1 << 20
_BATCH = 1000
_DIGEST_STRETCH = 16 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OpenLocalFile:
    """A descriptor of one version of a file, and what is known of it."""

    fd: int
    info: FileInfo

    def close(self) -> None:
        os.close(self.fd)


class LocalStore:
    """The store over one folder. ``threads`` bounds the writes going on at once."""

    def __init__(
        self, path: Path, book: ChecksumBook, *, threads: int = 16, sha256: bool = True
    ) -> None:
        self._root = Root(path)
        self._book = book
        self._sha256 = sha256
        # Writes have threads of their own, so that a slow fsync never delays a reader.
        self._writing = ThreadPoolExecutor(threads, "penstock-write")
        self._digesting = Digesting(self._digest)
        self.swept = self._root.sweep()

    async def stat(self, key: str) -> FileInfo:
        return await in_thread(self._stat, key)

    def open_file(self, key: str, *, etag: str | None = None, facts: bool = True) -> OpenLocalFile:
        fd, status = self._root.open_file(key)
        try:
            version = etag_of(status)
            if etag is not None and version != etag:
                raise SourceChanged(f"{key!r} changed since this transfer began; start it again")
            known = self._book.get(key, version) if facts else NOTHING_KNOWN
            return OpenLocalFile(fd, file_info(key, status, version, known))
        except BaseException:
            os.close(fd)
            raise

    def open_cached(self, key: str, *, facts: bool = True) -> OpenLocalFile | None:
        opened = self._root.open_cached(key)
        if opened is None:
            return None
        fd, status = opened
        etag = etag_of(status)
        known = self._book.peek(key, etag) if facts else NOTHING_KNOWN
        if known is None:
            os.close(fd)
            return None
        return OpenLocalFile(fd, file_info(key, status, etag, known))

    async def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        opened = await self._open(key, etag)
        try:
            stop = opened.info.size if stop is None else stop
            while start < stop:
                data = await use_in_thread(os.pread, opened.fd, min(PIECE, stop - start), start)
                if not data:
                    raise SourceChanged(f"{key!r} became shorter while it was read")
                start += len(data)
                yield data
        finally:
            opened.close()

    async def write(
        self, key: str, *, size: int | None = None, want_sha256: bool = False
    ) -> LocalWriter:
        check_key(key)
        opened = await open_in_thread(
            partial(self._new_temporary, size), self._drop_temporary, self._writing
        )
        return LocalWriter(
            self._root, self._book, self._writing, key, opened, sha256=self._sha256 or want_sha256
        )

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        wanted = Wanted(check_prefix(prefix), after, delimiter)
        return await in_thread(self._list, wanted, limit)

    async def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        # One walk, resumed batch by batch: no folder is read twice.
        wanted = Wanted(check_prefix(prefix), "", "", empty_folders=folders)
        found = await in_thread(walk, self._root.fd, wanted)
        try:
            while infos := await use_in_thread(self._described, found, _BATCH):
                yield infos
        finally:
            await use_in_thread(found.close)

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> None:
        await asyncio.shield(self._in_writer(self._delete, key, condition))

    async def checksum(self, key: str, *, etag: str | None = None) -> FileInfo:
        opened = await self._open(key, etag)
        opened.close()
        return await self._digesting.of(opened.info)

    @property
    def incoming(self) -> int:
        return self._root.incoming

    def finish(self, fd: int, key: str, facts: Facts) -> FileInfo:
        with storage_errors():
            return finished(fd, check_key(key), facts)

    def adopt(self, name: str, info: FileInfo, condition: Condition) -> None:
        with storage_errors():
            publish(self._root, self._book, (self._root.incoming, name), info, condition)

    async def check(self) -> None:
        await self._in_writer(self._check)

    async def close(self) -> None:
        await self._digesting.close()
        await asyncio.to_thread(self._writing.shutdown)
        self._root.close()

    async def _open(self, key: str, etag: str | None) -> OpenLocalFile:
        return await open_in_thread(partial(self.open_file, key, etag=etag), OpenLocalFile.close)

    def _in_writer(self, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._writing, work, *args)

    # Below here: in a worker thread, but for _digest.

    def _stat(self, key: str) -> FileInfo:
        with self._root.folder_of(key) as (folder, name):
            try:
                status = self._root.status(key, folder, name)
            except KeyConflict:  # a folder or a pipe, not a file
                raise not_found(key) from None
        if status is None:
            raise not_found(key)
        etag = etag_of(status)
        return file_info(key, status, etag, self._book.get(key, etag))

    def _new_temporary(self, size: int | None) -> tuple[str, int]:
        if size is not None:
            free = os.fstatvfs(self._root.tmp)
            if size > free.f_bavail * free.f_frsize:
                raise StorageFull(f"the store has no space for {size:,} bytes; nothing was stored")
        with storage_errors():
            return self._root.new_temporary()

    def _drop_temporary(self, opened: tuple[str, int]) -> None:
        name, fd = opened
        os.unlink(name, dir_fd=self._root.tmp)
        os.close(fd)

    def _list(self, wanted: Wanted, limit: int) -> Page:
        with closing(walk(self._root.fd, wanted)) as found:
            items = list(islice(found, limit + 1))
        more, items = len(items) > limit, items[:limit]
        return Page(
            files=self._described(iter(items), limit),
            prefixes=[key for key, status in items if status is None],
            next=items[-1][0] if more else None,
        )

    def _described(self, found: Iterator[Found], most: int) -> Sequence[FileInfo]:
        """The next files of a walk, with what is known of them."""
        files = [
            (key, status, etag_of(status))
            for key, status in islice(found, most)
            if status is not None
        ]
        facts = self._book.get_many((key, etag) for key, _, etag in files)
        return [
            file_info(key, status, etag, facts.get(key, NOTHING_KNOWN))
            for key, status, etag in files
        ]

    def _delete(self, key: str, condition: Condition) -> None:
        with self._root.exclusive():
            with self._root.folder_of(key) as (folder, name):
                status = self._root.status(key, folder, name)
                if status is None:
                    raise not_found(key)
                if not condition.allows(etag_of(status)):
                    raise PreconditionFailed(condition_text(key, condition), key=key)
                os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            self._root.prune(key)
            # Still locked, or it could drop the facts of a file put there meanwhile.
            self._book.forget(key)

    def _check(self) -> None:
        opened = self._root.new_temporary()
        try:
            with storage_errors():
                os.write(opened[1], b"\0")
        finally:
            self._drop_temporary(opened)

    async def _digest(self, info: FileInfo) -> FileInfo:
        """Read one version of a file and remember its digests."""
        digester = Digester()
        opened = await self._open(info.key, info.etag)
        try:
            while digester.size < info.size:
                await use_in_thread(_digest_stretch, opened.fd, digester, info.size)
            if etag_of(os.fstat(opened.fd)) != info.etag:
                raise SourceChanged(f"{info.key!r} changed while it was read; try again")
        finally:
            opened.close()
        facts = Facts(digester.sha256, digester.crc32, info.content_type)
        await in_thread(self._book.put, info.key, info.etag, facts)
        return info._replace(sha256=digester.sha256, crc32=digester.crc32)


def _digest_stretch(fd: int, digester: Digester, size: int) -> None:
    """Digest the next few MiB; short enough that a cancellation is soon felt."""
    until = min(digester.size + _DIGEST_STRETCH, size)
    while digester.size < until:
        data = os.pread(fd, min(PIECE, until - digester.size), digester.size)
        if not data:
            raise SourceChanged("the file became shorter while it was read; try again")
        digester.update(data)
