"""Where files are cut into parts that go into S3 ahead of their end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import TooLarge
from penstock.stores.s3.cutting import Cuts, cuts_of
from penstock.stores.s3.parts import LARGEST_OBJECT, LARGEST_PART, LEAST_PART, MIB, MOST_PARTS

SIZES = st.integers(0, 40 * MIB)


@given(part=st.integers(1, 5 * MIB), doubled=st.integers(1, 30), number=st.integers(1, 3000))
def test_each_part_begins_where_the_one_before_ends(part: int, doubled: int, number: int) -> None:
    cuts = Cuts(part, doubled)

    assert cuts.span(1)[0] == 0
    assert cuts.span(number)[1] == cuts.span(number + 1)[0]
    assert cuts.span(number)[1] - cuts.span(number)[0] <= max(part, LARGEST_PART)


@given(size=SIZES, part=st.integers(MIB, 8 * MIB), doubled=st.integers(0, 3))
def test_the_parts_of_a_file_are_all_of_it(size: int, part: int, doubled: int) -> None:
    spans = Cuts(part, doubled).spans(size)

    assert spans[0][0] == 0
    assert spans[-1][1] == size
    assert all(one[1] == other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize("wanted", [LEAST_PART, 8 * MIB, 1024 * MIB])
def test_the_largest_object_can_come_without_a_length(wanted: int) -> None:
    cuts = cuts_of(wanted, None, MOST_PARTS)

    assert cuts.span(1) == (0, wanted)
    assert cuts.span(MOST_PARTS)[1] >= LARGEST_OBJECT


@pytest.mark.parametrize("most_parts", [1000, MOST_PARTS])
@pytest.mark.parametrize("size", [1, 79 << 30, LARGEST_OBJECT // 2])
def test_a_known_length_is_cut_alike_and_fits(size: int, most_parts: int) -> None:
    cuts = cuts_of(8 * MIB, size, most_parts)

    assert len(cuts.spans(size)) <= most_parts
    assert cuts.doubled == 0


def test_what_cannot_fit_is_refused() -> None:
    with pytest.raises(TooLarge):
        cuts_of(8 * MIB, LARGEST_OBJECT + 1, MOST_PARTS)
    with pytest.raises(TooLarge):
        cuts_of(8 * MIB, LARGEST_OBJECT, 100)
