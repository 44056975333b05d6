"""Which parts a composed object is made of: a pure function.

What can be copied is copied; the rest is uploaded. S3 wants every part but the last to have
5 MiB, so where fewer bytes lie between two copied stretches there are two ways out:

* *tax*: the upload takes the beginning of the next stretch in, up to 5 MiB, which is read for it;
* *graft*: the copy before ends 5 MiB earlier; a temporary object is made of those 5 MiB, copied,
  and of the bytes between, as its last part; and that object is copied in whole. It takes four
  requests more, but no byte of a stretch is read.

Where there are more parts than an object may have, slices of them become temporary objects too.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from penstock.errors import TooLarge
from penstock.stores.composing import Stretch
from penstock.stores.s3.parts import LARGEST_PART, LEAST_PART, MIB, MOST_PARTS

_LARGE_UPLOAD: Final = 64 * MIB
"""What parts that are uploaded grow to before objects are nested: more would not stay in memory."""
_GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Upload:
    """A part whose bytes are read here and sent."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Copy:
    """A part that is copied out of the source of ``stretch``."""

    stretch: Stretch
    start: int
    stop: int

    @property
    def first(self) -> int:
        """Where in the source it begins."""
        return self.stretch.offset + self.start - self.stretch.start


@dataclass(frozen=True, slots=True)
class Made:
    """A part that is a temporary object, itself made of parts."""

    parts: "tuple[Piece, ...]"

    @property
    def start(self) -> int:
        return self.parts[0].start

    @property
    def stop(self) -> int:
        return self.parts[-1].stop


Piece = Upload | Copy | Made
Leaf = Upload | Copy


class Limits(NamedTuple):
    """What a covering depends on beside the stretches.

    ``part`` is the usual size of an upload in bytes, ``most`` the number of parts an object may
    have; without ``copies`` the server copies nothing. Prices are dollars: ``put`` and ``get``
    for 1,000 requests, ``out`` for a GiB that is read.
    """

    part: int = 8 * MIB
    most: int = MOST_PARTS
    copies: bool = True
    put: float = 0.005
    get: float = 0.0004
    out: float = 0.0


def covering(size: int, stretches: Iterable[Stretch], limits: Limits) -> Sequence[Piece]:
    """The parts of an object of ``size`` bytes, in order. ``stretches`` are too, and apart.

    :raises TooLarge: no object of so many parts can have that many bytes.
    """
    if size > limits.most * LARGEST_PART:
        raise _too_large(limits)
    layout = _Layout(limits)
    for stretch in stretches if limits.copies else ():
        layout.add(stretch)
    layout.end(size)
    parts = _cut(layout.pieces, size, limits)
    while len(parts) > limits.most:
        fewer = _sliced(parts, limits.most)
        if len(fewer) == len(parts):
            raise _too_large(limits)
        parts = fewer
    return parts


def leaves(parts: Iterable[Piece]) -> Iterator[Leaf]:
    """What is uploaded and copied, in order, with what temporary objects are made of."""
    for part in parts:
        if isinstance(part, Made):
            yield from leaves(part.parts)
        else:
            yield part


class _Layout:
    """Stretches and what lies between them, not cut yet."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._at = 0
        self.pieces: list[Piece] = []

    def add(self, stretch: Stretch) -> None:
        """Copy a stretch, if enough of it is left: else it counts to what is uploaded."""
        between = stretch.start - self._at
        start, graft = stretch.start, False
        if 0 < between < LEAST_PART:
            graft = self._grafts(LEAST_PART - between)
            start += 0 if graft else LEAST_PART - between
        if stretch.stop - start < LEAST_PART:
            return
        if graft:
            self._graft(start)
        elif start > self._at:
            self.pieces.append(Upload(self._at, start))
        self.pieces.append(Copy(stretch, start, stretch.stop))
        self._at = stretch.stop

    def end(self, size: int) -> None:
        """Upload what is left; the last part may be small."""
        if self._at < size or not self.pieces:
            self.pieces.append(Upload(self._at, size))

    def _grafts(self, taxed: int) -> bool:
        """Whether a graft can be had, and is cheaper than a tax of so many bytes."""
        before = self.pieces[-1] if self.pieces else None
        if not isinstance(before, Copy):
            return False
        length = before.stop - before.start
        if length != LEAST_PART and length < 2 * LEAST_PART:
            return False
        limits = self._limits
        tax = limits.put + limits.get + limits.out * taxed / _GIB * 1000
        # Create, copy, upload, complete, and the copy of what was made.
        return 5 * limits.put < tax

    def _graft(self, stop: int) -> None:
        before = self.pieces.pop()
        assert isinstance(before, Copy)
        cut = before.stop - LEAST_PART
        if cut > before.start:
            self.pieces.append(Copy(before.stretch, before.start, cut))
        end = Copy(before.stretch, cut, before.stop)
        self.pieces.append(Made((end, Upload(before.stop, stop))))


def _cut(pieces: Sequence[Piece], size: int, limits: Limits) -> list[Piece]:
    """The same in parts that are not too large; those that are uploaded not too many either."""
    part = max(limits.part, LEAST_PART)
    if limits.copies:
        # Beyond that it is better to nest.
        while part < _LARGE_UPLOAD and sum(_count(piece, part) for piece in pieces) > limits.most:
            part = min(2 * part, _LARGE_UPLOAD)
    else:
        part = max(part, -(-size // (limits.most * MIB)) * MIB)
    return [cut for piece in pieces for cut in _evenly(piece, _count(piece, part))]


def _count(piece: Piece, part: int) -> int:
    """How many parts a piece is cut into."""
    length = piece.stop - piece.start
    if isinstance(piece, Made):
        return 1
    if isinstance(piece, Copy):
        return -(-length // LARGEST_PART)
    count = max(1, -(-length // part))
    # All are alike, so the last of several can be too small for one that others follow.
    return count - 1 if count > 1 and length // count < LEAST_PART else count


def _evenly(piece: Piece, count: int) -> Iterator[Piece]:
    if isinstance(piece, Made):
        yield piece
        return
    length = piece.stop - piece.start
    for number in range(count):
        start = piece.start + length * number // count
        stop = piece.start + length * (number + 1) // count
        yield Copy(piece.stretch, start, stop) if isinstance(piece, Copy) else Upload(start, stop)


def _sliced(parts: Sequence[Piece], most: int) -> list[Piece]:
    """Slices of the parts made objects of their own, no more of them than are needed."""
    excess = len(parts) - most
    sliced: list[Piece] = []
    group: list[Piece] = []
    length = 0
    for part in parts:
        more = part.stop - part.start
        if group and (not excess or len(group) == most or length + more > LARGEST_PART):
            sliced.append(_as_one(group))
            group, length = [], 0
        if group:
            excess -= 1
        group.append(part)
        length += more
    sliced.append(_as_one(group))
    return sliced


def _as_one(group: Sequence[Piece]) -> Piece:
    return group[0] if len(group) == 1 else Made(tuple(group))


def _too_large(limits: Limits) -> TooLarge:
    return TooLarge(
        f"it has more bytes than {limits.most:,} parts of 5 GiB, which is what the S3 store takes "
        "of one file; make several of it"
    )
