"""The plan of one ZIP: its exact size, its ETag, and its bytes from any offset.

Nothing here depends on the clock, the machine or the run: the same entries in the same order make
the same ZIP, which is what lets a download resume.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import chain

from isal.isal_zlib import crc32, crc32_combine

from penstock.zipstream.columns import Columns
from penstock.zipstream.entry import Member, Rename, Segment
from penstock.zipstream.records import (
    CENTRAL_LENGTH,
    SATURATED,
    central_header,
    end_records,
    local_header,
)

_PIECE = 65_536  # headers are joined up to this many bytes


class Plan:
    """A ZIP before a byte of it is sent. Made by `PlanBuilder` or `plan_zip`; never changes.

    An index ``i`` counts the entries as they were added, from 0.
    """

    __slots__ = (
        "_columns", "_crc32", "_directory", "_end", "_far", "_large", "_offsets",
        "etag", "renames", "size",
    )  # fmt: skip

    size: int
    """Length of the whole ZIP in bytes."""
    etag: str
    """Names these bytes and no others: ``z1-`` and 64 hex digits, without quotes."""
    renames: Sequence[Rename]
    """The entries that could not keep their name, in order; each is made when it is asked for."""

    def __init__(self, columns: Columns, renames: Sequence[Rename]) -> None:
        self._columns = columns
        self._offsets = columns.offsets()
        self._large = columns.large()
        self._far = bisect_left(self._offsets, SATURATED, 0, len(columns))
        self._directory = self._offsets[-1]
        length = self._central_offset(len(columns))
        self._end = end_records(len(columns), length, self._directory)
        self._crc32: int | None = None
        self.size = self._directory + length + len(self._end)
        self.etag = "z1-" + columns.sha256()
        self.renames = renames

    def __len__(self) -> int:
        return len(self._columns)

    def name(self, i: int) -> str:
        """The final name: safe, and unlike every other."""
        return self._columns.names[i].decode()

    def size_of(self, i: int) -> int:
        return self._columns.sizes[i]

    def crc32_of(self, i: int) -> int:
        return self._columns.crc32s[i]

    def modified(self, i: int) -> int:
        return self._columns.modified[i]

    def token(self, i: int) -> int:
        return self._columns.tokens[i]

    @property
    def crc32(self) -> int:
        """CRC-32 of the whole ZIP, worked out from those of the members at the first call.

        No member is read; it takes a few microseconds for each.
        """
        if self._crc32 is None:
            self._crc32 = self._combined_crc32()
        return self._crc32

    def segments(self, start: int = 0, stop: int | None = None) -> Iterator[Segment]:
        """The bytes ``start`` ≤ position < ``stop`` of the ZIP, made as they are asked for.

        Starting in the middle costs O(log n). Header bytes come joined, in pieces of at most
        64 KiB. Raises ValueError unless 0 ≤ start ≤ stop ≤ size.
        """
        stop = self.size if stop is None else stop
        if not 0 <= start <= stop <= self.size:
            raise ValueError(f"bytes {start} to {stop} are not within a ZIP of {self.size} bytes")
        return _joined(self._cut(start, stop))

    def _cut(self, start: int, stop: int) -> Iterator[Segment]:
        position, pieces = self._pieces_from(start)
        for piece in pieces:
            before = position
            position += piece.stop if isinstance(piece, Member) else len(piece)
            if start <= before and position <= stop:
                yield piece
            elif start < position and before < stop:
                yield _stretch(piece, max(start - before, 0), min(stop, position) - before)
            if position >= stop:
                return

    def _pieces_from(self, start: int) -> tuple[int, Iterator[Segment]]:
        """Whole pieces up to the end of the ZIP, and the position (≤ start) of the first."""
        n = len(self)
        end = iter((self._end,))
        if start < self._directory:
            i = bisect_right(self._offsets, start) - 1
            return self._offsets[i], chain(self._bodies(i), self._centrals(0), end)
        i = bisect_right(range(n + 1), start - self._directory, key=self._central_offset) - 1
        return self._directory + self._central_offset(i), chain(self._centrals(i), end)

    def _bodies(self, first: int) -> Iterator[Segment]:
        for i, row in enumerate(self._columns.rows(first), first):
            yield local_header(*row)
            if row[1]:
                yield Member(i, 0, row[1])

    def _centrals(self, first: int) -> Iterator[bytes]:
        rows = zip(self._columns.rows(first), memoryview(self._offsets)[first:-1], strict=True)
        for row, offset in rows:
            yield central_header(*row, offset)

    def _central_offset(self, i: int) -> int:
        """Where entry ``i`` starts in the central directory, counted from its beginning.

        A ZIP64 extra takes 4 bytes, and 16 for a large member, and 8 for one that starts far out;
        from the entry ``_far`` on all of them do, because offsets only grow.
        """
        large = bisect_left(self._large, i)
        far = max(i - self._far, 0)
        large_and_far = max(large - bisect_left(self._large, self._far), 0)
        plain = CENTRAL_LENGTH * i + self._columns.names.starts[i]
        return plain + 20 * large + 12 * far - 4 * large_and_far

    def _combined_crc32(self) -> int:
        value = 0
        for name, size, crc, modified in self._columns.rows(0):
            value = crc32(local_header(name, size, crc, modified), value)
            value = crc32_combine(value, crc, size)
        for header in self._centrals(0):
            value = crc32(header, value)
        return crc32(self._end, value)


def _stretch(piece: Segment, first: int, last: int) -> Segment:
    if isinstance(piece, Member):
        return Member(piece.index, first, last)
    return piece[first:last]


def _joined(pieces: Iterator[Segment]) -> Iterator[Segment]:
    """Put header bytes that follow each other together, up to ``_PIECE``."""
    run: list[bytes] = []
    length = 0
    for piece in pieces:
        if isinstance(piece, Member):
            if run:
                yield b"".join(run)
                run, length = [], 0
            yield piece
            continue
        if run and length + len(piece) > _PIECE:
            yield b"".join(run)
            run, length = [], 0
        run.append(piece)
        length += len(piece)
    if run:
        yield b"".join(run)
