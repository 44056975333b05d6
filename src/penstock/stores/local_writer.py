"""A file on its way into a local store."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar

from penstock.errors import PreconditionFailed, StorageFull
from penstock.octets.digests import Digester
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.batches import Batches
from penstock.stores.interface import (
    ALWAYS,
    Checksum,
    ChecksumBook,
    Condition,
    Facts,
    FileInfo,
)
from penstock.stores.keys import check_key
from penstock.stores.local_root import Root
from penstock.threads import to_the_end

_IOV_MAX = 1024
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

T = TypeVar("T")


class LocalWriter:
    """Gathers batches in the event loop; a worker thread digests and writes them in order."""

    def __init__(
        self,
        root: Root,
        book: ChecksumBook,
        pool: Executor,
        key: str,
        opened: tuple[str, int],
        *,
        sha256: bool,
    ) -> None:
        self._root = root
        self._book = book
        self._pool = pool
        self._key = key
        self._temporary, self._fd = opened
        self._digester = Digester(sha256=sha256)
        self._batches = Batches(pool, self._write_batch)
        self._open = True

    async def write(self, data: bytes) -> None:
        await self._batches.put(data)

    async def checksum(self) -> Checksum:
        await self._batches.drain()
        return Checksum(self._digester.sha256, self._digester.crc32)

    async def commit(
        self,
        key: str | None = None,
        *,
        content_type: str | None = None,
        condition: Condition = ALWAYS,
    ) -> FileInfo:
        checksum = await self.checksum()
        key = check_key(self._key if key is None else key)
        # Once begun it runs to its end, or the file might become visible after an abort.
        self._open = False
        work = self._run(partial(self._commit, key, Facts(*checksum, content_type), condition))
        return await asyncio.shield(work)

    async def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        await to_the_end(self._drop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _drop(self) -> None:
        await self._batches.stop()
        await self._run(self._discard)

    # Below here: in a worker thread.

    def _write_batch(self, batch: list[bytes]) -> None:
        at = self._digester.size
        for data in batch:
            self._digester.update(data)
        with storage_errors():
            write_all(self._fd, batch, at)

    def _commit(self, key: str, facts: Facts, condition: Condition) -> FileInfo:
        try:
            with storage_errors():
                info = self._publish(key, facts, condition)
        except BaseException:
            self._discard()
            raise
        os.close(self._fd)
        return info

    def _publish(self, key: str, facts: Facts, condition: Condition) -> FileInfo:
        info = finished(self._fd, key, facts)
        publish(self._root, self._book, (self._root.tmp, self._temporary), info, condition)
        return info

    def _discard(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._temporary, dir_fd=self._root.tmp)
        os.close(self._fd)


class storage_errors:  # noqa: N801 - used like contextlib.suppress
    """Turns the operating system's "no space" into :class:`StorageFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise StorageFull("the store has no space left; nothing was stored") from error


def finished(fd: int, key: str, facts: Facts) -> FileInfo:
    """Make a written file durable under a time of its own; answers what it will be at ``key``.

    A content type that nobody gave is told by the first bytes.
    """
    if facts.content_type is None:
        sniffed = content_type_of_bytes(os.pread(fd, FIRST, 0), key)
        facts = facts._replace(content_type=sniffed)
    now = _unique_time()
    os.utime(fd, ns=(now, now))
    os.fsync(fd)
    status = os.fstat(fd)
    return file_info(key, status, etag_of(status), facts)


def publish(
    root: Root, book: ChecksumBook, source: tuple[int, str], info: FileInfo, condition: Condition
) -> None:
    """Move a finished file, named by folder and name, to its key.

    :raises PreconditionFailed: ``condition`` does not hold at this moment.
    :raises KeyConflict: a folder stands at the key, or a file where a folder is needed.
    """
    folder_of_source, name_of_source = source
    facts = Facts(info.sha256, info.crc32, info.content_type)
    with root.exclusive(), root.folder_of(info.key, create=True) as (folder, name):
        current = root.status(info.key, folder, name)
        current_etag = etag_of(current) if current else None
        if not condition.allows(current_etag):
            raise PreconditionFailed(condition_text(info.key, condition), key=info.key)
        # The facts go first: they name a version that nobody can see yet, so a crash in
        # between leaves the old file with its own facts.
        book.put(info.key, info.etag, facts, replaces=current_etag)
        os.rename(name_of_source, name, src_dir_fd=folder_of_source, dst_dir_fd=folder)
        os.fsync(folder)


def write_all(fd: int, buffers: Sequence[bytes | memoryview], at: int) -> None:
    """``pwritev`` from the offset ``at`` until every byte is written."""
    for first in range(0, len(buffers), _IOV_MAX):
        views = [memoryview(buffer) for buffer in buffers[first : first + _IOV_MAX]]
        while views:
            written = os.pwritev(fd, views, at)
            at += written
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if written:
                views[0] = views[0][written:]


def etag_of(status: os.stat_result) -> str:
    """The version of a local file: its time, size and inode."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def file_info(key: str, status: os.stat_result, etag: str, facts: Facts) -> FileInfo:
    """What a file's status and the checksum book say of it, or an empty folder's status."""
    return FileInfo(
        key,
        0 if key.endswith("/") else status.st_size,
        status.st_mtime_ns,
        etag,
        facts.content_type,
        facts.sha256,
        facts.crc32,
    )


def condition_text(key: str, condition: Condition) -> str:
    """Why a write was refused, and what to do."""
    if condition.absent:
        return f"{key!r} exists already; choose another key or drop If-None-Match"
    return f"{key!r} is not the version named in If-Match; fetch its current ETag and try again"


_clock_lock = threading.Lock()
_last_time = 0


def _unique_time() -> int:
    """Now in nanoseconds, never the same twice.

    A new file may get the inode of one just replaced; were the times equal as well (the kernel
    stamps by the clock tick), two versions would share an etag.
    """
    global _last_time
    with _clock_lock:
        _last_time = max(time.time_ns(), _last_time + 1)
        return _last_time
