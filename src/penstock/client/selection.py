"""What a ZIP is to be made of, and how, as the server is told."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

Compress: TypeAlias = Literal["store", "auto", "deflate"]
Level: TypeAlias = Literal["fast", "best"]
OnError: TypeAlias = Literal["abort", "report"]


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """A file of another server, which the Penstock server fetches into a ZIP.

    ``name`` is its name in the ZIP; without one it keeps its own. ``headers`` go with every
    request for it. What is known of it already may be told: with ``size`` (bytes) it need not be
    asked beforehand, and ``crc32`` (8 hex digits) and ``modified`` count only with that. What is
    told is held against the bytes.

    Neither URL nor headers are in its ``repr``: they may hold secrets.
    """

    url: str = field(repr=False)
    name: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    size: int | None = None
    crc32: str | None = None
    modified: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The RemoteFile object of the API."""
        modified = self.modified and self.modified.astimezone(UTC).isoformat()
        told = {
            "url": self.url,
            "name": self.name,
            "headers": dict(self.headers) or None,
            "size": self.size,
            "crc32": self.crc32,
            "modified": modified,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Selection:
    """The members of one ZIP and what becomes of them."""

    keys: Iterable[str] = ()
    prefixes: Iterable[str] = ()
    urls: Iterable[str | RemoteUrl] = ()
    name: str | None = None
    compress: Compress = "store"
    level: Level = "fast"
    on_error: OnError = "abort"

    def to_json(self) -> dict[str, Any]:
        """The ZipRequest object of the API."""
        told = {
            "keys": list(self.keys),
            "prefixes": list(self.prefixes),
            "urls": [url if isinstance(url, str) else url.to_json() for url in self.urls],
            "name": self.name,
            "compress": self.compress,
            "level": self.level,
            "on_error": self.on_error,
        }
        return {name: value for name, value in told.items() if value}
