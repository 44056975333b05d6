"""What a covering takes: requests and bytes, before it is carried out."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from penstock.stores.composing import Stretch, Usage
from penstock.stores.s3.compose.covering import Copy, Leaf, Made, Piece, leaves

_LISTED_AT_ONCE: Final = 1000


def usage_of(parts: Sequence[Piece], stretches: Iterable[Stretch]) -> Usage:
    """What carrying a covering of ``stretches`` out takes if all goes well at once.

    Of what is uploaded only the bytes of stretches count as received, with one GET for each: what
    the others are made of, the maker of the blueprint knows. So it does whether conditions are
    asked for (two requests), and CRC-32s of sources.
    """
    usage = Usage()
    for part in parts:
        usage = usage.plus(_made(part))
    gets = received = 0
    for length in _taxed(leaves(parts), stretches):
        gets += 1
        received += length
    # Create, its note, the list of parts, complete; and what it has become.
    fixed = Usage(puts=3 + -(-len(parts) // _LISTED_AT_ONCE), gets=1 + gets, received=received)
    if any(isinstance(part, Made) for part in parts):
        fixed = fixed.plus(Usage(puts=2))  # to find what is left of temporary objects
    return usage.plus(fixed)


def _made(part: Piece) -> Usage:
    if isinstance(part, Copy):
        return Usage(puts=1)
    if isinstance(part, Made):
        inner = Usage(puts=3)  # create, complete, copy
        for piece in part.parts:
            inner = inner.plus(_made(piece))
        return inner
    return Usage(puts=1, sent=part.stop - part.start)


def _taxed(parts: Iterable[Leaf], stretches: Iterable[Stretch]) -> Iterator[int]:
    """How many bytes of a stretch each upload has in it."""
    upcoming = iter(stretches)
    stretch = next(upcoming, None)
    for part in parts:
        while stretch is not None and stretch.stop <= part.start:
            stretch = next(upcoming, None)
        if isinstance(part, Copy):
            continue
        while stretch is not None and stretch.start < part.stop:
            yield min(stretch.stop, part.stop) - max(stretch.start, part.start)
            if stretch.stop > part.stop:
                break
            stretch = next(upcoming, None)
