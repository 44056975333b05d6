"""A remote file that somebody wants in a ZIP, as it stands in requests."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from penstock.errors import BadRequest

_LARGEST = 2**63
_CRC32 = re.compile("[0-9A-Fa-f]{8}", re.ASCII)
_FIELDS = {"url", "name", "headers", "size", "crc32", "modified"}


@dataclass(frozen=True, slots=True)
class UrlMember:
    """A URL, and what the caller already knows of the file there.

    ``name`` is the entry's; without one the file's own is taken. ``headers`` go with every
    request for it. With ``size`` (bytes) the URL need not be asked beforehand, unless it is 0;
    ``crc32`` and ``modified`` (seconds since 1970) then make its entry. What is said is held
    against the bytes.

    Neither URL nor headers are in its ``repr``: they may hold secrets.
    """

    url: str = field(repr=False)
    name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    crc32: int | None = None
    modified: int | None = None

    @classmethod
    def from_json(cls, spec: object) -> "UrlMember":
        """Read a URL as a string, or an object with ``url`` and perhaps the other fields.

        ``crc32`` is 8 hexadecimal digits, ``modified`` a time of RFC 3339.

        :raises BadRequest: it is something else.
        """
        if isinstance(spec, str):
            return cls(spec)
        if not isinstance(spec, dict) or not spec.keys() <= _FIELDS or "url" not in spec:
            raise BadRequest(f'each of "urls" is a URL or an object of {sorted(_FIELDS)}')
        size = spec.get("size")
        if size is not None and (type(size) is not int or not 0 <= size < _LARGEST):
            raise BadRequest('"size" of a URL is a number of bytes')
        if size is None and (spec.get("crc32") or spec.get("modified")):
            raise BadRequest('"crc32" and "modified" of a URL count only with its "size"')
        return cls(
            url=_text(spec, "url") or "",
            name=_text(spec, "name"),
            headers=_headers(spec.get("headers")),
            size=size,
            crc32=_crc32(_text(spec, "crc32")),
            modified=_seconds(_text(spec, "modified")),
        )

    def to_json(self) -> dict[str, object]:
        """What :meth:`from_json` reads."""
        spec = {
            "url": self.url,
            "name": self.name,
            "headers": dict(self.headers),
            "size": self.size,
            "crc32": None if self.crc32 is None else f"{self.crc32:08x}",
            "modified": None
            if self.modified is None
            else datetime.fromtimestamp(self.modified, UTC).isoformat(),
        }
        return {name: value for name, value in spec.items() if value not in (None, {})}


def _text(spec: Mapping[str, object], field: str) -> str | None:
    value = spec.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f'"{field}" of a URL must be a string')
    return value


def _headers(value: object) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise BadRequest('"headers" of a URL is an object of strings')
    return dict(value)


def _crc32(digits: str | None) -> int | None:
    if digits is None:
        return None
    if _CRC32.fullmatch(digits) is None:
        raise BadRequest('"crc32" of a URL has 8 hexadecimal digits')
    return int(digits, 16)


def _seconds(moment: str | None) -> int | None:
    if moment is None:
        return None
    try:
        return int(datetime.fromisoformat(moment).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        raise BadRequest('"modified" of a URL is a time such as 2026-11-21T10:00:00Z') from None
