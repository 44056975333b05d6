"""Header fields of tus 1.0: what requests say, and what answers tell."""

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.client.answers import sha256_of


@dataclass(frozen=True, slots=True)
class Standing:
    """How an upload stands; ``length`` is ``None`` while nobody told it.

    ``sha256`` (hex) is that of the bytes before ``offset``, if the server tells it; ``etag`` is
    that of the file which a finished upload became.
    """

    offset: int
    length: int | None = None
    sha256: str | None = None
    etag: str | None = None

    @property
    def complete(self) -> bool:
        """Whether the server has all that there will be."""
        return self.offset == self.length


def checksum_of(data: bytes | bytearray | memoryview) -> str:
    """``Upload-Checksum`` of one request's body, in the algorithm that every server knows."""
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return f"sha1 {b64encode(digest).decode()}"


def metadata_field(**values: str | None) -> str:
    """``Upload-Metadata`` of the values that are there; underscores stand for hyphens."""
    return ",".join(
        f"{name.replace('_', '-')} {b64encode(value.encode()).decode()}"
        for name, value in values.items()
        if value is not None
    )


def metadata_values(field: str) -> dict[str, str]:
    """What ``Upload-Metadata`` says; a value that is no text counts as empty."""
    pairs = (pair.strip().partition(" ") for pair in field.split(",") if pair.strip())
    return {name: _text(value) for name, _, value in pairs}


def _text(value: str) -> str:
    try:
        return b64decode(value).decode()
    except ValueError:
        return ""


def standing_of(headers: Mapping[str, str], offset: int, length: int | None) -> Standing:
    """What an answer tells; ``offset`` and ``length`` are what it may leave out."""
    told = number(headers, "Upload-Offset")
    known = number(headers, "Upload-Length")
    return Standing(
        offset=offset if told is None else told,
        length=length if known is None else known,
        sha256=sha256_of(headers),
        etag=headers.get("ETag"),
    )


def number(headers: Mapping[str, str], name: str) -> int | None:
    """A field that is a number of bytes; ``None`` if it is absent, or none."""
    value = headers.get(name, "")
    return int(value) if value.isascii() and value.isdigit() else None
