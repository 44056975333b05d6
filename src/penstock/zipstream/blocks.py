"""Stored blocks: a deflate stream that keeps bytes as they are (RFC 1951 §3.2.4).

Five bytes stand before every 65,535, so the length of the stream follows from that of the content
alone. That makes a ZIP of exact size out of members whose CRC-32 is not known beforehand: readers
refuse a stored member whose CRC-32 comes behind it, a deflated one they take.

Positions are *plain* (in the content) or *framed* (in the stream).
"""

from struct import Struct
from typing import Final

BLOCK_LIMIT: Final = 65_535
"""Most bytes that a stored block holds: its length field has 16 bits."""

HEADER_LENGTH: Final = 5
_FRAMED_LIMIT: Final = HEADER_LENGTH + BLOCK_LIMIT

_header = Struct("<BHH").pack  # final bit and type 00, padded to a byte; length; its complement


def framed_length(size: int) -> int:
    """Length of the stream for ``size`` bytes; no bytes make one empty block."""
    return size + HEADER_LENGTH * (max(size - 1, 0) // BLOCK_LIMIT + 1)


def plain_start(framed: int) -> int:
    """The first plain byte needed to go on from ``framed``; a block's header needs its first."""
    block, within = divmod(framed, _FRAMED_LIMIT)
    return block * BLOCK_LIMIT + max(within - HEADER_LENGTH, 0)


def plain_stop(framed: int) -> int:
    """How many plain bytes it takes to have all before ``framed``.

    A block's header comes with its first byte, so that no stretch is empty.
    """
    block, within = divmod(framed, _FRAMED_LIMIT)
    return block * BLOCK_LIMIT + (max(within - HEADER_LENGTH, 1) if within else 0)


def frame(data: bytes | memoryview, start: int, size: int, *, last: bool = True) -> bytes:
    """The framed form of ``data``, which stands at ``start`` in a content of ``size`` bytes.

    A header stands before every plain position that is a multiple of `BLOCK_LIMIT`. The content's
    last block ends the stream unless ``last`` is false.
    """
    view = memoryview(data)
    rest = min(-start % BLOCK_LIMIT, len(view))  # of the block that was begun before
    pieces: list[bytes | memoryview] = [view[:rest]]
    for at in range(rest, len(view), BLOCK_LIMIT):
        left = size - start - at
        length = min(left, BLOCK_LIMIT)
        final = last and left == length
        pieces += (_header(final, length, length ^ 0xFFFF), view[at : at + length])
    return b"".join(pieces)


def framed_start(plain: int) -> int:
    """Where in the stream `frame` begins if it starts at ``plain``."""
    block, within = divmod(plain, BLOCK_LIMIT)
    return block * _FRAMED_LIMIT + (within and HEADER_LENGTH + within)


def stored(data: bytes | memoryview, *, last: bool) -> bytes:
    """``data`` as a run of stored blocks; they end the stream if they are its ``last``."""
    if not data:
        return _header(1, 0, 0xFFFF) if last else b""
    return frame(data, 0, len(data), last=last)
