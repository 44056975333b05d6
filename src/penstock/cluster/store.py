"""Files in parts on storage nodes; the catalog knows which node has which part.

There are no folders, so a file may stand where others have a folder. A version's ETag is its id:
no two versions share one, whatever their bytes.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from penstock.cluster.arrival import LEASE, ClusterArrival
from penstock.cluster.placement import RESERVE
from penstock.cluster.reading import Reads
from penstock.cluster.shared import Shared
from penstock.cluster.trouble import gone
from penstock.cluster.writer import ClusterWriter
from penstock.errors import StorageFull, Superseded
from penstock.stores.digesting import Digesting, digested
from penstock.stores.interface import (
    ALWAYS,
    Checkpoint,
    Condition,
    FileInfo,
    Page,
)
from penstock.stores.keys import check_key, check_prefix
from penstock.threads import to_the_end

_BATCH: Final = 1000
"""Files that a scan asks the catalog for at once."""


class ClusterStore:
    """The store over the nodes of one cluster; it belongs to one event loop.

    What it writes and reads with is closed with it, but not who keeps the list of nodes.
    """

    renewal = LEASE / 4

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._reads = Reads(shared)
        self._digesting = Digesting(self._digest)

    @property
    def waiting_bytes(self) -> int:
        """Room taken in memory by what is on its way to the nodes."""
        return self.shared.budget.used

    async def stat(self, key: str) -> FileInfo:
        return await self.shared.files.stat(check_key(key))

    async def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        info = await (self.stat(key) if etag is None else self._version(key, etag))
        stop = info.size if stop is None else min(stop, info.size)
        if start >= stop:
            return
        whole = info.sha256 if (start, stop) == (0, info.size) else None
        pieces = self._reads.read(key, info.etag, info.size, start, stop, whole)
        async with aclosing(pieces):
            async for data in pieces:
                yield data

    async def admit(self, size: int | None) -> None:
        """See whether a file of ``size`` bytes (``None``: nobody knows) can be stored now.

        :raises Busy: too few nodes are live.
        :raises StorageFull: they have no room for it.
        """
        live = await self.shared.members.writable()
        if size is not None and size > sum(max(0, node.free - RESERVE) for node in live):
            raise StorageFull(
                "the storage nodes have no room for the file; add a node or remove files"
            )

    async def write(
        self, key: str, *, size: int | None = None, want_sha256: bool = False
    ) -> ClusterWriter:
        check_key(key)
        await self.admit(size)
        sha256 = self.shared.sha256 or want_sha256
        return ClusterWriter(self.shared, key, size, sha256=sha256)

    def arrival(
        self, key: str, size: int | None, content_type: str | None, kept: Checkpoint
    ) -> ClusterArrival:
        return ClusterArrival(self.shared, key, size, content_type, kept)

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        return await self.shared.files.page(check_prefix(prefix), after, limit, delimiter)

    async def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        check_prefix(prefix)
        after = ""
        while infos := await self.shared.files.batches(prefix, after, _BATCH):
            yield infos
            after = infos[-1].key

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> None:
        await self.shared.files.delete(check_key(key), condition, self.shared.options.grace)

    async def checksum(self, key: str, *, etag: str | None = None) -> FileInfo:
        info = await self.stat(key)
        if etag is not None and info.etag != etag:
            raise gone(key)
        return await self._digesting.of(info)

    async def assure(self, info: FileInfo) -> None:
        await self._reads.assure(info)

    async def assure_all(self, infos: Sequence[FileInfo]) -> None:
        await self._reads.assure_all(infos)

    async def check(self) -> None:
        await self.shared.members.writable()

    async def close(self) -> None:
        await self._digesting.close()
        await self._reads.close()
        await self.shared.client.close()
        await asyncio.to_thread(self.shared.pool.shutdown)

    async def _version(self, key: str, etag: str) -> FileInfo:
        """The version that is asked for; one that was replaced or deleted as long as it is kept."""
        try:
            made = await self.shared.files.made(etag)
        except Superseded:
            made = None
        if made is None or made[0].key != check_key(key):
            await self.stat(key)  # which says so if nothing is stored there
            raise gone(key)
        return made[0]

    async def _digest(self, info: FileInfo) -> FileInfo:
        """Read one version and remember its digests."""
        digester = await digested(self.read(info.key, etag=info.etag), self.shared.pool)
        sha256 = digester.sha256
        assert sha256 is not None
        await to_the_end(self.shared.files.know(info.etag, sha256, digester.crc32))
        return info._replace(sha256=sha256, crc32=digester.crc32)
