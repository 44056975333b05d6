"""A multipart upload: parts are sent side by side, and become an object at once or never."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, Protocol

from isal.isal_zlib import crc32_combine

from penstock.errors import PenstockError, TooLarge
from penstock.stores.s3.abilities import FULL_OBJECT, WITH_CRC32
from penstock.stores.s3.documents import Part
from penstock.stores.s3.integrity import Integrity, integrity_of
from penstock.stores.s3.parts import MOST_PARTS
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.signing import encoded
from penstock.stores.s3.trouble import Broken, Refused
from penstock.stores.spool import Spool
from penstock.threads import in_pool, to_the_end

_AT_ONCE: Final = 3

_log = logging.getLogger("penstock.stores.s3")


class Source(Protocol):
    """Bytes that can be had as often as is asked."""

    def pread(self, start: int, stop: int) -> bytes | memoryview:
        """The bytes of a span of some MiB at most. Blocks: in a worker thread."""

    def read(self, start: int, stop: int) -> AsyncIterator[memoryview]:
        """The bytes of a span in small pieces."""


class Begun(NamedTuple):
    """What is to be known of an upload by whoever goes on with it: its id in S3, its note, and
    whether S3 takes the CRC-32 of the whole."""

    upload: str
    note: str
    summed: bool


class Multipart:
    """One upload of the object ``name``; to be completed or aborted."""

    def __init__(self, shared: Shared, name: str, begun: Begun) -> None:
        self._shared = shared
        self._name = name
        self.begun = begun
        self._upload, self._note, self._summed = begun
        self._noted = time.monotonic()
        self._number = 0
        self._parts: dict[int, Part] = {}
        self._sizes: dict[int, int] = {}
        self._crc32s: dict[int, int] = {}
        """Of the bytes here that parts were seen to have."""
        self._running: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None

    @classmethod
    async def begin(cls, shared: Shared, name: str, headers: Mapping[str, str]) -> "Multipart":
        """Create the upload; ``headers`` are those of the object to be.

        Who is cancelled meanwhile leaves none: only its creator knows of it, until it is noted.
        """
        work = asyncio.ensure_future(cls._begin(shared, name, headers))
        try:
            return await to_the_end(work)
        except asyncio.CancelledError:
            if not work.cancelled() and work.exception() is None:
                await to_the_end(work.result().abort())
            raise

    @classmethod
    async def _begin(cls, shared: Shared, name: str, headers: Mapping[str, str]) -> "Multipart":
        summed = (await shared.abilities()).crc32_of_multipart
        upload = await shared.calls.create(name, {**headers, **(WITH_CRC32 if summed else {})})
        try:
            note = await shared.orphans.note(name, upload)
        except BaseException:
            await to_the_end(abort(shared, name, upload))
            raise
        return cls(shared, name, Begun(upload, note, summed))

    @classmethod
    async def found(cls, shared: Shared, name: str, begun: Begun) -> "Multipart":
        """An upload that another process began, with the parts that S3 has."""
        multipart = cls(shared, name, begun)
        multipart._noted = -math.inf
        for listed in await shared.calls.list_parts(name, begun.upload):
            part = Part(listed.number, listed.etag, listed.crc32)
            multipart._parts[listed.number] = part
            multipart._sizes[listed.number] = listed.size
        return multipart

    def keep_only(self, sizes: Mapping[int, int]) -> None:
        """Forget the parts that have another size than they should: they are to be sent again."""
        for number in [n for n, size in self._sizes.items() if sizes.get(n) != size]:
            self._forget(number)

    async def has(self, number: int, source: Source, start: int, stop: int) -> bool:
        """Whether S3 has a span as the part ``number``.

        Of a part that another process sent, its CRC-32 or its ETag tells whether it has these
        bytes: it may have arrived wrong, and who sent it have died before it was sent again.
        """
        part = self._parts.get(number)
        if part is None or number in self._crc32s:
            return part is not None
        by_etag = part.crc32 is None and (await self._shared.abilities()).md5_etag_of_parts
        if part.crc32 is None and not by_etag:
            return True
        work = partial(integrity_of, source.pread, start, stop, md5=by_etag)
        integrity = await to_the_end(in_pool(self._shared.pool, work))
        told = part.crc32 or part.etag
        right = integrity.md5.hex() if integrity.md5 is not None else integrity.crc32_field
        if self._sizes[number] != stop - start or told != right:
            self._forget(number)
            return False
        self._crc32s[number] = integrity.crc32
        return True

    def _forget(self, number: int) -> None:
        del self._parts[number], self._sizes[number]
        self._crc32s.pop(number, None)

    async def send(self, spool: Spool, start: int, stop: int, *, last_of_spool: bool) -> None:
        """Begin to send a span as the next part; waits while enough others are on their way.

        After its last part the spool is closed. Raises what went wrong with an earlier part.
        """
        try:
            await self._wait_until(_AT_ONCE - 1)
            await self.renew()
            if self._number == MOST_PARTS:
                raise TooLarge("the file is longer than was told; tell its length, or none")
        except BaseException as error:
            self._fail(error)
            if last_of_spool:
                spool.close()
            raise
        self._number += 1
        task = asyncio.ensure_future(self._send(self._number, spool, start, stop))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if last_of_spool:  # not in the task: one that is cancelled early never runs
            task.add_done_callback(lambda _: spool.close())

    async def sent(self) -> None:
        """Wait until S3 has every part. Raises likewise."""
        await self._wait_until(0)

    async def complete(self, guard: Mapping[str, str], whole: Integrity, size: int) -> str:
        """Make the parts an object of ``size`` bytes; answers its ETag.

        :raises PenstockError: the parts have another number of bytes, or others.
        """
        if sum(self._sizes.values()) != size:
            raise PenstockError("a part of the file went missing; store it again")
        if self._crc32s.keys() == self._parts.keys() and self._crc32() != whole.crc32:
            raise PenstockError("the bytes of the file changed on their way; store it again")
        fields = dict(guard)
        if self._summed:
            fields |= {**FULL_OBJECT, "x-amz-checksum-crc32": whole.crc32_field}
        parts = sorted(self._parts.values())
        return await self._shared.calls.complete(self._name, self._upload, parts, fields)

    def _crc32(self) -> int:
        """Of all parts together."""
        value = 0
        for number in sorted(self._crc32s):
            value = crc32_combine(value, self._crc32s[number], self._sizes[number])
        return value

    async def completed(self) -> None:
        """It is an object: its note is needed no more."""
        with suppress(Refused, Broken):  # else it is swept
            await self._shared.orphans.forget(self._note)

    async def abort(self) -> None:
        """Leave nothing. If S3 does not answer now, the sweeper does it later."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await abort(self._shared, self._name, self._upload, self._note)

    async def _send(self, number: int, spool: Spool, start: int, stop: int) -> None:
        try:
            await self.send_now(number, spool, start, stop)
        except Exception as error:  # noqa: BLE001 - kept for whoever writes
            self._failure = self._failure or error

    async def send_now(self, number: int, source: Source, start: int, stop: int) -> None:
        """Send a span as the part ``number``; S3 has it on return."""
        work = partial(integrity_of, source.pread, start, stop, md5=not self._summed)
        integrity = await to_the_end(in_pool(self._shared.pool, work))
        self._parts[number] = await self._shared.calls.upload_part(
            self._name,
            self._upload,
            number,
            integrity_fields(integrity),
            partial(source.read, start, stop),
            stop - start,
            etag=await expected_etag(self._shared, integrity, part=True),
        )
        self._sizes[number] = stop - start
        self._crc32s[number] = integrity.crc32

    async def _wait_until(self, running: int) -> None:
        while self._failure is None and len(self._running) > running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        if self._failure is not None:
            raise self._failure

    async def renew(self) -> None:
        """Give a sign of life if one is due, however slowly the bytes come."""
        if time.monotonic() - self._noted > self._shared.orphans.renewal:
            try:
                await self._shared.orphans.note(self._name, self._upload, self._note)
            except BaseException as error:
                self._fail(error)
                raise
            self._noted = time.monotonic()

    def _fail(self, error: BaseException) -> None:
        """Bytes went missing here, so nothing may become of the others."""
        if self._failure is None:
            told = error if isinstance(error, Exception) else Broken("it was broken off")
            self._failure = told


def integrity_fields(integrity: Integrity) -> dict[str, str]:
    """What has the server verify the bytes: its MD5 if that was taken, else its CRC-32."""
    if integrity.md5 is not None:
        return {"Content-MD5": integrity.md5_field}
    return {"x-amz-checksum-crc32": integrity.crc32_field}


async def expected_etag(shared: Shared, integrity: Integrity, *, part: bool) -> str | None:
    """The ETag that S3 must answer to a part or to an object, where that can be told before."""
    if integrity.md5 is None:
        return None
    able = await shared.abilities()
    known = able.md5_etag_of_parts if part else able.md5_etag
    return integrity.md5.hex() if known else None


async def abort(shared: Shared, name: str, upload: str, note: str = "") -> None:
    """Leave nothing of an upload. If S3 does not answer now, the sweeper does it later."""
    try:
        await shared.calls.once.abort(name, upload)
        if note:
            await shared.orphans.forget(note)
    except (Refused, Broken, PenstockError) as error:
        _log.warning("a multipart upload of %s is left to be swept: %s", encoded(name), error)
