"""What a sender tells of a file, as S3's own metadata of the object."""

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from penstock.errors import BadRequest

MOST: Final = 2048
"""Bytes of all names and values together: S3 keeps no more."""

_OURS: Final = re.compile(r"penstock[^a-z0-9]")
"""As servers may read it that take one separator for another: Swift makes "-" of "_"."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_PLAIN: Final = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*|", re.ASCII)


def metadata_fields(metadata: Mapping[str, str]) -> dict[str, str]:
    """The header fields that keep it; what is not plain ASCII as an encoded word (RFC 2047 §2).

    :raises BadRequest: a name cannot be, or is one of ours, or it is too much.
    """
    fields = {}
    for name, value in metadata.items():
        if not _TOKEN.fullmatch(name):
            raise BadRequest(f"the metadata cannot have the name {name[:80]!a}; rename it")
        if _OURS.match(name.lower()):
            raise BadRequest("names of metadata that start with penstock- are reserved; rename it")
        fields[f"x-amz-meta-{name.lower()}"] = _written(value)
    if sum(len(name) - len("x-amz-meta-") + len(value) for name, value in fields.items()) > MOST:
        raise BadRequest(f"the metadata is over S3's limit of {MOST:,} bytes; send less of it")
    return fields


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value) and not value.startswith("=?"):
        return value
    octets = value.encode(errors="surrogatepass")
    return f"=?UTF-8?B?{b64encode(octets).decode()}?="
