"""Which parts a composed object is made of."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import TooLarge
from penstock.stores.composing import Stretch, Usage
from penstock.stores.s3.compose.covering import Copy, Limits, Made, Piece, Upload, covering, leaves
from penstock.stores.s3.compose.using import usage_of
from penstock.stores.s3.parts import LARGEST_PART, LEAST_PART, MIB

GIB = 1 << 30
USUAL = Limits()
DEAR = Limits(out=0.09)
"""Bytes that leave S3 cost, so that grafts are cheaper."""


def stretches_of(*lengths: int) -> tuple[int, list[Stretch]]:
    """A file of bytes of its own and of whole sources, in turn; its size, and the stretches."""
    at, found = 0, []
    for number, length in enumerate(lengths):
        if number % 2:
            found.append(Stretch(at, at + length, f"k{number}", "e", 0, length))
        at += length
    return at, found


lengths = (
    st.integers(1, 300)
    | st.integers(LEAST_PART - 2, LEAST_PART + 2)
    | st.integers(2 * LEAST_PART - 301, 2 * LEAST_PART + 1)
    | st.integers(1, 200 * MIB)
    | st.integers(LARGEST_PART - 5, 3 * LARGEST_PART)
)
limits_that_can_be = st.builds(
    Limits,
    part=st.integers(LEAST_PART, 100 * MIB),
    most=st.integers(3, 40) | st.just(1000) | st.just(10_000),
    copies=st.booleans(),
    put=st.sampled_from([0.0, 0.005]),
    get=st.sampled_from([0.0, 0.0004]),
    out=st.sampled_from([0.0, 0.02, 0.09]),
)


@st.composite
def wholes(draw: st.DrawFn) -> tuple[int, list[Stretch]]:
    """Any file to be; a source may have more bytes than are used of it."""
    at, found = 0, []
    for number in range(draw(st.integers(0, 30))):
        at += draw(st.just(0) | lengths)
        length, offset = draw(lengths), draw(st.just(0) | lengths)
        size = offset + length + draw(st.just(0) | lengths)
        found.append(Stretch(at, at + length, f"k{number}", "e", offset, size))
        at += length
    return at + draw(st.just(0) | lengths), found


def check(parts: Sequence[Piece], size: int, most: int) -> None:
    """The rules of S3 for one object, and for the temporary ones in it."""
    assert 1 <= len(parts) <= most
    assert all(before.stop == after.start for before, after in pairwise(parts))
    assert parts[-1].stop - parts[0].start == size
    assert all(part.stop - part.start >= LEAST_PART for part in parts[:-1])
    for part in parts:
        length = part.stop - part.start
        assert length <= LARGEST_PART
        if isinstance(part, Made):
            assert length >= LEAST_PART
            check(part.parts, length, most)
        if isinstance(part, Copy):
            assert part.stretch.start <= part.start < part.stop <= part.stretch.stop
            assert length == part.stretch.size or part.stretch.size > LEAST_PART
            assert part.first + length <= part.stretch.offset + part.stretch.size


@given(whole=wholes(), limits=limits_that_can_be)
def test_every_covering_is_whole_and_keeps_the_rules_of_s3(
    whole: tuple[int, list[Stretch]], limits: Limits
) -> None:
    size, stretches = whole
    try:
        parts = covering(size, stretches, limits)
    except TooLarge:
        assert size > limits.most * 64 * MIB or len(stretches) > limits.most / 2
        return

    assert parts[0].start == 0
    check(parts, size, limits.most)
    assert covering(size, iter(stretches), limits) == parts
    assert limits.copies or all(isinstance(part, Upload) for part in parts)


@given(whole=wholes(), limits=limits_that_can_be)
def test_no_byte_is_made_twice_and_the_usage_tells_of_all(
    whole: tuple[int, list[Stretch]], limits: Limits
) -> None:
    size, stretches = whole
    try:
        parts = covering(size, stretches, limits)
    except TooLarge:
        return

    flat = list(leaves(parts))
    assert all(before.stop == after.start for before, after in pairwise(flat))
    usage = usage_of(parts, stretches)
    uploaded = sum(part.stop - part.start for part in flat if isinstance(part, Upload))
    own = size - sum(stretch.stop - stretch.start for stretch in stretches)
    assert usage.sent == uploaded
    assert usage.received == uploaded - own
    assert usage.puts >= len(flat) + 4


@given(whole=wholes(), limits=limits_that_can_be)
def test_long_stretches_are_copied_but_for_their_ends(
    whole: tuple[int, list[Stretch]], limits: Limits
) -> None:
    size, stretches = whole
    try:
        parts = covering(size, stretches, limits._replace(copies=True))
    except TooLarge:
        return

    copied: dict[str, int] = {}
    for part in leaves(parts):
        if isinstance(part, Copy):
            length = part.stop - part.start
            copied[part.stretch.key] = copied.get(part.stretch.key, 0) + length
    for stretch in stretches:
        length = stretch.stop - stretch.start
        if length >= 2 * LEAST_PART:
            assert copied[stretch.key] > length - LEAST_PART


def test_small_files_fill_up_to_the_next_copy() -> None:
    size, stretches = stretches_of(20 * MIB, 100 * MIB, 6 * MIB, 50 * MIB, 70)

    parts = covering(size, stretches, USUAL)

    first, second = stretches
    assert parts == [
        *(Upload(20 * MIB * n // 3, 20 * MIB * (n + 1) // 3) for n in range(3)),
        Copy(first, first.start, first.stop),
        Upload(120 * MIB, 126 * MIB),
        Copy(second, second.start, second.stop),
        Upload(176 * MIB, size),
    ]


def test_where_fewer_bytes_lie_between_the_next_stretch_is_taxed() -> None:
    size, stretches = stretches_of(30, 100 * MIB, 40, 50 * MIB, 70)

    parts = covering(size, stretches, USUAL)

    first, second = stretches
    assert parts == [
        Upload(0, LEAST_PART),
        Copy(first, LEAST_PART, first.stop),
        Upload(first.stop, first.stop + LEAST_PART),
        Copy(second, first.stop + LEAST_PART, second.stop),
        Upload(second.stop, size),
    ]


def test_where_reading_costs_the_last_stretch_is_grafted_to_what_follows_it() -> None:
    size, stretches = stretches_of(30, 100 * MIB, 40, 50 * MIB, 70)

    parts = covering(size, stretches, DEAR)

    first, second = stretches
    cut = first.stop - LEAST_PART
    assert parts == [
        Upload(0, LEAST_PART),  # nothing is before it
        Copy(first, LEAST_PART, cut),
        Made((Copy(first, cut, first.stop), Upload(first.stop, second.start))),
        Copy(second, second.start, second.stop),
        Upload(second.stop, size),
    ]


def test_a_graft_may_take_all_of_what_is_before() -> None:
    size, stretches = stretches_of(6 * MIB, LEAST_PART, 40, 50 * MIB)

    parts = covering(size, stretches, DEAR)

    first, second = stretches
    assert parts[1] == Made(
        (Copy(first, first.start, first.stop), Upload(first.stop, second.start))
    )


def test_a_tax_and_a_graft_of_the_same_price_make_a_tax() -> None:
    size, stretches = stretches_of(30, 100 * MIB, 40, 50 * MIB)

    free = covering(size, stretches, Limits(put=0, get=0, out=0))

    assert not any(isinstance(part, Made) for part in free)


def test_what_would_be_too_short_to_be_copied_is_uploaded() -> None:
    size, stretches = stretches_of(30, 2 * LEAST_PART - 31, 40, LEAST_PART - 1)

    parts = covering(size, stretches, USUAL)

    assert all(isinstance(part, Upload) for part in parts)


def test_sources_of_more_than_5_gib_are_copied_in_several_parts() -> None:
    size, stretches = stretches_of(6 * MIB, 12 * GIB)

    parts = covering(size, stretches, USUAL)

    assert [type(part) for part in parts] == [Upload, Copy, Copy, Copy]


def test_parts_grow_before_objects_are_nested() -> None:
    parts = covering(600 * MIB, [], Limits(most=10))

    assert len(parts) == 10
    assert all(isinstance(part, Upload) for part in parts)


def many(number: int, length: int) -> tuple[int, list[Stretch]]:
    return stretches_of(*(side for _ in range(number) for side in (40, length)), 70)


@pytest.mark.parametrize("limits", [USUAL, DEAR])
def test_twenty_thousand_large_files_are_nested_once(limits: Limits) -> None:
    size, stretches = many(20_000, 100 * MIB)

    parts = covering(size, stretches, limits)

    check(parts, size, limits.most)
    slices = [part for part in parts if isinstance(part, Made) and len(part.parts) > 2]
    assert slices
    assert not any(
        isinstance(piece, Made) and len(piece.parts) > 2 for part in slices for piece in part.parts
    )


def test_no_more_is_nested_than_is_needed() -> None:
    size, stretches = many(6, 20 * MIB)

    parts = covering(size, stretches, Limits(most=10))

    assert len(parts) == 10
    assert [isinstance(part, Made) for part in parts] == [True] + [False] * 9


@pytest.mark.parametrize("limits", [Limits(most=1000), Limits(copies=False)])
def test_what_no_object_can_hold_is_refused(limits: Limits) -> None:
    covering(limits.most * LARGEST_PART, [], limits)

    with pytest.raises(TooLarge, match="5 GiB"):
        covering(limits.most * LARGEST_PART + 1, [], limits)


def sent(parts: Iterable[Piece]) -> int:
    return sum(part.stop - part.start for part in leaves(parts) if isinstance(part, Upload))


def test_usage_of_a_covering() -> None:
    size, stretches = stretches_of(30, 100 * MIB, 40, 50 * MIB, 70)
    taxed, grafted = covering(size, stretches, USUAL), covering(size, stretches, DEAR)

    # Create, note, list of parts, complete, and five parts. Three uploads, two with a tax.
    assert usage_of(taxed, stretches) == Usage(9, 3, 2 * LEAST_PART - 70, sent(taxed))
    # A graft takes four requests more, and two to see that nothing is left.
    assert usage_of(grafted, stretches) == Usage(15, 2, LEAST_PART - 30, LEAST_PART + 40 + 70)
