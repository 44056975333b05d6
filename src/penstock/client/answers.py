"""What the server tells, as values: files, pages of files, ZIPs, digests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Self, TypeVar

from multidict import CIMultiDict

from penstock.errors import BadRequest, PenstockError
from penstock.octets.digests import Digester, parse_digest_field
from penstock.octets.ranges import parse_content_range

T = TypeVar("T")

SETTLED = 60
"""Seconds after which nothing more is written to a file of the same Last-Modified."""

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FileInfo:
    """One stored file as the server describes it.

    ``size`` is bytes, ``sha256`` and ``crc32`` are lower-case hex, or ``None`` while the server
    does not know them; ``crc32`` is told by uploads and listings only. ``etag`` carries its
    quotes, so it can be used in ``If-Match`` as it is. ``url`` is relative to the server.
    """

    key: str
    size: int
    sha256: str | None
    crc32: str | None
    etag: str
    modified: datetime
    content_type: str
    url: str

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the File object of the API."""
        return cls(
            key=str(document["key"]),
            size=int(document["size"]),
            sha256=document["sha256"],
            crc32=document["crc32"],
            etag=str(document["etag"]),
            modified=datetime.fromisoformat(document["modified"]),
            content_type=str(document["content_type"]),
            url=str(document["url"]),
        )

    @classmethod
    def from_headers(
        cls, key: str, url: str, headers: Mapping[str, str], size: int | None = None
    ) -> Self:
        """Read the headers of a GET or HEAD; ``size`` if they may be those of a range."""
        return cls(
            key=key,
            size=int(headers["Content-Length"]) if size is None else size,
            sha256=sha256_of(headers),
            crc32=None,
            etag=headers["ETag"],
            modified=parsedate_to_datetime(headers["Last-Modified"]),
            content_type=headers.get("Content-Type", "application/octet-stream"),
            url=url,
        )

    @classmethod
    def from_any(cls, url: str, headers: Mapping[str, str], size: int) -> Self:
        """Read the headers of any HTTP server, which may tell little."""
        told = CIMultiDict({"ETag": ""})
        told.update(headers)
        try:
            modified = parsedate_to_datetime(told.get("Last-Modified", ""))
        except (ValueError, TypeError, OverflowError):
            modified = datetime.now(UTC)
        told["Last-Modified"] = format_datetime(modified)
        return cls.from_headers(url, url, told, size)

    def to_json(self) -> dict[str, Any]:
        """The File object of the API."""
        return {
            "key": self.key,
            "size": self.size,
            "sha256": self.sha256,
            "crc32": self.crc32,
            "etag": self.etag,
            "modified": rfc3339(self.modified),
            "content_type": self.content_type,
            "url": self.url,
        }


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; ``next`` is where the following one starts, ``None`` at the end."""

    files: list[FileInfo]
    prefixes: list[str]
    next: str | None

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the answer of ``GET /v1/files``."""
        return cls(
            files=[FileInfo.from_json(one) for one in document["files"]],
            prefixes=[str(prefix) for prefix in document["prefixes"]],
            next=document["next"],
        )


@dataclass(frozen=True, slots=True)
class ZipInfo:
    """A selection of files as one ZIP: ``size`` in bytes, ``crc32`` (hex) of the whole archive.

    Both are ``None`` if they cannot be known before the ZIP is made, and are told once it was
    fetched. ``etag`` is ``None`` if the next one need not have the same bytes. ``layout`` is how
    its members are written: ``stored``, ``stored-blocks`` or ``deflate``. ``renamed`` pairs each
    file whose entry got another name with that name. ``url`` works until ``expires``.

    ``failures`` pairs each member that was left out with the reason; ``None`` if nobody can tell
    whether one was. ``entries`` counts those that are in it.
    """

    url: str
    name: str
    layout: str
    size: int | None
    etag: str | None
    crc32: str | None
    entries: int
    expires: datetime
    renamed: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] | None = field(default_factory=list)

    @classmethod
    def from_json(cls, document: JsonObject) -> Self:
        """Read the answer of ``POST /v1/zips``."""
        size = document["size"]
        return cls(
            url=str(document["url"]),
            name=str(document["name"]),
            layout=str(document["layout"]),
            size=None if size is None else int(size),
            etag=document["etag"],
            crc32=document["crc32"],
            entries=int(document["entries"]),
            expires=datetime.fromisoformat(document["expires"]),
            renamed=[(str(one["from"]), str(one["to"])) for one in document["renamed"]],
        )

    def to_json(self) -> dict[str, Any]:
        """The object of the API, and how many members were left out."""
        return {
            "url": self.url,
            "name": self.name,
            "layout": self.layout,
            "size": self.size,
            "etag": self.etag,
            "crc32": self.crc32,
            "entries": self.entries,
            "expires": rfc3339(self.expires),
            "renamed": [{"from": key, "to": name} for key, name in self.renamed],
            "failed": None if self.failures is None else len(self.failures),
        }


@dataclass(frozen=True, slots=True)
class Version:
    """What tells one state of a remote body from another: a resume must find the same.

    ``etag`` is a strong entity tag with quotes, ``modified`` a ``Last-Modified`` that is as good
    as one (RFC 9110 §8.8.2.2); without both a body cannot be resumed. ``size`` is ``None`` when it
    is known only at the end.
    """

    etag: str | None
    size: int | None
    sha256: str | None = None
    crc32: str | None = None
    modified: str | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> Self:
        """Read the headers of a 200 or 206."""
        etag = headers.get("ETag")
        return cls(
            etag=etag if etag and etag.startswith('"') else None,
            size=_whole_size(headers),
            sha256=sha256_of(headers),
            modified=_strong_date(headers),
        )

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` is to name; ``None`` if nothing tells this version from others."""
        return self.etag or self.modified

    def same(self, other: "Version") -> bool:
        """Whether both are one version, as far as tag, or else time, and size tell.

        A size that is not known is no difference.
        """
        if self.etag != other.etag or (self.etag is None and self.modified != other.modified):
            return False
        return None in (self.size, other.size) or self.size == other.size

    @property
    def has_digest(self) -> bool:
        """Whether bytes can be held against it."""
        return self.sha256 is not None or self.crc32 is not None

    def agrees(self, digester: Digester) -> bool | None:
        """Whether what was digested is this version; ``None`` if no digest of it is known."""
        if self.size is not None and digester.size != self.size:
            return False
        if self.sha256 is not None:
            return digester.sha256 is not None and digester.sha256.hex() == self.sha256
        return f"{digester.crc32:08x}" == self.crc32 if self.crc32 is not None else None


def sha256_of(headers: Mapping[str, str], field: str = "Repr-Digest") -> str | None:
    """The SHA-256 (hex) in a digest field (RFC 9530 §2, §3); ``None`` if it holds none."""
    try:
        digest = parse_digest_field(field, headers.get(field, ""))
    except BadRequest:
        return None
    return digest.hex() if digest is not None else None


def content_range(headers: Mapping[str, str]) -> tuple[int, int | None] | None:
    """First byte and whole size told by ``Content-Range`` (RFC 9110 §14.4)."""
    told = parse_content_range(headers.get("Content-Range", ""))
    return None if told is None else (told[0].start, told[1])


def _strong_date(headers: Mapping[str, str]) -> str | None:
    """``Last-Modified`` if no other state of the file can have it any more.

    It must lie before the answer by more than the clocks of its makers may differ.
    """
    told = headers.get("Last-Modified", "")
    try:
        modified, now = parsedate_to_datetime(told), parsedate_to_datetime(headers.get("Date", ""))
        return told if (now - modified).total_seconds() >= SETTLED else None
    except (ValueError, TypeError, OverflowError):
        return None


def rfc3339(when: datetime) -> str:
    """A time in UTC with microseconds."""
    return when.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _whole_size(headers: Mapping[str, str]) -> int | None:
    spread = content_range(headers)
    if spread is not None:
        return spread[1]
    length = headers.get("Content-Length")
    if length is None or "Transfer-Encoding" in headers:  # which wins (RFC 9112 §6.3)
        return None
    return int(length)


def understood(make: Callable[[Any], T], told: Any) -> T:
    """``make(told)``, or an error that says that this is no Penstock server."""
    try:
        return make(told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PenstockError(
            "the answer is not that of a Penstock server; check the server's address"
        ) from error
