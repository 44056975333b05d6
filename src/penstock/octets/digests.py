"""SHA-256 and CRC-32 of passing bytes, and the digest fields of RFC 9530."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping

import http_sf
from isal import isal_zlib

from penstock.errors import BadRequest, DigestMismatch

SHA256 = "sha-256"


class Digester:
    """SHA-256 and CRC-32 of a stream, updated piece by piece.

    Both release the GIL: update it in a worker thread. ``sha256=False`` leaves the costly half
    out.
    """

    def __init__(self, *, sha256: bool = True) -> None:
        self._sha256 = hashlib.sha256() if sha256 else None
        self._crc32 = 0
        self.size = 0

    def update(self, data: bytes | memoryview) -> None:
        """Take the next bytes."""
        if self._sha256 is not None:
            self._sha256.update(data)
        self._crc32 = isal_zlib.crc32(data, self._crc32)
        self.size += len(data)

    def copy(self) -> "Digester":
        """Another one that has seen the same and goes its own way from here."""
        twin = Digester(sha256=False)
        twin._sha256 = None if self._sha256 is None else self._sha256.copy()
        twin._crc32, twin.size = self._crc32, self.size
        return twin

    @property
    def crc32(self) -> int:
        """CRC-32 (ISO-HDLC, as in ZIP) of everything so far."""
        return self._crc32

    @property
    def sha256(self) -> bytes | None:
        """SHA-256 of everything so far, 32 bytes; ``None`` when it is not being taken."""
        return self._sha256.digest() if self._sha256 is not None else None


def digest_field(sha256: bytes) -> str:
    """The value of ``Repr-Digest`` or ``Content-Digest`` for one SHA-256 (RFC 9530 §2, §3)."""
    return f"{SHA256}=:{b64encode(sha256).decode()}:"


def parse_digest_field(name: str, value: str) -> bytes | None:
    """The SHA-256 in a digest field; ``None`` when it names only other algorithms.

    :raises BadRequest: the field is not a dictionary of byte sequences.
    """
    members = _dictionary(value)
    if members is None:
        raise BadRequest(f"{name} is not a dictionary of byte sequences such as sha-256=:base64:")
    if SHA256 not in members:
        return None
    digest = members[SHA256]
    if not isinstance(digest, bytes) or len(digest) != hashlib.sha256().digest_size:
        raise BadRequest(f"{name}: sha-256 must be 32 bytes as sha-256=:base64:")
    return digest


def wants_sha256(value: str) -> bool:
    """Whether a ``Want-Repr-Digest`` field asks for SHA-256 (RFC 9530 §4). Nonsense does not."""
    weight = (_dictionary(value) or {}).get(SHA256) if value else None
    return isinstance(weight, int) and weight > 0


def _dictionary(value: str) -> dict[str, object] | None:
    """The bare items of a structured dictionary (RFC 9651 §3.2); ``None`` if it is not one."""
    try:
        members = http_sf.parse(value.encode("latin-1", "replace"), tltype="dictionary")
    except ValueError:
        return None
    assert isinstance(members, dict)
    return {name: member[0] for name, member in members.items() if isinstance(member, tuple)}


def verify(expected: Mapping[str, bytes], actual: bytes | None) -> None:
    """Hold the SHA-256 that request fields announced against the real one.

    :raises DigestMismatch: they differ; names the field.
    """
    for field, digest in expected.items():
        if digest != actual:
            raise DigestMismatch(
                f"the bytes received do not match {field}; nothing was stored, send them again"
            )
