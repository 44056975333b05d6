"""Files in a bucket of S3, or of any server that speaks its API.

Keys are the objects' names. S3 has no folders, so a file may stand where others have a folder.
What Penstock knows of a file belongs to one ETag: S3 makes it of the bytes, so equal bytes have
an equal one.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, aclosing
from contextvars import Context

from penstock.errors import PreconditionFailed
from penstock.stores.budget import Budget
from penstock.stores.composing import Blueprint, Composed, Course, Meter, Usage
from penstock.stores.digesting import Digesting, digested
from penstock.stores.interface import (
    ALWAYS,
    NOTHING_KNOWN,
    Checkpoint,
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
from penstock.stores.s3.arrival import S3Arrival
from penstock.stores.s3.calls import Calls, Head
from penstock.stores.s3.client import Client
from penstock.stores.s3.compose.composing import Composition
from penstock.stores.s3.compose.leaving import forsake
from penstock.stores.s3.compose.planning import estimate
from penstock.stores.s3.crc32s import told_crc32
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.direct import S3Direct
from penstock.stores.s3.links import Links
from penstock.stores.s3.metering import metered
from penstock.stores.s3.options import S3Options, place_of
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.parts import LEAST_PART, MIB
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

    copied_from = 16 * MIB
    least_between = LEAST_PART

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
        self.counts = self._client.counts
        calls = Calls(self._client)
        self.links = Links(place, chain, options.public_url)
        self._pool = ThreadPoolExecutor(threads, "penstock-s3")
        self._known = abilities
        self._probing: asyncio.Future[Abilities] | None = None
        self._sweeping: asyncio.Future[None] | None = None
        self._digesting = Digesting(self._digest)
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
        self.direct = S3Direct(self.shared, self.links, self.stat, self._awake)

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

    @property
    def renewal(self) -> float:
        return self.shared.orphans.renewal

    def arrival(
        self, key: str, size: int | None, content_type: str | None, kept: Checkpoint
    ) -> S3Arrival:
        self._awake()
        return S3Arrival(self.shared, key, size, content_type, kept)

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        self._awake()
        check_prefix(prefix)
        with for_caller(prefix):
            return await listing.page_of(self.shared, prefix, after, limit, delimiter)

    async def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        check_prefix(prefix)
        with for_caller(prefix):
            async with aclosing(listing.batches(self.shared, prefix, folders=folders)) as batches:
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
        return await self._digesting.of(info)

    async def presigned(self, key: str, expires: float, *, file_name: str = "") -> str:
        return await self.links.read(self.shared.name_of(key), expires, file_name)

    def direct_url(self, key: str) -> str:
        return self.links.plain(self.shared.name_of(key))

    async def compose(
        self,
        key: str,
        blueprint: Blueprint,
        course: Course,
        *,
        content_type: str,
        condition: Condition = ALWAYS,
        tags: Mapping[str, str] | None = None,
    ) -> Composed:
        self._awake()
        with for_caller(key):
            composition = Composition(
                self.shared,
                key,
                blueprint,
                course,
                content_type=content_type,
                condition=condition,
                tags=tags or {},
            )
            return await composition.run()

    async def forsake(self, key: str, kept: Checkpoint) -> None:
        with for_caller(key):
            await forsake(self.shared, key, kept)

    async def estimate(self, blueprint: Blueprint) -> tuple[int, Usage]:
        with for_caller(""):
            return await estimate(self.shared, blueprint)

    async def crc32(self, key: str, etag: str) -> int | None:
        with for_caller(key):
            return await told_crc32(self.shared.calls, self.shared.name_of(key), etag)

    async def remember(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        await in_thread(self.shared.book.put_crc32s, crc32s)

    def metered(self) -> AbstractContextManager[Meter]:
        return metered(self.shared.budget)

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
        await self._digesting.close()
        working = [task for task in (self._probing, self._sweeping) if task is not None]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await self._client.close()
        await asyncio.to_thread(self._pool.shutdown)

    def _awake(self) -> None:
        """Begin to sweep, now that there is a loop; who is anonymous has nothing to sweep."""
        if self._sweeping is None and not self.shared.options.anonymous:
            # On nobody's account: who is metered now does not use what is swept later.
            sweeping = self.shared.orphans.sweep_on()
            self._sweeping = asyncio.get_running_loop().create_task(sweeping, context=Context())

    async def _info(self, key: str, head: Head) -> FileInfo:
        book = self.shared.book
        known = book.peek(key, head.etag)
        if known is None:
            known = await in_thread(book.get, key, head.etag)
        told = Facts(head.sha256, head.crc32, head.content_type)
        if known == NOTHING_KNOWN:
            known = told
        elif head.write is None:
            # Stored past us since, with the same bytes: what it is said to be is its own.
            known = known._replace(content_type=told.content_type)
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
        digester = await digested(self.read(info.key, etag=info.etag), self._pool)
        facts = Facts(digester.sha256, digester.crc32, info.content_type)
        await in_thread(self.shared.book.put, info.key, info.etag, facts)
        return info._replace(sha256=digester.sha256, crc32=digester.crc32)
