"""A file on its way into S3."""

from collections.abc import Mapping
from functools import partial
from typing import Self
from uuid import uuid4

from penstock.errors import BadRequest, PenstockError
from penstock.octets.digests import Digester
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.batches import Batches
from penstock.stores.interface import ALWAYS, Checksum, Condition, Facts, FileInfo
from penstock.stores.s3.integrity import Integrity, integrity_of
from penstock.stores.s3.multipart import Multipart, expected_etag, integrity_fields
from penstock.stores.s3.parts import part_size, spans
from penstock.stores.s3.publishing import Publishing, fields_of
from penstock.stores.s3.shared import Shared, for_caller
from penstock.threads import in_pool, to_the_end


class S3Writer:
    """Sends a file of known length part by part while it comes in; keeps others until the commit.

    Up to one part's length, and where nobody told the length, the bytes wait in a spool: then
    one request, or one multipart upload, has everything that is known of the file. ``token`` names
    the write, where somebody wrote the name down before.
    """

    def __init__(
        self, shared: Shared, key: str, size: int | None, *, sha256: bool, token: str = ""
    ) -> None:
        self._shared = shared
        self._key = key
        self._part = part_size(shared.options.part_size, size or 0)
        self._streams = size is not None and size > self._part
        self._digester = Digester(sha256=sha256)
        self._batches = Batches(shared.pool, self._digest)
        self._spool = shared.spool()
        self._first = b""
        self._multipart: Multipart | None = None
        self._token = token or uuid4().hex
        self._open = True

    async def write(self, data: bytes) -> None:
        with for_caller(self._key):
            if self._multipart is not None:
                await self._multipart.renew()
            await self._batches.put(data)
            if len(self._first) < FIRST:
                self._first += data[: FIRST - len(self._first)]
            if not self._streams:
                await self._spool.append(data)
                return
            view = memoryview(data)
            while view:
                if self._spool.size == self._part:
                    await self._send_spool(await self._begun())
                taken = view[: self._part - self._spool.size]
                await self._spool.append(taken)
                view = view[len(taken) :]

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
        key = self._key if key is None else key
        name = self._shared.name_of(key)
        if self._multipart is not None and key != self._key:
            raise BadRequest("a large file whose length was told is stored at the key it was told")
        facts = Facts(*await self.checksum(), content_type or self._told_by_bytes(key))
        with for_caller(key):
            await self._spool.seal()
            await self._stage(name, facts)
            # Once begun it runs to its end, or the file might become visible after an abort.
            self._open = False
            return await to_the_end(self._publish(key, facts, condition))

    async def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        await to_the_end(self._drop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()

    def _digest(self, batch: list[bytes]) -> None:
        """In a worker thread."""
        for data in batch:
            self._digester.update(data)

    def _told_by_bytes(self, key: str) -> str | None:
        return content_type_of_bytes(self._first, key)

    async def _begun(self) -> Multipart:
        if self._multipart is None:
            # Its SHA-256, and the type that the sender gives it, are told when it is here.
            facts = Facts(content_type=self._told_by_bytes(self._key))
            name, fields = self._shared.name_of(self._key), fields_of(self._token, facts)
            self._multipart = await Multipart.begin(self._shared, name, fields)
        return self._multipart

    async def _send_spool(self, multipart: Multipart) -> None:
        await self._spool.seal()
        full, self._spool = self._spool, self._shared.spool()
        await multipart.send(full, 0, full.size, last_of_spool=True)

    async def _stage(self, name: str, facts: Facts) -> None:
        """Have everything in S3 but the last step, if that takes more than one request."""
        if self._multipart is not None:
            if self._spool.size:
                await self._send_spool(self._multipart)
            await self._multipart.sent()
            return
        size = self._spool.size
        part = part_size(self._shared.options.part_size, size)
        if size <= part:
            return
        self._multipart = await Multipart.begin(self._shared, name, fields_of(self._token, facts))
        for start, stop in spans(size, part):
            await self._multipart.send(self._spool, start, stop, last_of_spool=False)
        await self._multipart.sent()

    async def _publish(self, key: str, facts: Facts, condition: Condition) -> FileInfo:
        publishing = Publishing(self._shared, key, self._token, self._digester.size)
        step = partial(self._last_step, publishing, self._shared.name_of(key), facts)
        stored = False
        try:
            head = await publishing.run(step, condition, multipart=bool(self._multipart))
            stored = True
        finally:
            self._spool.close()
            if self._multipart is not None:
                await (self._multipart.completed() if stored else self._multipart.abort())
        return await publishing.noted(head, facts)

    async def _last_step(
        self, publishing: Publishing, name: str, facts: Facts, guard: Mapping[str, str]
    ) -> str:
        if self._multipart is not None:
            whole = Integrity(self._digester.crc32, None)
            return await self._multipart.complete(guard, whole, self._digester.size)
        summed = (await self._shared.abilities()).crc32
        size = self._spool.size
        if size != self._digester.size:
            raise PenstockError("a part of the file went missing; store it again")
        integrity = Integrity(self._digester.crc32, None)
        if not summed:
            work = partial(integrity_of, self._spool.pread, 0, size, md5=True)
            integrity = await to_the_end(in_pool(self._shared.pool, work))
        headers = {**fields_of(self._token, facts), **integrity_fields(integrity), **guard}
        body = partial(self._spool.read, 0, size) if size else b""
        publishing.etag = await expected_etag(self._shared, integrity, part=False)
        return await self._shared.calls.put(name, headers, body, size, etag=publishing.etag)

    async def _drop(self) -> None:
        await self._batches.stop()
        if self._multipart is not None:
            await self._multipart.abort()
        self._spool.close()
