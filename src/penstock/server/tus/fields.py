"""Header fields of tus 1.0: what requests say, and what this server offers.

The sections named are those of https://tus.io/protocols/resumable-upload (1.0.0, 2016-03-25).
"""

import re

from multidict import CIMultiDictProxy

from penstock.errors import BadRequest, UnsupportedMediaType, UnsupportedVersion
from penstock.server.tus.checksum import ALGORITHMS

VERSION = "1.0.0"
EXTENSIONS = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "expiration",
    "checksum",
    "termination",
    "concatenation",
    "concatenation-unfinished",
)
CONTENT_TYPE = "application/offset+octet-stream"

Fields = CIMultiDictProxy[str]

_NUMBER = re.compile(r"[0-9]+", re.ASCII)
_BEYOND_ALL = 10**18
"""Stands for every larger number: more bytes than any file system can hold."""


def given(fields: Fields, name: str) -> str | None:
    """A field's value; several fields of one name make a list (RFC 9110 §5.3)."""
    values = fields.getall(name, [])
    return ", ".join(values) if values else None


def check_version(fields: Fields) -> None:
    """Tus-Resumable.

    :raises UnsupportedVersion: the client speaks another version.
    """
    if given(fields, "Tus-Resumable") != VERSION:
        raise UnsupportedVersion(
            f"this server speaks tus {VERSION} only; send Tus-Resumable: {VERSION}",
            headers={"Tus-Version": VERSION},
        )


def check_content_type(fields: Fields) -> None:
    """Content-Type of a request that carries bytes of an upload.

    :raises UnsupportedMediaType: it is not the one that tus has for them.
    """
    value = (given(fields, "Content-Type") or "").partition(";")[0].strip().lower()
    if value != CONTENT_TYPE:
        raise UnsupportedMediaType(f"send the bytes of an upload as Content-Type: {CONTENT_TYPE}")


def check_trailer(fields: Fields) -> None:
    """Trailer: a checksum cannot come behind the body, since trailers are not seen here.

    :raises BadRequest: the request announces one; storing its bytes unverified would betray it.
    """
    names = {name.strip().lower() for name in (given(fields, "Trailer") or "").split(",")}
    if "upload-checksum" in names:
        raise BadRequest(
            "a checksum in the trailer is not understood (checksum-trailer is not offered); "
            "send Upload-Checksum as a header field"
        )


def number(fields: Fields, name: str) -> int | None:
    """Upload-Offset or Upload-Length in bytes; ``None`` if it is absent.

    :raises BadRequest: it is not a non-negative integer.
    """
    value = given(fields, name)
    if value is None:
        return None
    if _NUMBER.fullmatch(value) is None:
        raise BadRequest(f"{name} must be a number of bytes, in digits")
    digits = value.lstrip("0")
    return int(digits or "0") if len(digits) < len(str(_BEYOND_ALL)) else _BEYOND_ALL


def length_deferred(fields: Fields) -> bool:
    """Upload-Defer-Length.

    :raises BadRequest: it is not 1.
    """
    value = given(fields, "Upload-Defer-Length")
    if value not in (None, "1"):
        raise BadRequest("Upload-Defer-Length can only be 1; leave it out if the length is known")
    return value is not None


def offer(max_size: int) -> dict[str, str]:
    """What OPTIONS tells of this server; ``max_size`` is bytes of one upload."""
    return {
        "Tus-Resumable": VERSION,
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(EXTENSIONS),
        "Tus-Max-Size": str(max_size),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
