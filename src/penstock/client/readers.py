"""What an upload reads from: a file, a stream, an iterator; hashed in a thread on the way."""

import asyncio
import errno
import fcntl
import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import IO, Protocol, TypeAlias

from penstock.errors import SourceChanged
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread

READ_PIECE = 512 << 10

Path: TypeAlias = str | os.PathLike[str]
Source: TypeAlias = Path | IO[bytes] | AsyncIterable[bytes]


class Reader(Protocol):
    """A source being read once, from its start.

    ``size`` is its length if that is known before; ``digester`` knows everything read so far.
    """

    size: int | None
    digester: Digester

    async def read(self) -> bytes:
        """The next bytes, empty at the end.

        :raises SourceChanged: the source is not what it was when the reading began.
        """

    async def close(self) -> None:
        """Free what the reader holds; the caller's stream stays open."""


class FileReader:
    """One version of a regular file, read one piece ahead of whoever takes the pieces."""

    def __init__(self, path: Path, fd: int, before: os.stat_result) -> None:
        self._path = path
        self._fd = fd
        self._before = before
        self._ahead: asyncio.Task[bytes] | None = None
        self.size: int | None = before.st_size
        self.digester = Digester()

    @classmethod
    async def open(cls, path: Path) -> "FileReader":
        """Open the file at ``path``.

        :raises OSError: it cannot be read.
        """
        return cls(path, *await use_in_thread(_open, path))

    async def read(self) -> bytes:
        task = self._ahead or self._start()
        piece = await task
        self._ahead = self._start() if piece else None
        return piece

    async def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait({self._ahead})
            if not self._ahead.cancelled():
                self._ahead.exception()
        await use_in_thread(os.close, self._fd)

    def _start(self) -> asyncio.Task[bytes]:
        return asyncio.create_task(use_in_thread(self._read))

    def _read(self) -> bytes:
        size = self._before.st_size
        if size and self.digester.size == size:
            return b""
        data = os.read(self._fd, READ_PIECE)
        self.digester.update(data)
        # Before the last piece is out, so that a server never gets all of a file in change.
        cut_short = not data and size
        if cut_short or self.digester.size > size or self._version() != _version(self._before):
            raise SourceChanged(
                f"{os.fspath(self._path)} changed while it was read; "
                "run the command again when it is complete"
            )
        return data

    def _version(self) -> tuple[int, int]:
        return _version(os.fstat(self._fd))


class StreamReader:
    """A binary stream, such as a pipe, read to its end. It can be read once only."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._waits = isinstance(stream, io.RawIOBase) and _is_pollable(stream.fileno())
        if self._waits:
            with suppress(OSError):  # no pipe, or one that may not grow
                fcntl.fcntl(stream.fileno(), fcntl.F_SETPIPE_SZ, READ_PIECE)
        self.size: int | None = None
        self.digester = Digester()

    async def read(self) -> bytes:
        if self._waits:  # so that an interrupt need not wait for the other end of the pipe
            await _readable(self._stream.fileno())
        return await use_in_thread(self._read)

    async def close(self) -> None:
        pass

    def _read(self) -> bytes:
        data = self._stream.read(READ_PIECE)
        self.digester.update(data)
        return data


class IteratorReader:
    """An asynchronous iterator of bytes, read to its end. It can be read once only."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.size: int | None = None
        self.digester = Digester()

    async def read(self) -> bytes:
        async for piece in self._pieces:
            if piece:
                await use_in_thread(self.digester.update, piece)
                return piece
        return b""

    async def close(self) -> None:
        pass


class PipeReader(StreamReader):
    """A pipe or device that is named by a path."""

    @classmethod
    async def open(cls, path: Path) -> "PipeReader":
        """Open the pipe at ``path``; waits until somebody writes to it."""
        return cls(await use_in_thread(open, path, "rb", buffering=0))

    async def close(self) -> None:
        await use_in_thread(self._stream.close)


async def open_reader(source: Source) -> Reader:
    """Begin to read ``source``.

    :raises OSError: it cannot be read.
    """
    if isinstance(source, str | os.PathLike):
        return await (FileReader if await is_file(source) else PipeReader).open(source)
    if isinstance(source, AsyncIterable):
        return IteratorReader(aiter(source))
    return StreamReader(source)


async def is_file(path: Path) -> bool:
    """Whether a regular file is at ``path``: its size is known, and it can be read again.

    :raises OSError: nothing is there, or it is a folder.
    """
    mode = (await use_in_thread(os.stat, path)).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
    return stat.S_ISREG(mode)


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


def _open(path: Path) -> tuple[int, os.stat_result]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    with suppress(OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    return fd, os.fstat(fd)


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _is_pollable(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)


async def _readable(fd: int) -> None:
    """Wait until something, or the end, can be read from ``fd``."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
