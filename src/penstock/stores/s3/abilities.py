"""What an S3 server can do, found out by trying: never guessed from its name.

Each finding has a fall-back, so nothing here decides whether a file can be stored, only how
surely and how cheaply.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Final, NamedTuple
from uuid import uuid4

from isal.isal_zlib import crc32

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.documents import Part
from penstock.stores.s3.integrity import Integrity
from penstock.stores.s3.trouble import Broken, Refused

FULL_OBJECT: Final = {"x-amz-checksum-type": "FULL_OBJECT"}
WITH_CRC32: Final = {"x-amz-checksum-algorithm": "CRC32", **FULL_OBJECT}

_ABSENT: Final = {"If-None-Match": "*"}
_ANOTHER: Final = {"If-Match": '"00000000000000000000000000000000"'}
_BODY: Final = b"Penstock tries what this server can do; this may be removed.\n"
_MD5: Final = hashlib.md5(_BODY, usedforsecurity=False).hexdigest()
_REFUSING: Final = range(400, 500)
_OTHER_BYTES: Final = frozenset({"BadDigest", "XAmzContentChecksumMismatch"})
"""What a wrong checksum is refused with, which is no error in passing here."""


class _Copies(NamedTuple):
    """What was found of UploadPartCopy."""

    works: bool = False
    obeys: bool = False
    tells_crc32: bool = False


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
    """The ETag of PutObject is the MD5 of the bytes: not so where S3 encrypts."""
    md5_etag_of_parts: bool = False
    """The ETag of UploadPart is the MD5 of the bytes."""
    copy: bool = False
    """UploadPartCopy copies an object whole."""
    copy_if_match: bool = False
    """UploadPartCopy obeys ``x-amz-copy-source-if-match``."""
    copy_crc32: bool = False
    """UploadPartCopy tells the CRC-32 of what it copied."""

    def described(self) -> Mapping[str, bool]:
        """Each finding by its name."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


async def probe(calls: Calls, folder: str) -> Abilities:
    """Find out by some requests about objects below ``folder``, which are removed again.

    :raises Refused: nothing can be written there.
    :raises Broken: the server cannot be reached.
    """
    failures = 0
    while True:
        try:
            return await _Probe(calls, folder).run()
        except (Refused, Broken) as error:
            # What fails in passing shows nothing: all is tried anew.
            failures += 1
            await calls.client.pause(error, failures)


class _Probe:
    """Each trial has an object of its own: some servers refuse to write one twice in a second."""

    def __init__(self, calls: Calls, folder: str) -> None:
        self._patient = calls
        self._calls = calls.once
        self._folder = folder
        self._names: list[str] = []
        self._uploads: list[tuple[str, str]] = []
        self._summed = True
        self._md5_of_parts = False

    async def run(self) -> Abilities:
        try:
            return await self._try_all()
        finally:
            with suppress(Broken):  # then the others would wait for nothing too
                await self._remove()

    async def _remove(self) -> None:
        for name, upload in self._uploads:
            with suppress(Refused):
                await self._patient.abort(name, upload)
        for name in self._names:
            with suppress(Refused):
                await self._patient.delete(name)

    async def _try_all(self) -> Abilities:
        # This one is to succeed anywhere; its error is the answer to "can we write at all".
        name = self._fresh()
        etag = await self._patient.put(name, {}, _BODY, len(_BODY))
        put_if_absent = await self._refuses(lambda: self._put(name, _ABSENT))
        put_if_match = await self._refuses_at_another(lambda name: self._put(name, _ANOTHER))
        crc32_kept = await self._keeps_crc32()
        complete_if_absent = await self._refuses_at_another(
            lambda name: self._complete(name, _ABSENT)
        )
        complete_if_match = await self._refuses_at_another(
            lambda name: self._complete(name, _ANOTHER)
        )
        crc32_of_multipart = crc32_kept and await self._keeps_crc32_of_parts()
        copies = await self._try_copies(name, etag)
        return Abilities(
            put_if_absent=put_if_absent,
            put_if_match=put_if_match,
            complete_if_absent=complete_if_absent,
            complete_if_match=complete_if_match,
            crc32=crc32_kept,
            crc32_of_multipart=crc32_of_multipart,
            delete_if_match=await self._refuses_at_another(
                lambda name: self._calls.delete(name, _ANOTHER)
            ),
            md5_etag=etag == _MD5,
            md5_etag_of_parts=self._md5_of_parts,
            copy=copies.works,
            copy_if_match=copies.obeys,
            copy_crc32=crc32_of_multipart and copies.tells_crc32,
        )

    def _fresh(self) -> str:
        """The name of an object that is to be removed in the end."""
        name = f"{self._folder}probe-{uuid4().hex}"
        self._names.append(name)
        return name

    async def _refuses_at_another(self, attempt: Callable[[str], Awaitable[object]]) -> bool:
        """As :meth:`_refuses`, of an attempt at an object that is there already."""
        name = self._fresh()
        await self._patient.put(name, {}, _BODY, len(_BODY))
        return await self._refuses(lambda: attempt(name))

    async def _refuses(self, attempt: Callable[[], Awaitable[object]]) -> bool:
        """Whether the server sees that the condition of an attempt does not hold."""
        failures = 0
        while True:
            try:
                await attempt()
            except Refused as error:
                if error.slow:  # nothing was done, so the same attempt is as good again
                    failures += 1
                    await self._calls.client.pause(error, failures)
                    continue
                _raise_if_passing(error)
                return error.status == 412
            return False

    async def _put(self, name: str, headers: Mapping[str, str]) -> None:
        await self._calls.put(name, headers, _BODY, len(_BODY))

    async def _keeps_crc32(self) -> bool:
        name = self._fresh()
        try:
            await self._put(name, _field(crc32(b"something else")))
        except Refused as error:
            _raise_if_passing(error)
            if error.status not in _REFUSING:
                return False
        else:
            return False
        try:
            await self._put(name, _field(crc32(_BODY)))
            return (await self._calls.head(name)).crc32 == crc32(_BODY)
        except Refused as error:
            _raise_if_passing(error)
            return False

    async def _complete(self, name: str, headers: Mapping[str, str]) -> None:
        """A multipart upload with one small part; without a checksum where that is not known."""
        try:
            upload = await self._calls.create(name, WITH_CRC32 if self._summed else {})
        except Refused as error:
            _raise_if_passing(error)
            self._summed = False
            upload = await self._calls.create(name, {})
        self._uploads.append((name, upload))
        fields = _field(crc32(_BODY)) if self._summed else {}
        part = await self._calls.upload_part(name, upload, 1, fields, _BODY, len(_BODY))
        self._md5_of_parts = part.etag == _MD5
        await self._calls.complete(name, upload, [part], headers)
        self._uploads.remove((name, upload))

    async def _keeps_crc32_of_parts(self) -> bool:
        name = self._fresh()
        try:
            await self._complete(name, {**FULL_OBJECT, **_field(crc32(_BODY))})
            head = await self._calls.head(name)
        except Refused as error:
            _raise_if_passing(error)
            return False
        return self._summed and head.crc32 == crc32(_BODY)

    async def _try_copies(self, source: str, etag: str) -> _Copies:
        try:
            return await self._copied(source, etag)
        except Refused:
            # Even what fails in passing: some break at what they do not know, again and again.
            return _Copies()

    async def _copied(self, source: str, etag: str) -> _Copies:
        """An upload of one part, the copy of an object."""
        name, patient = self._fresh(), self._patient
        upload = await patient.create(name, WITH_CRC32 if self._summed else {})
        self._uploads.append((name, upload))
        match = "x-amz-copy-source-if-match"

        async def copy(condition: str) -> Part:
            return await patient.upload_part_copy(name, upload, 1, source, {match: condition})

        obeys = await self._refuses(lambda: copy(_ANOTHER["If-Match"]))
        part = await copy(f'"{etag}"')
        await patient.complete(name, upload, [part], {})
        self._uploads.remove((name, upload))
        # One server answers that it has copied, and has no bytes.
        works = (await patient.head(name)).size == len(_BODY)
        return _Copies(works, obeys, part.crc32 == Integrity(crc32(_BODY), None).crc32_field)


def _raise_if_passing(error: Refused) -> None:
    """Raise an error that another try may not meet with: it shows nothing."""
    if error.passing and error.code not in _OTHER_BYTES:
        raise error


def _field(value: int) -> Mapping[str, str]:
    return {"x-amz-checksum-crc32": Integrity(value, None).crc32_field}
