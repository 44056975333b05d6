"""What an S3 server can do, found out by trying: never guessed from its name.

Each finding has a fall-back, so nothing here decides whether a file can be stored, only how
surely and how cheaply.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Final
from uuid import uuid4

from isal.isal_zlib import crc32

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.documents import Part
from penstock.stores.s3.spool import Integrity
from penstock.stores.s3.trouble import Broken, Refused

FULL_OBJECT: Final = {"x-amz-checksum-type": "FULL_OBJECT"}
WITH_CRC32: Final = {"x-amz-checksum-algorithm": "CRC32", **FULL_OBJECT}

_ABSENT: Final = {"If-None-Match": "*"}
_ANOTHER: Final = {"If-Match": '"00000000000000000000000000000000"'}
_BODY: Final = b"Penstock tries what this server can do; this may be removed.\n"
_REFUSING: Final = range(400, 500)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was found; each field is one finding."""

    put_if_absent: bool = False
    """PutObject obeys ``If-None-Match: *``."""
    put_if_match: bool = False
    """PutObject obeys ``If-Match``."""
    complete_if_absent: bool = False
    """CompleteMultipartUpload obeys ``If-None-Match: *``."""
    complete_if_match: bool = False
    """CompleteMultipartUpload obeys ``If-Match``."""
    delete_if_match: bool = False
    """DeleteObject obeys ``If-Match``."""
    crc32: bool = False
    """PutObject verifies ``x-amz-checksum-crc32``, and HeadObject tells it."""
    crc32_of_multipart: bool = False
    """A multipart upload keeps the CRC-32 of the whole object, and HeadObject tells it."""
    md5_etag: bool = False
    """The ETag of PutObject and UploadPart is the MD5 of the bytes: not so where S3 encrypts."""

    def described(self) -> Mapping[str, bool]:
        """Each finding by its name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


async def probe(calls: Calls, folder: str) -> Abilities:
    """Find out by some requests about an object below ``folder``, which is removed again.

    :raises Refused: nothing can be written there.
    :raises Broken: the server cannot be reached.
    """
    failures = 0
    while True:
        try:
            return await _Probe(calls, f"{folder}probe-{uuid4().hex}").run()
        except (Refused, Broken) as error:
            # What fails in passing shows nothing: all is tried anew.
            failures += 1
            await calls.client.pause(error, failures)


class _Probe:
    def __init__(self, calls: Calls, name: str) -> None:
        self._patient = calls
        self._calls = calls.once
        self._name = name
        self._upload = ""
        self._parts: list[Part] = []
        self._summed = True

    async def run(self) -> Abilities:
        # This one is to succeed anywhere; its error is the answer to "can we write at all".
        etag = await self._patient.put(self._name, {}, _BODY, len(_BODY))
        try:
            md5 = hashlib.md5(_BODY, usedforsecurity=False).hexdigest()
            return replace(await self._try_all(), md5_etag=etag == md5)
        finally:
            with suppress(Refused, Broken):
                if self._upload:
                    await self._patient.abort(self._name, self._upload)
                await self._patient.delete(self._name)

    async def _try_all(self) -> Abilities:
        put_if_absent = await self._refuses(lambda: self._put(_ABSENT))
        put_if_match = await self._refuses(lambda: self._put(_ANOTHER))
        crc32_kept = await self._keeps_crc32()
        complete_if_absent = await self._refuses(lambda: self._complete(_ABSENT))
        complete_if_match = await self._refuses(lambda: self._complete(_ANOTHER))
        return Abilities(
            put_if_absent=put_if_absent,
            put_if_match=put_if_match,
            complete_if_absent=complete_if_absent,
            complete_if_match=complete_if_match,
            crc32=crc32_kept,
            crc32_of_multipart=crc32_kept and await self._keeps_crc32_of_parts(),
            delete_if_match=await self._refuses(lambda: self._calls.delete(self._name, _ANOTHER)),
        )

    async def _refuses(self, attempt: Callable[[], Awaitable[object]]) -> bool:
        """Whether the server sees that the condition of an attempt does not hold."""
        try:
            await attempt()
        except Refused as error:
            _raise_if_passing(error)
            return error.status == 412
        return False

    async def _put(self, headers: Mapping[str, str]) -> None:
        await self._calls.put(self._name, headers, _BODY, len(_BODY))

    async def _keeps_crc32(self) -> bool:
        try:
            await self._put(_field(crc32(b"something else")))
        except Refused as error:
            _raise_if_passing(error)
            if error.status not in _REFUSING:
                return False
        else:
            return False
        try:
            await self._put(_field(crc32(_BODY)))
            return (await self._calls.head(self._name)).crc32 == crc32(_BODY)
        except Refused as error:
            _raise_if_passing(error)
            return False

    async def _complete(self, headers: Mapping[str, str]) -> None:
        if not self._upload:
            await self._begin()
        await self._calls.complete(self._name, self._upload, self._parts, headers)
        self._upload = ""

    async def _begin(self) -> None:
        """A multipart upload with one small part; without a checksum where that is not known."""
        try:
            self._upload = await self._calls.create(self._name, WITH_CRC32 if self._summed else {})
        except Refused as error:
            _raise_if_passing(error)
            self._summed = False
            self._upload = await self._calls.create(self._name, {})
        fields = _field(crc32(_BODY)) if self._summed else {}
        part = await self._calls.upload_part(self._name, self._upload, 1, fields, _BODY, len(_BODY))
        self._parts = [part]

    async def _keeps_crc32_of_parts(self) -> bool:
        try:
            await self._complete({**FULL_OBJECT, **_field(crc32(_BODY))})
            head = await self._calls.head(self._name)
        except Refused as error:
            _raise_if_passing(error)
            return False
        return self._summed and head.crc32 == crc32(_BODY)


def _raise_if_passing(error: Refused) -> None:
    """Raise an error that another try may not meet with: it shows nothing."""
    if error.status >= 500 and error.passing:
        raise error


def _field(value: int) -> Mapping[str, str]:
    return {"x-amz-checksum-crc32": Integrity(value, None).crc32_field}
