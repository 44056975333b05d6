"""Where a file is cut into parts that go into S3 ahead of its end: a pure function.

Of a known length all parts are alike but the last. Of an unknown one they double now and then, so
that small files do not wait for large parts, and the largest object still fits.
"""

from typing import Final, NamedTuple

from penstock.errors import TooLarge
from penstock.stores.s3.parts import LARGEST_PART, MIB, part_size

_STEPS: Final = 12
"""How often the size has doubled when the parts are used up: 5 MiB, the least, becomes 5 GiB
after ten steps, and all parts together have more than 5 TiB."""


class Cuts(NamedTuple):
    """``part`` bytes, doubled whenever there are ``doubled`` more parts; 0: never."""

    part: int
    doubled: int = 0

    def span(self, number: int) -> tuple[int, int]:
        """Where the part ``number`` (from 1) starts and stops."""
        if not self.doubled:
            return (number - 1) * self.part, number * self.part
        start, size, left = 0, self.part, number - 1
        while left >= self.doubled:
            start += self.doubled * size
            size = max(self.part, min(2 * size, LARGEST_PART))
            left -= self.doubled
        start += left * size
        return start, start + size

    def spans(self, size: int) -> list[tuple[int, int]]:
        """All parts of ``size`` bytes, in order."""
        found: list[tuple[int, int]] = []
        while not found or found[-1][1] < size:
            start, stop = self.span(len(found) + 1)
            found.append((start, min(stop, size)))
        return found


def cuts_of(wanted: int, size: int | None, most_parts: int) -> Cuts:
    """The cuts of ``size`` bytes into ``most_parts`` at most, of ``wanted`` bytes where that does.

    :raises TooLarge: no object can have that many bytes.
    """
    if size is None:
        return Cuts(part_size(wanted, 0), max(1, most_parts // _STEPS))
    fitting = -(-size // (most_parts * MIB)) * MIB
    part = max(part_size(wanted, size), fitting)
    if part > LARGEST_PART:
        raise TooLarge(
            f"in {most_parts:,} parts, which the S3 store takes at most, it does not fit; "
            "store it as several files"
        )
    return Cuts(part)
