"""Where files are cut."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cluster.cutting import LARGEST_PART, MOST_PARTS, Cuts, cuts, cuts_of
from penstock.cluster.options import ClusterOptions

GIB = 1 << 30
TIB = 1 << 40

options = st.builds(
    ClusterOptions,
    parts=st.integers(1, 100),
    part_size=st.sampled_from([0, 1, 1000, 1 << 20, GIB]),
    least_part=st.sampled_from([1, 1000, 64 << 10]),
)
sizes = st.one_of(st.integers(0, 10_000), st.integers(0, 100 * TIB))

unhurried = settings(deadline=None, max_examples=60)


def of(sizes: list[int]) -> list[tuple[int, int]]:
    """Parts of these sizes, one behind the other."""
    starts = [0, *accumulate(sizes)]
    return list(zip(starts, sizes, strict=False))


def test_a_file_has_six_parts_of_which_the_first_ones_are_a_byte_longer() -> None:
    assert cuts(5_000_003, ClusterOptions()) == of([833_334] * 5 + [833_333])


def test_an_empty_file_has_no_parts() -> None:
    assert cuts(0, ClusterOptions()) == []
    assert cuts(0, ClusterOptions(part_size=5)) == []


def test_a_small_file_has_fewer_parts() -> None:
    assert cuts(1, ClusterOptions()) == of([1])
    assert cuts((128 << 10) - 1, ClusterOptions()) == of([(128 << 10) - 1])
    assert cuts(128 << 10, ClusterOptions()) == of([64 << 10] * 2)


def test_no_part_of_a_large_file_has_more_than_a_gib() -> None:
    assert len(cuts(6 * GIB, ClusterOptions())) == 6
    assert len(cuts(6 * GIB + 1, ClusterOptions())) == 7


def test_parts_may_be_cut_by_size() -> None:
    assert cuts(10, ClusterOptions(part_size=4)) == of([4, 4, 2])


@unhurried
@given(sizes, options)
def test_parts_cover_the_file_without_a_gap(size: int, options: ClusterOptions) -> None:
    found = cuts(size, options)

    assert found == of([length for _, length in found])
    assert sum(length for _, length in found) == size
    assert all(length > 0 for _, length in found)


@unhurried
@given(sizes, options)
def test_there_are_never_too_many_parts(size: int, options: ClusterOptions) -> None:
    assert len(cuts(size, options)) <= MOST_PARTS


@unhurried
@given(st.integers(1, 5 * TIB), st.integers(1, 100))
def test_parts_by_number_are_alike(size: int, parts: int) -> None:
    found = [length for _, length in cuts(size, ClusterOptions(parts=parts))]

    assert max(found) - min(found) <= 1
    assert max(found) <= LARGEST_PART
    assert found == sorted(found, reverse=True)


@unhurried
@given(sizes, options)
def test_a_part_can_be_found_by_its_number_alone(size: int, options: ClusterOptions) -> None:
    cut = cuts_of(size, options)
    spans = cut.spans(size)

    assert [cut.span(number, size) for number in range(1, len(spans) + 1)] == spans
    assert cut.span(len(spans) + 1, size) == (size, 0)


@pytest.mark.parametrize(("part_size", "part"), [(0, 64 << 20), (5, 64 << 20), (GIB, GIB)])
def test_while_nobody_knows_the_length_parts_have_the_size_of_large_ones(
    part_size: int, part: int
) -> None:
    cut = cuts_of(None, ClusterOptions(part_size=part_size))

    assert cut.span(3, None) == (2 * part, part)
    assert cut.spans(2 * part + 1) == of([part, part, 1])


def test_parts_of_an_unknown_length_double_now_and_then() -> None:
    cut = Cuts(part=3, doubled=2)

    assert cut.spans(40) == of([3, 3, 6, 6, 12, 10])
    assert [cut.span(number, None)[1] for number in range(1, 8)] == [3, 3, 6, 6, 12, 12, 24]


@unhurried
@given(st.integers(0, 60 * TIB), options)
def test_of_an_unknown_length_there_are_no_more_parts_and_they_can_be_found_by_number(
    size: int, options: ClusterOptions
) -> None:
    cut = cuts_of(None, options)
    spans = cut.spans(size)

    assert len(spans) <= MOST_PARTS
    assert spans == of([length for _, length in spans])
    assert sum(length for _, length in spans) == size
    assert [cut.span(number, size) for number in range(1, len(spans) + 1)] == spans
    assert [cut.span(number, None) for number in range(1, len(spans))] == spans[:-1]
