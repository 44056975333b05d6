"""Byte ranges of RFC 9110 §14: the ``Range`` header as spans of a representation."""

import re
from dataclasses import dataclass

_RANGES_SPECIFIER = re.compile(r"bytes[ \t]*=(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_RANGE_SPEC = re.compile(r"(\d*)-(\d*)", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII | re.IGNORECASE)
# An offset of more digits than this is past the end of any file; int() of it would be slow.
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes ``start`` to ``stop`` (exclusive) of a representation."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def content_range(span: Span, size: int) -> str:
    """The ``Content-Range`` of one part (RFC 9110 §14.4)."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def parse_content_range(header: str) -> tuple[Span, int | None] | None:
    """The span that a part holds, and the size of the whole if it is told.

    ``None`` when the header says nothing that can be understood.
    """
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        return None
    size = None if match[3] == "*" else int(match[3])
    return Span(int(match[1]), int(match[2]) + 1), size


def parse_range(header: str, size: int, *, most: int = 32) -> list[Span] | None:
    """The spans of a file of ``size`` bytes that a ``Range`` header asks for, in its order.

    ``None`` means that the header is to be ignored (another unit, bad syntax, or more than
    ``most`` ranges: RFC 9110 §14.2 allows all three); an empty list that none of the ranges can
    be satisfied (status 416). Overlapping or adjacent ranges are not merged, but when they add
    up to more than the file the header is ignored, since sending it whole is cheaper.
    """
    match = _RANGES_SPECIFIER.fullmatch(header.strip())
    if match is None:
        return None
    # Empty list elements are legal (RFC 9110 §5.6.1) and must not count as ranges.
    specs = [spec for part in match[1].split(",", most * 4) if (spec := part.strip(" \t"))]
    if not specs or len(specs) > most:
        return None
    spans = []
    for spec in specs:
        parsed = _RANGE_SPEC.fullmatch(spec)
        if parsed is None or spec == "-":
            return None
        first, last = parsed.groups()
        if first and last and _number(last) < _number(first):
            return None
        span = _resolve(first, last, size)
        if span is not None:
            spans.append(span)
    if len(spans) > 1 and sum(map(len, spans)) > size:
        return None
    return spans


def _number(digits: str) -> int:
    digits = digits.lstrip("0") or "0"
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def _resolve(first: str, last: str, size: int) -> Span | None:
    """One range-spec against the size; ``None`` when it is not satisfiable."""
    if not first:
        suffix = min(_number(last), size)
        return Span(size - suffix, size) if suffix else None
    start = _number(first)
    if start >= size:
        return None
    return Span(start, min(_number(last) + 1, size) if last else size)
