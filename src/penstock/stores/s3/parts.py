"""How large the parts of a multipart upload are: a pure function.

S3 takes at most 10,000 parts of 5 MiB to 5 GiB each (the last may be smaller), 5 TiB together.
"""

from collections.abc import Iterator
from typing import Final

from penstock.errors import TooLarge

MIB: Final = 1 << 20
LEAST_PART: Final = 5 * MIB
LARGEST_PART: Final = 5 << 30
MOST_PARTS: Final = 10_000
LARGEST_OBJECT: Final = 5 << 40


def part_size(wanted: int, size: int) -> int:
    """Bytes of each part, but the last, of an object of ``size`` bytes.

    ``wanted`` is the usual size, which grows only where the number of parts would be too high.
    All are alike, because some servers insist on it, and whole MiB.

    :raises TooLarge: no object can have that many bytes.
    """
    if size > LARGEST_OBJECT:
        raise TooLarge("an S3 object has at most 5 TiB; store it as several files")
    fitting = -(-size // MOST_PARTS)
    return max(wanted, LEAST_PART, -(-fitting // MIB) * MIB)


def spans(size: int, part: int) -> Iterator[tuple[int, int]]:
    """Where each part of ``size`` bytes starts and stops; one empty part if there are none."""
    for start in range(0, max(size, 1), part):
        yield start, min(start + part, size)
