"""Upload-Checksum: the digest of one request's body (tus 1.0, Checksum)."""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import google_crc32c
from isal import isal_zlib

from penstock.errors import BadRequest, ChecksumMismatch
from penstock.threads import in_thread

_STRETCH = 1 << 20
"""Bytes that go to a worker thread together."""


class _Hash(Protocol):
    @property
    def digest_size(self) -> int: ...

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc:
    """A 32-bit CRC as a hash; the digest is in network order."""

    digest_size = 4

    def __init__(self, extend: Callable[[int, bytes], int]) -> None:
        self._extend = extend
        self._crc = 0

    def update(self, data: bytes) -> None:
        self._crc = self._extend(self._crc, data)

    def digest(self) -> bytes:
        return self._crc.to_bytes(4, "big")


def _crc32(crc: int, data: bytes) -> int:
    return isal_zlib.crc32(data, crc)


ALGORITHMS: Mapping[str, Callable[[], _Hash]] = {
    "sha1": partial(hashlib.sha1, usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": partial(hashlib.md5, usedforsecurity=False),
    "crc32": partial(_Crc, _crc32),
    "crc32c": partial(_Crc, google_crc32c.extend),
}


class BodyChecksum:
    """The digest of a body that is passing, and what it ought to be."""

    def __init__(self, name: str, expected: bytes) -> None:
        self._name = name
        self._expected = expected
        self._hash = ALGORITHMS[name]()
        self._waiting: list[bytes] = []
        self._size = 0

    async def update(self, data: bytes) -> None:
        """Take the next bytes."""
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _STRETCH:
            await self._digest()

    async def verify(self) -> None:
        """Hold the digest of everything against the one that was told.

        :raises ChecksumMismatch: they differ.
        """
        await self._digest()
        if self._hash.digest() != self._expected:
            raise ChecksumMismatch(
                f"the body does not match its {self._name} checksum; "
                "none of it was kept, send it again"
            )

    async def _digest(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        await in_thread(self._update, waiting)

    def _update(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._hash.update(piece)


def parse_checksum(value: str | None) -> BodyChecksum | None:
    """The checksum that a request's ``Upload-Checksum`` tells; ``None`` if there is none.

    :raises BadRequest: the field is malformed, or its algorithm is not known here.
    """
    if value is None:
        return None
    name, _, told = value.partition(" ")
    if name not in ALGORITHMS:
        raise BadRequest(f"the checksum algorithm must be one of {', '.join(ALGORITHMS)}")
    try:
        expected = b64decode(told.strip(), validate=True)
    except binascii.Error:
        raise BadRequest("Upload-Checksum must be an algorithm and a digest in Base64") from None
    checksum = BodyChecksum(name, expected)
    size = ALGORITHMS[name]().digest_size
    if len(expected) != size:
        raise BadRequest(f"a {name} checksum has {size} bytes, this one {len(expected)}")
    return checksum
