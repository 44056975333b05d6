"""A multipart upload: parts are sent side by side, and become an object at once or never."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Final

from penstock.errors import PenstockError, TooLarge
from penstock.stores.s3.abilities import FULL_OBJECT, WITH_CRC32
from penstock.stores.s3.documents import Part
from penstock.stores.s3.parts import MOST_PARTS
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.signing import encoded
from penstock.stores.s3.spool import Integrity, Spool
from penstock.stores.s3.trouble import Broken, Refused
from penstock.threads import in_pool, to_the_end

_AT_ONCE: Final = 3

_log = logging.getLogger("penstock.stores.s3")


class Multipart:
    """One upload of the object ``name``; to be completed or aborted."""

    def __init__(self, shared: Shared, name: str, upload: str, note: str, *, summed: bool) -> None:
        self._shared = shared
        self._name = name
        self._upload = upload
        self._note = note
        self._noted = time.monotonic()
        self._summed = summed
        self._number = 0
        self._parts: list[Part] = []
        self._size = 0
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
            await to_the_end(_abort(shared, name, upload))
            raise
        return cls(shared, name, upload, note, summed=summed)

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

        :raises PenstockError: the parts have another number of bytes.
        """
        if self._size != size:
            raise PenstockError("a part of the file went missing; store it again")
        fields = dict(guard)
        if self._summed:
            fields |= {**FULL_OBJECT, "x-amz-checksum-crc32": whole.crc32_field}
        parts = sorted(self._parts)
        return await self._shared.calls.complete(self._name, self._upload, parts, fields)

    async def completed(self) -> None:
        """It is an object: its note is needed no more."""
        with suppress(Refused, Broken):  # else it is swept
            await self._shared.orphans.forget(self._note)

    async def abort(self) -> None:
        """Leave nothing. If S3 does not answer now, the sweeper does it later."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await _abort(self._shared, self._name, self._upload, self._note)

    async def _send(self, number: int, spool: Spool, start: int, stop: int) -> None:
        try:
            work = partial(spool.integrity, start, stop, md5=not self._summed)
            integrity = await to_the_end(in_pool(self._shared.pool, work))
            part = await self._shared.calls.upload_part(
                self._name,
                self._upload,
                number,
                integrity_fields(integrity),
                partial(spool.read, start, stop),
                stop - start,
                etag=await expected_etag(self._shared, integrity, part=True),
            )
            self._parts.append(part)
            self._size += stop - start
        except Exception as error:  # noqa: BLE001 - kept for whoever writes
            self._failure = self._failure or error

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


async def _abort(shared: Shared, name: str, upload: str, note: str = "") -> None:
    try:
        await shared.calls.once.abort(name, upload)
        if note:
            await shared.orphans.forget(note)
    except (Refused, Broken, PenstockError) as error:
        _log.warning("a multipart upload of %s is left to be swept: %s", encoded(name), error)
