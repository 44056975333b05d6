"""Digests with which S3 holds what it is sent against what was meant."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from typing import Final, NamedTuple

from isal.isal_zlib import crc32

_STRETCH: Final = 1 << 20


class Integrity(NamedTuple):
    """The CRC-32 of some bytes, and their MD5 if it was wanted."""

    crc32: int
    md5: bytes | None

    @property
    def crc32_field(self) -> str:
        """As ``x-amz-checksum-crc32`` has it."""
        return b64encode(self.crc32.to_bytes(4, "big")).decode()

    @property
    def md5_field(self) -> str:
        """As ``Content-MD5`` has it (RFC 1864)."""
        assert self.md5 is not None
        return b64encode(self.md5).decode()


def integrity_of(
    read: Callable[[int, int], bytes | memoryview], start: int, stop: int, *, md5: bool
) -> Integrity:
    """The digests of what ``read`` gives of a span. Blocks: in a worker thread."""
    digest = hashlib.md5(usedforsecurity=False) if md5 else None
    value = 0
    for at in range(start, stop, _STRETCH):
        data = read(at, min(at + _STRETCH, stop))
        value = crc32(data, value)
        if digest is not None:
            digest.update(data)
    return Integrity(value, None if digest is None else digest.digest())
