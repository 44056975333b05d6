"""A file on its way into a local store."""

import asyncio
import errno
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Self, TypeVar

from penstock.errors import PenstockError, PreconditionFailed, StorageFull
from penstock.octets.digests import Digester
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

BATCH = 1 << 20
"""Bytes gathered before a thread digests and writes them; two batches are in memory at most."""

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
        self._batch: list[bytes] = []
        self._batch_size = 0
        self._writing: asyncio.Future[None] | None = None
        self._open = True

    async def write(self, data: bytes) -> None:
        self._batch.append(data)
        self._batch_size += len(data)
        if self._batch_size >= BATCH:
            await self._hand_over()

    async def checksum(self) -> Checksum:
        await self._drain()
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
        if self._writing is not None:
            with suppress(PenstockError, OSError):
                await asyncio.shield(self._writing)
        await asyncio.shield(self._run(self._discard))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()

    def _run(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def _hand_over(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)
        batch, self._batch, self._batch_size = self._batch, [], 0
        self._writing = self._run(partial(self._write_batch, batch))

    async def _drain(self) -> None:
        await self._hand_over()
        assert self._writing is not None
        await asyncio.shield(self._writing)

    # Below here: in a worker thread.

    def _write_batch(self, batch: list[bytes]) -> None:
        for data in batch:
            self._digester.update(data)
        with storage_errors():
            for at in range(0, len(batch), _IOV_MAX):
                write_all(self._fd, batch[at : at + _IOV_MAX])

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
        now = _unique_time()
        os.utime(self._fd, ns=(now, now))
        os.fsync(self._fd)
        status = os.fstat(self._fd)
        info = file_info(key, status, etag_of(status), facts)
        with (
            self._root.exclusive(),
            self._root.folder_of(key, create=True) as (folder, name),
        ):
            current = self._root.status(key, folder, name)
            current_etag = etag_of(current) if current else None
            if not condition.allows(current_etag):
                raise PreconditionFailed(condition_text(key, condition), key=key)
            # The facts go first: they name a version that nobody can see yet, so a crash in
            # between leaves the old file with its own facts.
            self._book.put(key, info.etag, facts, replaces=current_etag)
            os.rename(self._temporary, name, src_dir_fd=self._root.tmp, dst_dir_fd=folder)
            os.fsync(folder)
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


def write_all(fd: int, buffers: list[bytes]) -> None:
    """``writev`` until every byte is written."""
    views = [memoryview(buffer) for buffer in buffers]
    while views:
        written = os.writev(fd, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def etag_of(status: os.stat_result) -> str:
    """The version of a local file: its time, size and inode."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def file_info(key: str, status: os.stat_result, etag: str, facts: Facts) -> FileInfo:
    """What a file's status and the checksum book say of it."""
    return FileInfo(
        key,
        status.st_size,
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
