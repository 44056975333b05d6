"""A file of another server, as its headers describe it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate

from penstock.octets.ranges import parse_content_range
from penstock.remote.fields import (
    content_length,
    file_name,
    http_seconds,
    is_fresh,
    repr_digest,
    strong_etag,
)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What is known of a remote file; ``None`` is not known.

    ``headers`` are the caller's and go with every request. ``size`` is bytes, ``etag`` a strong
    entity tag with its quotes, ``modified`` seconds since 1970, ``ranges`` whether parts of it
    can be asked for, ``file_name`` what ``Content-Disposition`` calls it (RFC 6266), ``sha256`` (32
    bytes) what ``Repr-Digest`` says (RFC 9530). ``fresh``: it was modified in the very second in
    which it was asked for, so ``modified`` may not tell the next version from this one
    (RFC 9110 §8.8.2.2).

    Neither URL nor headers are in its ``repr``: they may hold secrets.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    size: int | None = None
    etag: str | None = None
    modified: int | None = None
    ranges: bool = False
    content_type: str | None = None
    file_name: str | None = None
    sha256: bytes | None = None
    fresh: bool = False

    @property
    def version(self) -> str | None:
        """A text that another state of the file will not have; ``None`` if nothing tells."""
        if self.etag is not None:
            return f"{self.etag} {self.size}"
        if self.modified is not None and self.size is not None and not self.fresh:
            return f"{self.modified} {self.size}"
        return None

    def described(self, status: int, answer: Mapping[str, str]) -> "RemoteFile":
        """The file as an answer of 200, 206 or 416 with these headers describes it."""
        kind = answer.get("Content-Type", "").strip()
        return replace(
            self,
            size=_size(status, answer),
            etag=strong_etag(answer.get("ETag")),
            modified=http_seconds(answer.get("Last-Modified")),
            ranges=status == 206 or "bytes" in answer.get("Accept-Ranges", "").lower(),
            content_type=kind or None,
            file_name=file_name(answer.get("Content-Disposition")),
            sha256=repr_digest(answer.get("Repr-Digest")),
            fresh=is_fresh(answer.get("Last-Modified"), answer.get("Date")),
        )

    def completed(self, told: "RemoteFile") -> "RemoteFile":
        """With what was not known taken from ``told``."""
        return replace(
            self,
            size=told.size if self.size is None else self.size,
            etag=self.etag or told.etag,
            modified=told.modified if self.modified is None else self.modified,
            ranges=self.ranges or told.ranges,
            sha256=self.sha256 or told.sha256,
            fresh=told.fresh if self.modified is None else self.fresh,
        )

    def contradicts(self, told: "RemoteFile") -> bool:
        """Whether ``told`` is another version: its size, digest, tag or time is different."""
        if None not in (self.size, told.size) and self.size != told.size:
            return True
        if None not in (self.sha256, told.sha256) and self.sha256 != told.sha256:
            return True
        if self.etag is not None:
            return told.etag != self.etag
        return self.modified is not None and told.modified != self.modified

    @property
    def resumable(self) -> bool:
        """Whether reading can go on in the middle without mixing versions."""
        return self.ranges and bool(self.validators)

    @property
    def validators(self) -> dict[str, str]:
        """Which version a request is meant for (RFC 9110 §13.1); empty if nothing tells."""
        if self.etag is not None:
            return {"If-Match": self.etag}
        if self.modified is not None and not self.fresh:
            return {"If-Unmodified-Since": formatdate(self.modified, usegmt=True)}
        return {}


def _size(status: int, answer: Mapping[str, str]) -> int | None:
    if status == 206:
        told = parse_content_range(answer.get("Content-Range", ""))
        return told[1] if told else None
    if status == 416:
        return 0 if answer.get("Content-Range") == "bytes */0" else None
    return content_length(answer.get("Content-Length"))
