"""In which order files go into an archive that is put together inside a store: a pure function."""

from array import array
from collections.abc import Sequence


def cheapest_order(sizes: Sequence[int], copied_from: int, between: int) -> "array[int]":
    """The order, as indexes into ``sizes``, that leaves most bytes where they are.

    Files of at least ``copied_from`` bytes are copied by the store itself, but each of them needs
    ``between`` bytes of others in front of it that are sent anyway, or some of its own have to be.
    So before each copied file go smaller ones, as many as it takes and as long as there are any.
    Otherwise all stay in the order they came in.
    """
    large = (i for i, size in enumerate(sizes) if size >= copied_from)
    small = (i for i, size in enumerate(sizes) if size < copied_from)
    order = array("Q")
    for copied in large:
        filled = 0
        while filled < between and (i := next(small, None)) is not None:
            order.append(i)
            filled += sizes[i]
        order.append(copied)
    order.extend(small)
    return order
