"""Which files go up in parts, and where they are cut."""

from math import ceil
from typing import TypeAlias

from penstock.client import tus
from penstock.client.http import Http
from penstock.errors import TooLarge

PARALLEL_FROM = 256 << 20
SMALLEST_PART = 64 << 20
MOST_PARTS = 64
ALIGNMENT = 1 << 20

Stretch: TypeAlias = tuple[int, int]
"""Where a part begins, and how many bytes it has."""


def cut(size: int) -> list[Stretch]:
    """The parts of a file: always the same for the same size, so that another run finds them."""
    count = min(MOST_PARTS, ceil(size / SMALLEST_PART))
    each = ceil(size / count / ALIGNMENT) * ALIGNMENT
    return [(start, min(each, size - start)) for start in range(0, size, each)]


async def goes_in_parts(http: Http, size: int) -> bool:
    """Whether a file is large enough, and the server can join.

    :raises TooLarge: the server would not take the whole.
    """
    if http.parallel < 2 or size < PARALLEL_FROM:
        return False
    extensions, most = await tus.abilities(http)
    if most is not None and size > most:
        raise TooLarge(f"an upload may have {most:,} bytes at most")
    return "concatenation" in extensions
