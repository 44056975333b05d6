"""What an upload reads from: a file, a stream, an iterator; digested in a thread on the way."""

import asyncio
import errno
import fcntl
import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from typing import IO, Protocol, TypeAlias

from penstock.client.file_reader import READ_PIECE, FileReader, Path
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread

Source: TypeAlias = Path | IO[bytes] | AsyncIterable[bytes]


class Reader(Protocol):
    """A source being read once, from its start.

    ``size`` is its length if that is known before; ``digester`` knows everything read so far.
    """

    @property
    def size(self) -> int | None: ...

    @property
    def digester(self) -> Digester: ...

    async def read(self) -> bytes:
        """The next bytes, empty at the end.

        :raises SourceChanged: a file is not what it was when the reading began.
        """

    async def close(self) -> None:
        """Free what the reader holds; the caller's stream stays open."""


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
        self._rest = memoryview(b"")
        self.size: int | None = None
        self.digester = Digester()

    async def read(self) -> bytes:
        while not self._rest:
            try:
                self._rest = memoryview(await anext(self._pieces))
            except StopAsyncIteration:
                return b""
        piece, self._rest = bytes(self._rest[:READ_PIECE]), self._rest[READ_PIECE:]
        await use_in_thread(self.digester.update, piece)
        return piece

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
