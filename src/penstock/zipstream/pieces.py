"""The pieces of an exact ZIP, one after the other: headers as bytes, members as stretches.

All-stored ZIPs have loops of their own: they are the common case and should cost nothing more.
"""

from collections.abc import Iterator
from typing import Protocol

from penstock.zipstream.blocks import framed_length
from penstock.zipstream.columns import FRAMED, STORED, Columns
from penstock.zipstream.entry import Member, Segment
from penstock.zipstream.geometry import Geometry
from penstock.zipstream.records import (
    central_header,
    deflated_central_header,
    described_header,
    descriptor,
    is_wide,
    local_header,
)

_PIECE = 65_536  # headers are joined up to this many bytes


class Crc32s(Protocol):
    """Knows the CRC-32 of members, or of some of them; `Learned` is one."""

    def crc32(self, i: int) -> int | None:
        """That of the member's plain bytes, or ``None``."""


def bodies(columns: Columns, first: int, learned: Crc32s | None) -> Iterator[Segment]:
    """Local headers, members and descriptors of the entries from ``first`` on."""
    if columns.worst == STORED:
        return _stored_bodies(columns, first)
    return _mixed_bodies(columns, first, learned)


def centrals(
    columns: Columns, geometry: Geometry, first: int, learned: Crc32s | None
) -> Iterator[bytes]:
    """The central directory's headers from ``first`` on."""
    if columns.worst == STORED:
        return _stored_centrals(columns, geometry, first)
    return _mixed_centrals(columns, geometry, first, learned)


def joined(pieces: Iterator[Segment]) -> Iterator[Segment]:
    """Put header bytes that follow each other together, up to 64 KiB."""
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


def stretch(piece: Segment, first: int, last: int) -> Segment:
    """``first`` ≤ byte < ``last`` of a whole piece."""
    if isinstance(piece, Member):
        return Member(piece.index, first, last)
    return piece[first:last]


def _stored_bodies(columns: Columns, first: int) -> Iterator[Segment]:
    for i, row in enumerate(columns.rows(first), first):
        yield local_header(*row)
        if row[1]:
            yield Member(i, 0, row[1])


def _stored_centrals(columns: Columns, geometry: Geometry, first: int) -> Iterator[bytes]:
    rows = zip(columns.rows(first), memoryview(geometry.offsets)[first:-1], strict=True)
    for row, offset in rows:
        yield central_header(*row, offset)


def _mixed_bodies(columns: Columns, first: int, learned: Crc32s | None) -> Iterator[Segment]:
    for i, row in enumerate(columns.rows(first), first):
        if columns.kinds[i] == FRAMED:
            name, size, _, modified = row
            packed = framed_length(size)
            wide = is_wide(size, packed)
            yield described_header(name, modified, wide=wide)
            yield Member(i, 0, packed)
            yield descriptor(size, _crc32(columns, i, learned), packed, wide=wide)
        else:
            yield local_header(*row)
            if row[1]:
                yield Member(i, 0, row[1])


def _mixed_centrals(
    columns: Columns, geometry: Geometry, first: int, learned: Crc32s | None
) -> Iterator[bytes]:
    rows = zip(columns.rows(first), memoryview(geometry.offsets)[first:-1], strict=True)
    for i, (row, offset) in enumerate(rows, first):
        if columns.kinds[i] == FRAMED:
            name, size, _, modified = row
            crc32 = _crc32(columns, i, learned)
            packed = framed_length(size)
            yield deflated_central_header(
                name, size, crc32, modified, packed, offset, described=True
            )
        else:
            yield central_header(*row, offset)


def _crc32(columns: Columns, i: int, learned: Crc32s | None) -> int:
    crc32 = learned.crc32(i) if learned else None
    if crc32 is None:
        name = columns.names[i].decode()
        raise LookupError(f"the CRC-32 of {name!r} is not known: not all of it was sent")
    return crc32
