"""What the upstream tells of a file: its version, and the fields that a relay passes on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, Self

from penstock.client.answers import Version
from penstock.downloads import Representation
from penstock.relay.fields import values_of

_PASSED = (
    "Cache-Control",
    "Content-Disposition",
    "Content-Language",
    "Content-Security-Policy",
    "Expires",
    "Vary",
    "X-Content-Type-Options",
)
_KEPT = (
    *_PASSED,
    "Age",
    "Content-Encoding",
    "Content-Type",
    "Date",
    "ETag",
    "Last-Modified",
)
_DEFAULT_TYPE = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Told:
    """One version of a file; ``headers`` has the fields that matter, ``sha256`` is hex.

    ``size`` is bytes, ``None`` if the upstream does not tell it.
    """

    size: int | None
    sha256: str | None
    headers: Mapping[str, str]

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Read the headers of an answer to a GET or HEAD."""
        version = Version.from_headers(headers)
        return cls(version.size, version.sha256, values_of(headers, _KEPT))

    @property
    def etag(self) -> str | None:
        """The strong entity tag, with its quotes, if there is one."""
        tag = self.headers.get("ETag", "")
        return tag if tag.startswith('"') else None

    def same(self, other: "Told") -> bool:
        """Whether both are one version, as far as a validator tells (RFC 9111 §4.3.4)."""
        for name in ("ETag", "Last-Modified"):
            mine, theirs = self.headers.get(name), other.headers.get(name)
            if mine is not None or theirs is not None:
                return (mine, self.size) == (theirs, other.size)
        return False

    @property
    def has_validator(self) -> bool:
        """Whether bytes of another request surely are of the same version (RFC 9110 §8.8.1)."""
        return Version.from_headers(self.headers).validator is not None

    def freshened(self, newer: "Told") -> "Told":
        """The same version with the fields of a later answer (RFC 9111 §4.3.5)."""
        return replace(newer, sha256=newer.sha256 or self.sha256)

    def is_changed_by(self, newer: "Told") -> bool:
        """Whether a later answer for the same version tells anything new."""
        told = self.freshened(newer)
        # The time of the answer matters only to what is told beside it.
        mine, theirs = ({**one.headers, "Date": ""} for one in (self, told))
        return (self.sha256, mine) != (told.sha256, theirs) or "Expires" in theirs

    def digested(self, sha256: bytes | None) -> "Told":
        """The same, now that its SHA-256 is known."""
        return self if sha256 is None else replace(self, sha256=sha256.hex())

    def representation(self) -> Representation:
        """The same for :func:`penstock.downloads.plan_download`."""
        assert self.size is not None
        return Representation(
            self.size,
            None if self.etag is None else self.etag.strip('"'),
            _nanoseconds(self.headers.get("Last-Modified")),
            self.headers.get("Content-Type", _DEFAULT_TYPE),
            None if self.sha256 is None else bytes.fromhex(self.sha256),
        )

    def fields(self) -> dict[str, str]:
        """What is sent on with the content beside what the representation tells."""
        # Of a version without a strong tag the representation tells nothing.
        names = _PASSED if self.etag is not None else (*_PASSED, "ETag", "Last-Modified")
        return {name: self.headers[name] for name in names if name in self.headers}

    def to_json(self) -> dict[str, Any]:
        return {"size": self.size, "sha256": self.sha256, "headers": dict(self.headers)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` made; raises KeyError, TypeError or ValueError if it is not."""
        headers = {str(name): str(value) for name, value in dict(document["headers"]).items()}
        return cls(int(document["size"]), document["sha256"], headers)


def _nanoseconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        return int(parsedate_to_datetime(date).timestamp()) * 10**9
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
