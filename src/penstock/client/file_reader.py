"""A local file being sent: read a piece ahead, digested once, and refused when it changes."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeAlias

from penstock.errors import SourceChanged
from penstock.octets.digests import Digester
from penstock.threads import open_in_thread, to_the_end, use_in_thread

READ_PIECE = 512 << 10

Path: TypeAlias = str | os.PathLike[str]
FileVersion: TypeAlias = tuple[int, int, int]
"""Size (bytes), time of change (ns), and which file it is."""


class FileReader:
    """One version of a regular file, or a part of it, read ahead of whoever takes the pieces.

    Offsets count from where the part begins; ``size`` is how many bytes it has. ``digester``
    follows the bytes in their order: what is read again after going back is not digested again,
    and it stands still when bytes are left out. ``version`` is that of the whole file.
    """

    def __init__(
        self, path: Path, fd: int, span: tuple[int, int] | None = None, *, sha256: bool = True
    ) -> None:
        self._path = path
        self._fd = fd
        self.version = _version(fd)
        self._start, end = span or (0, self.version[0])
        self.size: int = end - self._start
        self.digester = Digester(sha256=sha256)
        self._at = 0
        self._stop = self.size
        self._ahead: asyncio.Task[bytes] | None = None
        self._marks: dict[int, str | None] = {}

    @classmethod
    async def open(
        cls, path: Path, span: tuple[int, int] | None = None, *, sha256: bool = True
    ) -> "FileReader":
        """Open the file at ``path``, or the bytes of it that ``span`` (first, end) names.

        ``sha256=False`` leaves the costly digest out.

        :raises OSError: it cannot be read.
        """
        return await open_in_thread(lambda: cls(path, _open(path), span, sha256=sha256), cls._close)

    async def read(self) -> bytes:
        """The next bytes; empty at the end, or where :meth:`go_to` said to stop.

        :raises SourceChanged: the file is not what it was when it was opened.
        """
        task = self._ahead or self._start_reading()
        piece = await task
        self._ahead = self._start_reading() if piece else None
        return piece

    async def go_to(self, offset: int, stop: int | None = None) -> None:
        """Go on reading at ``offset``, up to ``stop`` (the end unless given)."""
        await self._end_reading()
        self._at = offset
        self._stop = self.size if stop is None else stop

    def mark(self, offsets: Iterable[int]) -> None:
        """Keep the SHA-256 of the bytes before each offset, as soon as they are digested."""
        for offset in offsets:
            assert offset >= self.digester.size
            self._marks[offset] = self._sha256() if offset == self.digester.size else None

    async def sha256_at(self, offset: int) -> str:
        """SHA-256 (hex) of what is before a marked offset; reads on if it must."""
        if self.digester.size < offset:
            await self.digest_to(offset)
        told = self._marks[offset]
        assert told is not None
        return told

    async def digest_to(self, offset: int) -> None:
        """Read on, from where the digests are, up to ``offset``."""
        await self.go_to(self.digester.size, offset)
        while await self.read():
            pass

    async def rest(self, offset: int) -> bytes:
        """Everything from ``offset`` on."""
        await self.go_to(offset)
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
        return b"".join(pieces)

    def whole_sha256(self) -> str | None:
        """SHA-256 (hex) of all bytes, if they all have been digested."""
        return sha256_hex(self.digester) if self.digester.size == self.size else None

    def changed(self) -> SourceChanged:
        """The error that says so."""
        return SourceChanged(
            f"{os.fspath(self._path)} changed while it was read; "
            "run the command again when it is complete"
        )

    async def check(self) -> None:
        """Make sure that the file is still the same.

        :raises SourceChanged: it is not.
        """
        await use_in_thread(self._check)

    async def close(self) -> None:
        """Free the file."""
        await self._end_reading()
        await use_in_thread(self._close)

    def _start_reading(self) -> asyncio.Task[bytes]:
        return asyncio.create_task(use_in_thread(self._read))

    async def _end_reading(self) -> None:
        task, self._ahead = self._ahead, None
        if task is None:
            return
        task.cancel()
        await to_the_end(asyncio.wait({task}))
        if not task.cancelled():
            task.exception()

    def _close(self) -> None:
        os.close(self._fd)

    def _read(self) -> bytes:
        stop = min([self._stop, *(mark for mark in self._marks if mark > self._at)])
        wanted = min(READ_PIECE, stop - self._at)
        if wanted <= 0 and self.size:
            return b""
        data = os.pread(self._fd, max(wanted, 1), self._start + self._at)
        # Before the last piece is out, so that a server never gets all of a file in change.
        self._check()
        if (len(data) == 0) != (self.size == 0):
            raise self.changed()
        self._digest(data)
        self._at += len(data)
        return data

    def _digest(self, data: bytes) -> None:
        seen = self.digester.size - self._at
        if not 0 <= seen < len(data):
            return
        self.digester.update(data[seen:] if seen else data)
        if self.digester.size in self._marks:
            self._marks[self.digester.size] = self._sha256()

    def _sha256(self) -> str:
        return sha256_hex(self.digester)

    def _check(self) -> None:
        if _version(self._fd) != self.version:
            raise self.changed()


async def digest_file(path: Path) -> Digester:
    """The digests of a whole file.

    :raises SourceChanged: it changed meanwhile.
    """
    reader = await FileReader.open(path)
    try:
        while await reader.read():
            pass
    finally:
        await reader.close()
    return reader.digester


def sha256_hex(digester: Digester) -> str:
    """SHA-256 (hex) of everything a digester has seen."""
    assert digester.sha256 is not None
    return digester.sha256.hex()


def _open(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    return fd


def _version(fd: int) -> FileVersion:
    status = os.fstat(fd)
    return status.st_size, status.st_mtime_ns, status.st_ino
