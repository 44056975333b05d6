"""One answer brought to its place in a part, by a worker thread."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from isal import igzip_lib, isal_zlib
from yarl import URL

from penstock.client.address import REDIRECTS, Moved
from penstock.client.answers import Version, sha256_of
from penstock.client.arrivals import Arrivals, Claim
from penstock.client.lane import Lane, Reply
from penstock.client.part_file import PartFile
from penstock.client.problems import shown
from penstock.errors import (
    ChecksumMismatch,
    PenstockError,
    RangeNotSatisfiable,
    ServerUnavailable,
    SourceChanged,
)
from penstock.octets.ranges import Span, parse_content_range

MOST_CHECKED = 32 << 20
"""Bytes of the longest answer that is held back until its ``Content-Digest`` was verified."""

_GZIP = 31
"""The window bits that stand for the gzip format."""


class NoRanges(Exception):
    """The server answers the whole to whatever range."""


@dataclass(frozen=True, slots=True)
class Question:
    """How to ask at ``url``, with ``headers``.

    ``exact``: always for a range with both ends; ``gzip``: ranges may come as file_upload sends
    them, compressed on their own.
    """

    url: URL
    headers: Mapping[str, str]
    exact: bool = False
    gzip: bool = False

    @property
    def name(self) -> str:
        """The address as it may be told."""
        return shown(self.url)

    def for_claim(self, claim: Claim, version: Version) -> dict[str, str]:
        """The headers that ask for a stretch of the very same version (RFC 9110 §13.1.5)."""
        to_the_end = claim.stop == version.size and not self.exact
        last = "" if to_the_end or version.size is None else claim.stop - 1
        headers = {**self.headers, "Range": f"bytes={claim.at}-{last}"}
        if self.exact:
            headers["Want-Content-Digest"] = "sha-256=10"
        if self.gzip:
            headers["Accept-Encoding"] = "gzip"  # a condition on the version would prevent it
        elif version.validator is not None:
            headers["If-Range"] = version.validator
        return headers


def answered(
    lane: Lane, method: str, url: URL, headers: Mapping[str, str], thinking: float = 0.0
) -> Reply:
    """The answer to a request if it is a good one; see :meth:`Lane.ask`.

    :raises Moved: it is to be asked for elsewhere.
    :raises PenstockError: the error that the server answers.
    """
    reply = lane.ask(method, url, headers, thinking)
    location = reply.headers.get("Location")
    if reply.status in REDIRECTS and location is not None:
        with suppress(ServerUnavailable):
            reply.rest()
        raise Moved(location)
    reply.raise_for_status(f"{method} {shown(url)}")
    return reply


def readable_version(headers: Mapping[str, str], url: URL) -> Version:
    """The version that an answer with these headers brings.

    :raises PenstockError: nobody could tell whether it comes whole, or it is encoded.
    """
    version = Version.from_headers(headers)
    if headers.get("Content-Encoding", "identity") != "identity":
        raise PenstockError(f"{shown(url)} came encoded although it was asked for as it is")
    if version.size is None and headers.get("Transfer-Encoding", "").lower() != "chunked":
        raise PenstockError(f"{shown(url)} came in a way that does not tell whether it is whole")
    return version


def whole_version(reply: Reply, url: URL) -> Version:
    """As :func:`readable_version`, of an answer that must be the whole file."""
    if reply.status != 200:
        raise PenstockError(f"{shown(url)} answers {reply.status} to a request for the whole file")
    return readable_version(reply.headers, url)


def carry(
    question: Question,
    lane: Lane,
    part: PartFile,
    arrivals: Arrivals,
    claim: Claim,
    heard: Callable[[Mapping[str, str]], None],
) -> None:
    """Ask for ``claim`` and bring it to its place; ``heard`` is told the headers at once.

    :raises SourceChanged: there is another version now.
    :raises NoRanges: ranges cannot be had, and others are fetching.
    :raises ServerUnavailable: it broke off.
    """
    version = part.version
    assert version is not None
    url = question.url
    try:
        reply = answered(lane, "GET", url, question.for_claim(claim, version))
    except RangeNotSatisfiable as error:
        raise SourceChanged(f"{shown(url)} is shorter than before") from error
    span: Span | None
    if reply.status == 206:
        span = _span(reply, question, arrivals, claim, version)
    else:
        unsure = version.validator is None and arrivals.done > 0
        if unsure or not whole_version(reply, url).same(version):
            raise SourceChanged(f"{shown(url)} is another version than before")
        if not arrivals.take_whole(claim):
            raise NoRanges
        span = None if version.size is None else Span(0, version.size)
    heard(reply.headers)
    receive(reply, url, part, arrivals, claim, span)


def receive(
    reply: Reply, url: URL, part: PartFile, arrivals: Arrivals, claim: Claim, span: Span | None
) -> None:
    """Bring a body to its place, as far as ``claim`` reaches; it holds the bytes ``span``.

    :raises ServerUnavailable: it broke off.
    :raises ChecksumMismatch: its bytes are not those that its ``Content-Digest`` tells.
    """
    told = sha256_of(reply.headers, "Content-Digest")
    if told is not None and span is not None and len(span) <= MOST_CHECKED:
        _receive_checked(reply, url, part, arrivals, claim, span, told)
    else:
        _receive_at_once(reply, url, part, arrivals, claim, span)


def _receive_at_once(
    reply: Reply, url: URL, part: PartFile, arrivals: Arrivals, claim: Claim, span: Span | None
) -> None:
    for data in _bodies(reply, span):
        kept = data[: claim.stop - claim.at]
        missing = arrivals.missing(claim.at, claim.at + len(kept))
        for one in missing:  # never what is there: it may have been digested already
            part.write(kept[one.start - claim.at : one.stop - claim.at], one.start)
        arrivals.landed(claim, len(kept), kept if len(missing) == 1 else b"")
        if claim.is_done:
            return
    _check_end(url, claim.at, span)
    if span is None:
        arrivals.learn_size(claim.at)


def _receive_checked(
    reply: Reply,
    url: URL,
    part: PartFile,
    arrivals: Arrivals,
    claim: Claim,
    span: Span,
    told: str,
) -> None:
    """As :func:`receive`, but nothing counts before all of it was verified (RFC 9530 §2)."""
    coded = reply.headers.get("Content-Encoding") is not None
    digest, at = hashlib.sha256(), span.start
    for data in _bodies(reply, span):
        digest.update(data)
        part.write(data[: max(0, claim.stop - at)], at)
        at += len(data)
    _check_end(url, at, span)
    if not coded and digest.hexdigest() != told:
        raise ChecksumMismatch(f"bytes of {shown(url)} came damaged; they are asked for again")
    arrivals.landed(claim, min(at, claim.stop) - claim.at)


def _bodies(reply: Reply, span: Span | None) -> Iterator[bytes]:
    """The pieces of a body, never more than there should be."""
    pieces = iter(reply.read, b"")
    if reply.headers.get("Content-Encoding", "identity") == "gzip":
        pieces = _inflated(pieces)
    left = None if span is None else len(span)
    for data in pieces:
        if left is not None:
            data = data[:left]
            left -= len(data)
        if data:
            yield data
        if left == 0:
            next(pieces, b"")  # the end of the coding, which may be damaged
            return


def _inflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    inflater = isal_zlib.decompressobj(wbits=_GZIP)
    try:
        for piece in pieces:
            more = piece
            while more and not inflater.eof:
                yield inflater.decompress(more, 1 << 20)
                more = inflater.unconsumed_tail
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stub tells it wrongly
        raise ServerUnavailable("the compressed bytes that came are damaged") from error


def _check_end(url: URL, at: int, span: Span | None) -> None:
    if span is not None and at < span.stop:
        came = at - span.start
        raise ServerUnavailable(f"{url.origin()} sent {came} of {len(span)} bytes")


def _span(
    reply: Reply, question: Question, arrivals: Arrivals, claim: Claim, version: Version
) -> Span:
    """Which bytes a 206 holds, if it is the one that was asked for."""
    told = parse_content_range(reply.headers.get("Content-Range", ""))
    coding = reply.headers.get("Content-Encoding", "identity")
    if coding != "identity" and not (coding == "gzip" and question.gzip):
        raise PenstockError(f"{question.name} came encoded although it was asked for as it is")
    if not _is_of(Version.from_headers(reply.headers), version, coded=coding == "gzip"):
        raise SourceChanged(f"{question.name} is another version than before")
    if told is None or told[0].start != claim.at:
        raise SourceChanged(f"{question.name} answered another range than was asked for")
    if told[1] is not None:
        arrivals.learn_size(told[1])
    return told[0]


def _is_of(told: Version, version: Version, *, coded: bool) -> bool:
    """Whether a range belongs to ``version``; the tag of a compressed one only begins like it."""
    if not coded or version.etag is None or told.etag is None:
        return told.same(version)
    whose = told.etag == version.etag or told.etag.startswith(version.etag[:-1] + "-")
    return told.size == version.size and whose
