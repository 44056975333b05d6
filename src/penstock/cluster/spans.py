"""Which blocks of which parts hold a range of a file: pure functions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from penstock.catalog.cluster.rows import BLOCK, PartRow


@dataclass(frozen=True, slots=True)
class Span:
    """The blocks ``first`` to ``stop`` of a part, from 0. ``skip`` bytes of the first one, and
    those of the last one behind ``keep``, were not asked for."""

    part: PartRow
    first: int
    stop: int
    skip: int
    keep: int

    @property
    def bytes_to_read(self) -> int:
        return offset(self.part, self.stop) - offset(self.part, self.first)

    def trimmed(self, block: int, data: bytes) -> bytes:
        """What was asked for of a block's bytes."""
        start = self.skip if block == self.first else 0
        stop = self.keep if block == self.stop - 1 else len(data)
        return data if (start, stop) == (0, len(data)) else data[start:stop]


def spans(parts: Sequence[PartRow], start: int, stop: int) -> Iterator[Span]:
    """The parts of the bytes ``start`` to ``stop``, in order, widened to whole blocks.

    :raises Gap: they are not all there.
    """
    at = start
    for part in parts:
        if at >= stop:
            return
        if part.start + part.size <= at:
            continue
        if part.start > at or not has_sums(part):
            raise Gap
        begin, end = at - part.start, min(stop - part.start, part.size)
        first, last = begin // BLOCK, (end - 1) // BLOCK
        yield Span(part, first, last + 1, begin - first * BLOCK, end - last * BLOCK)
        at = part.start + end
    if at < stop:
        raise Gap


class Gap(Exception):
    """The catalog does not have every part of a file, or not all that is to be known of one."""


def has_sums(part: PartRow) -> bool:
    """Whether the CRC-32 of every block is known."""
    return part.blocks is not None and len(part.blocks) == 4 * -(-part.size // BLOCK)


def offset(part: PartRow, block: int) -> int:
    """Where a block begins in its part; the end of the part behind the last one."""
    return min(block * BLOCK, part.size)


def block_size(part: PartRow, block: int) -> int:
    """Bytes of a block; only the last one has fewer than the others."""
    return offset(part, block + 1) - offset(part, block)


def block_crc32(part: PartRow, block: int) -> int:
    """What a block's CRC-32 must be."""
    assert part.blocks is not None
    return int.from_bytes(part.blocks[4 * block : 4 * block + 4], "little")
