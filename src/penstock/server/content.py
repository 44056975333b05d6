"""The bytes of one stored file for one answer: sent as they are, or worked on block by block."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from penstock.errors import ServerUnavailable, SourceChanged
from penstock.server.services import Services
from penstock.server.wire import Wire, in_page_cache
from penstock.stores.interface import FileInfo, OpenFile, Store
from penstock.stores.pieces import closing
from penstock.threads import in_pool, open_in_thread, to_the_end, use_in_thread

T = TypeVar("T")

_LOOKS: Final = 2
_RETRY_AFTER: Final = 1
BLOCK: Final = 512 << 10
"""Bytes that are worked on by one trip to a thread, and held for it."""


class Content(Protocol):
    """One version of a file."""

    @property
    def info(self) -> FileInfo: ...

    def close(self) -> None:
        """Free what is held of it."""

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        """Send the bytes ``start`` to ``stop`` as they are.

        :raises SourceChanged: they are not there any more.
        """

    async def block(self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor) -> T:
        """What ``work`` makes of the bytes ``start`` to ``stop``, at most ``BLOCK`` of them.

        ``work`` runs in a thread of ``pool``. Raises likewise.
        """

    def each(
        self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor
    ) -> AsyncGenerator[T, None]:
        """The same of each block of a longer span; all have ``BLOCK`` bytes but the last."""


async def open_content(services: Services, key: str) -> Content:
    """The file at ``key``; to be closed.

    :raises NotFound: there is none.
    :raises ServerUnavailable: its bytes cannot be had now.
    """
    local = services.local_files
    if local is None:
        return await _open_stored(services, key)
    file = local.open_cached(key)
    if file is None:
        file = await open_in_thread(partial(local.open_file, key), _close)
    return _Opened(file, file.info)


async def _open_stored(services: Services, key: str) -> Content:
    for _ in range(_LOOKS):
        info = await services.store.stat(key)
        try:
            if services.assures is not None:
                await services.assures.assure(info)
        except SourceChanged:  # it was replaced just now
            continue
        return _Stored(services.store, info)
    raise ServerUnavailable(
        f"{key!r} is replaced again and again; try again later", retry_after=_RETRY_AFTER
    )


def _close(file: OpenFile) -> None:
    file.close()


@dataclass(frozen=True, slots=True)
class _Opened:
    """Of a local store: the kernel sends it."""

    file: OpenFile
    info: FileInfo

    def close(self) -> None:
        self.file.close()

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        await wire.send_file(self.file.fd, start, stop)

    async def block(self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor) -> T:
        fd = self.file.fd
        if not in_page_cache(fd, start, stop):
            # The pool is for the processor: nobody waits for the disk there.
            await use_in_thread(_read, fd, start, stop)
        return await to_the_end(in_pool(pool, _read_and, work, fd, start, stop))

    async def each(
        self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor
    ) -> AsyncGenerator[T, None]:
        for at in range(start, stop, BLOCK):
            yield await self.block(at, min(at + BLOCK, stop), work, pool)


def _read_and(work: Callable[[bytes], T], fd: int, start: int, stop: int) -> T:
    return work(_read(fd, start, stop))


def _read(fd: int, start: int, stop: int) -> bytes:
    data = os.pread(fd, stop - start, start)
    if len(data) != stop - start:
        raise SourceChanged("a file became shorter while it was sent")
    return data


@dataclass(frozen=True, slots=True)
class _Stored:
    """Of a store whose files have no descriptors."""

    store: Store
    info: FileInfo

    def close(self) -> None:
        pass

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        left = stop - start
        async with self._read(start, stop) as pieces:
            async for data in pieces:
                await wire.send(data)
                left -= len(data)
        if left:  # never the end of a body that is too short
            raise SourceChanged(f"{self.info.key} has fewer bytes than it had")

    async def block(self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor) -> T:
        async with self._read(start, stop) as pieces:
            data = b"".join([data async for data in pieces])
        return await in_pool(pool, work, data)

    async def each(
        self, start: int, stop: int, work: Callable[[bytes], T], pool: Executor
    ) -> AsyncGenerator[T, None]:
        async with self._read(start, stop) as pieces, aclosing(_in_blocks(pieces)) as blocks:
            async for data in blocks:
                yield await in_pool(pool, work, data)

    def _read(self, start: int, stop: int) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        return closing(self.store.read(self.info.key, start, stop, etag=self.info.etag))


async def _in_blocks(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    buffer = bytearray()
    async for data in pieces:
        buffer += data
        while len(buffer) >= BLOCK:
            yield bytes(buffer[:BLOCK])
            del buffer[:BLOCK]
    if buffer:
        yield bytes(buffer)
