"""Where every record of a ZIP starts, from its entries alone."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

from penstock.errors import TooLarge
from penstock.zipstream.blocks import framed_length
from penstock.zipstream.columns import FRAMED, STORED, Columns
from penstock.zipstream.records import (
    CENTRAL_LENGTH,
    SATURATED,
    described_length,
    descriptor_length,
    end_records,
    is_wide,
    local_length,
)


class Geometry:
    """Positions in bytes. Raises TooLarge past what 64 bits can count."""

    __slots__ = ("_far", "_large", "_names", "directory", "end", "offsets", "size")

    offsets: "array[int]"
    """Where each local header starts, and at last where the central directory does."""
    directory: int
    """Where the central directory starts."""
    end: bytes
    """The end records."""
    size: int
    """Length of the whole."""

    def __init__(self, columns: Columns) -> None:
        n = len(columns)
        self._names = columns.names.starts
        self.offsets = _offsets(columns)
        self._large = array(
            "Q", (i for i, size in enumerate(_packed(columns)) if size >= SATURATED)
        )
        self._far = bisect_left(self.offsets, SATURATED, 0, n)
        self.directory = self.offsets[-1]
        length = self.central_offset(n)
        self.end = end_records(n, length, self.directory)
        self.size = self.directory + length + len(self.end)

    def central_offset(self, i: int) -> int:
        """Where entry ``i`` starts in the central directory, counted from its beginning.

        A ZIP64 extra takes 4 bytes, and 16 for a large member, and 8 for one that starts far out;
        from the entry ``_far`` on all of them do, because offsets only grow.
        """
        large = bisect_left(self._large, i)
        far = max(i - self._far, 0)
        large_and_far = max(large - bisect_left(self._large, self._far), 0)
        plain = CENTRAL_LENGTH * i + self._names[i]
        return plain + 20 * large + 12 * far - 4 * large_and_far

    def member_at(self, position: int) -> int:
        """The entry whose header, bytes or descriptor hold ``position`` < ``directory``."""
        return bisect_right(self.offsets, position) - 1

    def central_at(self, position: int) -> int:
        """The entry whose central header holds ``position`` ≥ ``directory``, or their count."""
        among = range(len(self.offsets))
        return bisect_right(among, position - self.directory, key=self.central_offset) - 1

    def framed_bounds(self, i: int, size: int) -> tuple[int, int]:
        """Where the stream of the framed member ``i`` of ``size`` plain bytes starts and stops."""
        packed = framed_length(size)
        wide = is_wide(size, packed)
        stop = self.offsets[i + 1] - descriptor_length(wide=wide)
        return stop - packed, stop


def _offsets(columns: Columns) -> "array[int]":
    spans = zip(pairwise(columns.names.starts), columns.sizes, strict=True)
    if columns.worst == STORED:
        lengths = (local_length(stop - start, size) + size for (start, stop), size in spans)
    else:
        lengths = (
            _framed_span(stop - start, size)
            if kind == FRAMED
            else local_length(stop - start, size) + size
            for kind, ((start, stop), size) in zip(columns.kinds, spans, strict=True)
        )
    try:
        return array("Q", accumulate(lengths, initial=0))
    except OverflowError:
        raise TooLarge("The ZIP would be longer than 16 EiB; choose fewer files.") from None


def _framed_span(name_length: int, size: int) -> int:
    packed = framed_length(size)
    wide = is_wide(size, packed)
    header = described_length(name_length, wide=wide)
    return header + packed + descriptor_length(wide=wide)


def _packed(columns: Columns) -> Iterator[int]:
    """The length of every member in the ZIP, without headers."""
    if columns.worst == STORED:
        return iter(columns.sizes)
    rows = zip(columns.kinds, columns.sizes, strict=True)
    return (framed_length(size) if kind == FRAMED else size for kind, size in rows)
