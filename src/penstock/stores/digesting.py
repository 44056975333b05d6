"""The digests of stored files of which nobody took them, found out by reading the files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any

from penstock.octets.digests import Digester
from penstock.stores.batches import Batches
from penstock.stores.interface import FileInfo
from penstock.stores.pieces import closing


class Digesting:
    """Has each version read once, however many ask; belongs to one event loop.

    ``digest`` reads one. It runs as a task of its own, so that the first asker leaving does not
    fail the others.
    """

    def __init__(self, digest: Callable[[FileInfo], Coroutine[Any, Any, FileInfo]]) -> None:
        self._digest = digest
        self._working: dict[tuple[str, str], asyncio.Task[FileInfo]] = {}

    async def of(self, info: FileInfo) -> FileInfo:
        """The same, with the digests certainly there; raises what ``digest`` raised."""
        if info.sha256 is not None and info.crc32 is not None:
            return info
        version = (info.key, info.etag)
        work = self._working.get(version)
        if work is None:
            work = self._working[version] = asyncio.create_task(self._digest(info))
            work.add_done_callback(lambda _: self._working.pop(version))
        return await asyncio.shield(work)

    async def close(self) -> None:
        """End all reading."""
        working = list(self._working.values())
        for work in working:
            work.cancel()
        await asyncio.gather(*working, return_exceptions=True)


async def digested(pieces: AsyncIterator[bytes], pool: Executor) -> Digester:
    """What has seen all of a file, in threads of ``pool``; raises what reading it raises."""
    digester = Digester()

    def take(batch: list[bytes]) -> None:
        for data in batch:
            digester.update(data)

    batches = Batches(pool, take)
    try:
        async with closing(pieces):
            async for data in pieces:
                await batches.put(data)
        await batches.drain()
    finally:
        await batches.stop()
    return digester
