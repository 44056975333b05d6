"""Where a file is cut into parts: pure functions."""

from typing import Final, NamedTuple

from penstock.cluster.options import ClusterOptions

UNKNOWN_PART: Final = 64 << 20
"""Bytes of the first parts of a file whose length nobody told, at least."""
LARGEST_PART: Final = 1 << 30
"""Bytes of a part that is cut by number."""
MOST_PARTS: Final = 10_000
"""Of a file; of one whose length nobody told, up to 60 TiB."""
_STEPS: Final = 10
"""How often the size has doubled when the parts of an unknown length are used up."""


class Cuts(NamedTuple):
    """``number`` parts that are alike, of which the first ones have a byte more if it does not come
    out even; or, where that is 0, parts of ``part`` bytes, doubled whenever there are ``doubled``
    more (0: never), of which the last has what is left."""

    number: int = 0
    part: int = 0
    doubled: int = 0

    def spans(self, size: int) -> list[tuple[int, int]]:
        """Start and size of each part of ``size`` bytes, in order; none of an empty file."""
        found: list[tuple[int, int]] = []
        while (span := self.span(len(found) + 1, size))[1]:
            found.append(span)
        return found

    def span(self, number: int, size: int | None) -> tuple[int, int]:
        """Start and size of the part ``number``, from 1; of its bytes the file has the first ones,
        or none. While ``size`` is not known, all parts but the last."""
        if self.part:
            start, length = self._by_size(number)
            if size is None:
                return start, length
            return min(start, size), max(0, min(length, size - start))
        assert size is not None
        if number > self.number:
            return size, 0
        part, more = divmod(size, self.number)
        return (number - 1) * part + min(number - 1, more), part + (number <= more)

    def _by_size(self, number: int) -> tuple[int, int]:
        """Start and size, if the file is long enough."""
        if not self.doubled:
            return (number - 1) * self.part, self.part
        steps, left = divmod(number - 1, self.doubled)
        # Those before it have 1, 2, 4... times the first size, so many of each.
        before = ((1 << steps) - 1) * self.doubled
        return (before + (left << steps)) * self.part, self.part << steps


def cuts_of(size: int | None, options: ClusterOptions) -> Cuts:
    """Where a file of ``size`` bytes is to be cut; ``None``: nobody knows yet."""
    if size is None:
        return Cuts(part=max(options.part_size, UNKNOWN_PART), doubled=MOST_PARTS // _STEPS)
    least = -(-size // MOST_PARTS)
    if options.part_size:
        return Cuts(part=max(options.part_size, least))
    fitting = -(-size // max(LARGEST_PART, least))
    wanted = min(options.parts, MOST_PARTS, size // max(1, options.least_part))
    return Cuts(number=max(fitting, wanted, 1))


def cuts(size: int, options: ClusterOptions) -> list[tuple[int, int]]:
    """Start and size of each part of ``size`` bytes, in order; none of an empty file."""
    return cuts_of(size, options).spans(size)
