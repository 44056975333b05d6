"""How a file is cut into parts."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.errors import TooLarge
from penstock.stores.s3.parts import (
    LARGEST_OBJECT,
    LARGEST_PART,
    LEAST_PART,
    MIB,
    MOST_PARTS,
    part_size,
    spans,
)

sizes = st.integers(0, LARGEST_OBJECT)
wishes = st.integers(LEAST_PART, 1024 * MIB)


@given(size=sizes, wanted=wishes)
@example(size=LARGEST_OBJECT, wanted=LEAST_PART)
@example(size=LEAST_PART * MOST_PARTS, wanted=LEAST_PART)
@example(size=LEAST_PART * MOST_PARTS + 1, wanted=LEAST_PART)
def test_every_file_that_s3_takes_fits(size: int, wanted: int) -> None:
    part = part_size(wanted, size)

    assert LEAST_PART <= part <= LARGEST_PART
    assert -(-size // part) <= MOST_PARTS


@given(size=sizes, wanted=wishes)
def test_parts_are_no_larger_than_they_must_be(size: int, wanted: int) -> None:
    part = part_size(wanted, size)

    assert part == wanted or -(-size // (part - MIB)) > MOST_PARTS


@given(size=st.integers(0, 200 * MIB), part=st.integers(LEAST_PART, 100 * MIB))
def test_parts_join_to_the_whole_file(size: int, part: int) -> None:
    found = list(spans(size, part))

    assert found[0][0] == 0
    assert found[-1][1] == size
    assert all(stop == start for (_, stop), (start, _) in pairwise(found))
    assert all(stop - start == part for start, stop in found[:-1])


def test_what_s3_cannot_hold_is_refused() -> None:
    with pytest.raises(TooLarge, match="5 TiB"):
        part_size(8 * MIB, LARGEST_OBJECT + 1)
