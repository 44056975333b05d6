"""What to answer to a GET or HEAD: status, headers and pieces, as a pure function.

The body is a list of *pieces*: bytes to send as they are, and spans of the representation. It
never holds file content, so a multi-range answer costs a few hundred bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from penstock.downloads.conditions import (
    RequestFields,
    etag_field,
    http_date,
    precondition_status,
    range_applies,
)
from penstock.octets.digests import digest_field
from penstock.octets.ranges import Span, content_range, parse_range

Piece = bytes | Span


@dataclass(frozen=True, slots=True)
class Representation:
    """What can be downloaded: a file, or a ZIP that does not exist yet.

    Without an ``etag`` nothing says that a second request gives the same bytes, so there are no
    ranges. ``starts_at`` tells from which offsets it can be sent, if not from all: a range from
    elsewhere is answered with the whole.
    """

    size: int
    etag: str | None
    modified_ns: int | None
    content_type: str
    sha256: bytes | None = None
    starts_at: Callable[[int], bool] | None = None


@dataclass(frozen=True, slots=True)
class SendPlan:
    """Status, headers and body of the answer."""

    status: int
    headers: dict[str, str]
    pieces: Sequence[Piece] = field(default=())

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.pieces))


def plan_download(
    fields: RequestFields, what: Representation, *, now: float, most_ranges: int = 32
) -> SendPlan:
    """Weigh the conditions and ranges of a GET or HEAD (RFC 9110 §13.2.2 and §14).

    ``now`` is the time in seconds, needed to tell whether a date is a strong validator.
    """
    headers = _validators(what)
    status = precondition_status(fields, what.etag, what.modified_ns)
    if status == 304:
        return SendPlan(304, headers)
    if status is not None:
        return SendPlan(status, {})
    if what.sha256 is not None:
        headers["Repr-Digest"] = digest_field(what.sha256)
    spans = None
    if "Range" in fields and range_applies(fields, what.etag, what.modified_ns, now):
        spans = parse_range(fields["Range"], what.size, most=most_ranges)
    if spans and what.starts_at is not None and not all(what.starts_at(s.start) for s in spans):
        spans = None
    return _answer(what, headers, spans)


def _validators(what: Representation) -> dict[str, str]:
    if what.etag is None:
        return {"Accept-Ranges": "none"}
    headers = {"ETag": etag_field(what.etag), "Accept-Ranges": "bytes"}
    if what.modified_ns is not None:
        headers["Last-Modified"] = http_date(what.modified_ns)
    return headers


def _answer(what: Representation, headers: dict[str, str], spans: list[Span] | None) -> SendPlan:
    if spans is None:
        whole = [Span(0, what.size)] if what.size else []
        return SendPlan(200, headers | {"Content-Type": what.content_type}, whole)
    if not spans:
        return SendPlan(416, {"Content-Range": f"bytes */{what.size}"})
    if len(spans) == 1:
        headers["Content-Type"] = what.content_type
        headers["Content-Range"] = content_range(spans[0], what.size)
        return SendPlan(206, headers, spans)
    return _multipart(what, headers, spans)


def _multipart(what: Representation, headers: dict[str, str], spans: list[Span]) -> SendPlan:
    """``multipart/byteranges`` (RFC 9110 §14.6), the parts in the order asked for."""
    # Derived from the request, so that the same request gives the same bytes. The digest cannot
    # be forced into file content by someone who does not know the etag in advance.
    boundary = sha256(f"{what.etag}{spans}".encode()).hexdigest()[:32]
    pieces: list[Piece] = []
    for span in spans:
        head = (
            f"--{boundary}\r\nContent-Type: {what.content_type}\r\n"
            f"Content-Range: {content_range(span, what.size)}\r\n\r\n"
        )
        pieces += [(b"\r\n" if pieces else b"") + head.encode("latin-1"), span]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    headers["Content-Type"] = f"multipart/byteranges; boundary={boundary}"
    return SendPlan(206, headers, pieces)
