"""The plan of one ZIP: its exact size, its ETag, and its bytes from any offset.

Nothing here depends on the clock, the machine or the run: the same entries in the same order make
the same ZIP, which is what lets a download resume.
"""

from array import array
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import chain

from isal.isal_zlib import crc32, crc32_combine

from penstock.zipstream.columns import DEFLATED, FRAMED, OPEN, STORED, Columns
from penstock.zipstream.entry import Layout, Member, Rename, Segment
from penstock.zipstream.geometry import Geometry
from penstock.zipstream.pieces import Crc32s, bodies, centrals, joined, stretch
from penstock.zipstream.records import local_header


class Plan:
    """A ZIP before a byte of it is sent. Made by `PlanBuilder` or `plan_zip`; never changes.

    An index ``i`` counts the entries as they were added, from 0. A plan is *open* if a member is
    to be deflated or has no size: then it has no size either, and a `ZipWriter` writes it.
    """

    __slots__ = ("_columns", "_crc32", "_geometry", "etag", "layout", "renames", "size")

    size: int | None
    """Length of the whole ZIP in bytes; ``None`` if the plan is open."""
    etag: str | None
    """Names these bytes and no others: ``z1-`` and 64 hex digits, without quotes.

    ``None`` if the plan is open.
    """
    layout: Layout
    """The worst layout of its members."""
    renames: Sequence[Rename]
    """The entries that could not keep their name, in order; each is made when it is asked for."""

    def __init__(self, columns: Columns, renames: Sequence[Rename]) -> None:
        self._columns = columns
        self._crc32: int | None = None
        self._geometry = Geometry(columns) if columns.worst < OPEN else None
        self.size = self._geometry.size if self._geometry else None
        self.etag = "z1-" + columns.sha256() if self._geometry else None
        self.layout = _layout(columns.worst)
        self.renames = renames

    def with_crc32s(self, crc32s: "array[int]") -> "Plan":
        """The same ZIP of stored members with these CRC-32s, one for each, in place of its own.

        A CRC-32 is read when a header that holds it is made, so it may be put into the array as
        late as that. The etag stays that of this plan: give the entries of this one all the CRC-32
        0, and it names the ZIP by everything else.

        Raises ValueError unless all members are stored and there is one CRC-32 for each.
        """
        if self.layout is not Layout.STORED or len(crc32s) != len(self):
            raise ValueError("there must be one CRC-32 for each of the members, all stored")
        plan = copy(self)
        plan._columns = copy(self._columns)
        plan._columns.crc32s = crc32s
        plan._crc32 = None
        return plan

    def __len__(self) -> int:
        return len(self._columns)

    def name(self, i: int) -> str:
        """The final name: safe, and unlike every other."""
        return self._columns.names[i].decode()

    def size_of(self, i: int) -> int | None:
        """Plain bytes of the member; ``None`` if that is not known."""
        return self._columns.size(i)

    def crc32_of(self, i: int) -> int | None:
        """CRC-32 of the member's plain bytes; ``None`` if that is not known."""
        return self._columns.crc32(i)

    def modified(self, i: int) -> int:
        return self._columns.modified[i]

    def token(self, i: int) -> int:
        return self._columns.tokens[i]

    def is_stored(self, i: int) -> bool:
        """Do its bytes stand in the ZIP as they are?"""
        return self._columns.kinds[i] == STORED

    def is_framed(self, i: int) -> bool:
        """Do its bytes stand in the ZIP in stored blocks?"""
        return self._columns.kinds[i] == FRAMED

    def is_deflated(self, i: int) -> bool:
        """Was it asked to be deflated?"""
        return bool(self._columns.kinds[i] & DEFLATED)

    @property
    def geometry(self) -> Geometry:
        """Where the records start. Raises ValueError if the plan is open."""
        if self._geometry is None:
            raise ValueError("a ZIP with deflated members or unknown sizes is made by a ZipWriter")
        return self._geometry

    @property
    def crc32(self) -> int | None:
        """CRC-32 of the whole ZIP, worked out from those of the members at the first call.

        No member is read; it takes a few microseconds for each. ``None`` unless all are stored.
        """
        if self._crc32 is None and self.layout is Layout.STORED:
            self._crc32 = self._combined_crc32()
        return self._crc32

    def segments(
        self, start: int = 0, stop: int | None = None, learned: Crc32s | None = None
    ) -> Iterator[Segment]:
        """The bytes ``start`` ≤ position < ``stop`` of the ZIP, made as they are asked for.

        Starting in the middle costs O(log n). Header bytes come joined, in pieces of at most
        64 KiB. Raises ValueError if the plan is open, or unless 0 ≤ start ≤ stop ≤ size.

        The CRC-32 of a framed member is taken from ``learned`` when the records behind it are
        made, which is not before the next segment after its last bytes is asked for; then
        LookupError is raised if it is not known.
        """
        size = self.geometry.size
        stop = size if stop is None else stop
        if not 0 <= start <= stop <= size:
            raise ValueError(f"bytes {start} to {stop} are not within a ZIP of {size} bytes")
        if stop - start == size:  # nothing to cut
            return joined(self._pieces_from(0, learned)[1])
        return joined(self._cut(start, stop, learned))

    def _cut(self, start: int, stop: int, learned: Crc32s | None) -> Iterator[Segment]:
        position, pieces = self._pieces_from(start, learned)
        for piece in pieces:
            before = position
            position += piece.stop if isinstance(piece, Member) else len(piece)
            if start <= before and position <= stop:
                yield piece
            elif start < position and before < stop:
                yield stretch(piece, max(start - before, 0), min(stop, position) - before)
            if position >= stop:
                return

    def _pieces_from(self, start: int, learned: Crc32s | None) -> tuple[int, Iterator[Segment]]:
        """Whole pieces up to the end of the ZIP, and the position (≤ start) of the first."""
        columns, geometry = self._columns, self.geometry
        end = iter((geometry.end,))
        if start < geometry.directory:
            i = geometry.member_at(start)
            members = bodies(columns, i, learned)
            directory = centrals(columns, geometry, 0, learned)
            return geometry.offsets[i], chain(members, directory, end)
        i = geometry.central_at(start)
        directory = centrals(columns, geometry, i, learned)
        return geometry.directory + geometry.central_offset(i), chain(directory, end)

    def _combined_crc32(self) -> int:
        value = 0
        for name, size, crc, modified in self._columns.rows(0):
            value = crc32(local_header(name, size, crc, modified), value)
            value = crc32_combine(value, crc, size)
        for header in centrals(self._columns, self.geometry, 0, None):
            value = crc32(header, value)
        return crc32(self.geometry.end, value)


def _layout(worst: int) -> Layout:
    if worst >= OPEN:
        return Layout.DEFLATE
    return Layout.STORED_BLOCKS if worst == FRAMED else Layout.STORED
