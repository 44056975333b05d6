"""Files in a bucket of S3, or of any server that speaks its API.

Keys are the objects' names. S3 has no folders, so a file may stand where others have a folder.
What Penstock knows of a file belongs to one ETag: S3 makes it of the bytes, so equal bytes have
an equal one.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from penstock.errors import PreconditionFailed
from penstock.octets.digests import Digester
from penstock.stores.batches import Batches
from penstock.stores.interface import (
    ALWAYS,
    NOTHING_KNOWN,
    Capabilities,
    ChecksumBook,
    Condition,
    Facts,
    FileInfo,
    Page,
)
from penstock.stores.keys import RESERVED, check_prefix
from penstock.stores.local_writer import condition_text
from penstock.stores.s3 import guarding, listing, reading
from penstock.stores.s3.abilities import Abilities, probe
from penstock.stores.s3.budget import Budget
from penstock.stores.s3.calls import Calls, Head
from penstock.stores.s3.client import Client
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.options import S3Options, place_of
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.shared import Shared, for_caller
from penstock.stores.s3.trouble import changed
from penstock.stores.s3.writer import S3Writer
from penstock.threads import in_thread


class S3Store:
    """The store over one bucket, or over what begins with one prefix in it.

    ``folder`` is where bytes wait that find no room in memory. ``abilities`` are found out before
    the first write if they are not given. Nothing is asked of S3 before the first use; opening
    reads the AWS configuration, so it blocks.

    :raises BadRequest: the URL or an option cannot be.
    :raises MissingExtra: the extra ``s3`` is not installed.
    """

    capabilities = Capabilities(atomic_replace=True)

    def __init__(
        self,
        url: str,
        book: ChecksumBook,
        options: S3Options | None = None,
        *,
        threads: int = 16,
        sha256: bool = True,
        folder: str = "",
        abilities: Abilities | None = None,
    ) -> None:
        options = options or S3Options()
        chain = Chain(options.credentials, anonymous=options.anonymous)
        place = place_of(url, options, chain.profile)
        self._client = Client(place, chain, options.tries)
        self.pace, self.retries = self._client.pace, self._client.retries
        calls = Calls(self._client)
        self._pool = ThreadPoolExecutor(threads, "penstock-s3")
        self._known = abilities
        self._probing: asyncio.Future[Abilities] | None = None
        self._sweeping: asyncio.Future[None] | None = None
        self._digesting: dict[tuple[str, str], asyncio.Future[FileInfo]] = {}
        self._sha256 = sha256
        self.shared = Shared(
            place,
            options,
            calls,
            book,
            self._pool,
            Budget(options.memory),
            Orphans(calls, place.prefix, options.orphan_age),
            folder,
            self.abilities,
        )

    async def abilities(self) -> Abilities:
        """What the server can do; tried once, with an object of our own.

        :raises Refused: nothing can be written there.
        :raises Broken: the server cannot be reached.
        """
        if self._known is None:
            if self._probing is None or self._probing.done():
                folder = f"{self.shared.place.prefix}{RESERVED}/"
                self._probing = asyncio.ensure_future(probe(self.shared.calls, folder))
            self._known = await asyncio.shield(self._probing)
        return self._known

    @property
    def waiting_bytes(self) -> int:
        """Room taken in memory by what is on its way to S3."""
        return self.shared.budget.used

    async def stat(self, key: str) -> FileInfo:
        self._awake()
        name = self.shared.name_of(key)
        with for_caller(key):
            return await self._info(key, await self.shared.calls.head(name))

    async def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        name = self.shared.name_of(key)
        with for_caller(key):
            if stop is not None and start >= stop:
                head = await self.shared.calls.head(name)
                if etag is not None and head.etag != etag:
                    raise changed(key)
                return
            pieces = reading.read(self._client, name, key, start, stop, etag)
            async with aclosing(pieces):
                async for data in pieces:
                    yield data

    async def write(
        self, key: str, *, size: int | None = None, want_sha256: bool = False
    ) -> S3Writer:
        self._awake()
        self.shared.name_of(key)
        return S3Writer(self.shared, key, size, sha256=self._sha256 or want_sha256)

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        self._awake()
        check_prefix(prefix)
        with for_caller(prefix):
            return await listing.page_of(self.shared, prefix, after, limit, delimiter)

    async def scan(self, prefix: str = "") -> AsyncGenerator[Sequence[FileInfo], None]:
        check_prefix(prefix)
        with for_caller(prefix):
            async with aclosing(listing.batches(self.shared, prefix)) as batches:
                async for infos in batches:
                    yield infos

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> None:
        name = self.shared.name_of(key)
        with for_caller(key):
            async with self.shared.turns.at(key):
                etag = (await self.shared.calls.head(name)).etag
                if not condition.allows(etag):
                    raise PreconditionFailed(condition_text(key, condition), key=key)
                obeys = condition != ALWAYS and (await self.abilities()).delete_if_match
                fields = {"If-Match": f'"{etag}"'} if obeys else {}
                await guarding.delete(self.shared, name, fields)
                await in_thread(self.shared.book.forget, key)

    async def checksum(self, key: str, *, etag: str | None = None) -> FileInfo:
        info = await self.stat(key)
        if etag is not None and info.etag != etag:
            raise changed(key)
        if info.sha256 is not None and info.crc32 is not None:
            return info
        work = self._digesting.get((key, info.etag))
        if work is None:
            # One reader however many ask, in a task of its own, as in the local store.
            work = asyncio.ensure_future(self._digest(info))
            self._digesting[key, info.etag] = work
            work.add_done_callback(lambda _: self._digesting.pop((key, info.etag)))
        return await asyncio.shield(work)

    async def sweep(self) -> int:
        """Abort multipart uploads of ours that nobody ended; answers how many there were.

        It is done by itself too, after the first use and every hour.
        """
        with for_caller(""):
            return await self.shared.orphans.sweep()

    async def check(self) -> None:
        self._awake()
        with for_caller(""):
            await self.shared.calls.list(self.shared.place.prefix, limit=1)

    async def close(self) -> None:
        tasks = [self._probing, self._sweeping, *self._digesting.values()]
        working = [task for task in tasks if task is not None]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self._client.close()
        await asyncio.to_thread(self._pool.shutdown)

    def _awake(self) -> None:
        """Begin to sweep, now that there is a loop; who is anonymous has nothing to sweep."""
        if self._sweeping is None and not self.shared.options.anonymous:
            self._sweeping = asyncio.ensure_future(self.shared.orphans.sweep_on())

    async def _info(self, key: str, head: Head) -> FileInfo:
        book = self.shared.book
        known = book.peek(key, head.etag)
        if known is None:
            known = await in_thread(book.get, key, head.etag)
        told = Facts(head.sha256, head.crc32, head.content_type)
        if known == NOTHING_KNOWN:
            known = told
        return FileInfo(
            key,
            head.size,
            head.modified_ns,
            head.etag,
            known.content_type,
            known.sha256 or told.sha256,
            told.crc32 if known.crc32 is None else known.crc32,
        )

    async def _digest(self, info: FileInfo) -> FileInfo:
        """Read one version of a file and remember its digests."""
        digester = Digester()

        def take(batch: list[bytes]) -> None:
            for data in batch:
                digester.update(data)

        batches = Batches(self._pool, take)
        try:
            async for data in self.read(info.key, etag=info.etag):
                await batches.put(data)
            await batches.drain()
        finally:
            await batches.stop()
        facts = Facts(digester.sha256, digester.crc32, info.content_type)
        await in_thread(self.shared.book.put, info.key, info.etag, facts)
        return info._replace(sha256=digester.sha256, crc32=digester.crc32)
