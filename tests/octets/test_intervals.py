"""Sets of offsets behave as sets do."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.octets.intervals import Intervals
from penstock.octets.ranges import Span

MOST = 40

spans = st.tuples(st.integers(0, MOST), st.integers(0, MOST)).map(sorted)
changes = st.lists(st.tuples(st.booleans(), spans), max_size=20)


def made(steps: list[tuple[bool, list[int]]]) -> tuple[Intervals, set[int]]:
    """The same steps done to intervals and to a set of numbers."""
    intervals, offsets = Intervals(), set[int]()
    for adds, (start, stop) in steps:
        if adds:
            intervals.add(start, stop)
            offsets |= set(range(start, stop))
        else:
            intervals.remove(start, stop)
            offsets -= set(range(start, stop))
    return intervals, offsets


def offsets_of(intervals: Intervals) -> set[int]:
    return {at for span in intervals for at in range(span.start, span.stop)}


@given(changes)
def test_they_hold_what_a_set_would_hold(steps: list[tuple[bool, list[int]]]) -> None:
    intervals, offsets = made(steps)

    assert offsets_of(intervals) == offsets
    assert intervals.size == len(offsets)
    assert bool(intervals) == bool(offsets)


@given(changes)
def test_the_spans_are_in_order_and_do_not_touch(steps: list[tuple[bool, list[int]]]) -> None:
    intervals, _ = made(steps)

    ends = [end for span in intervals for end in (span.start, span.stop)]

    assert ends == sorted(set(ends))


@given(changes, st.integers(0, MOST))
def test_the_end_of_what_is_there_without_a_gap(
    steps: list[tuple[bool, list[int]]], at: int
) -> None:
    intervals, offsets = made(steps)

    end = intervals.end_from(at)

    assert set(range(at, end)) <= offsets
    assert end not in offsets


@given(changes, st.integers(0, MOST))
def test_what_comes_next(steps: list[tuple[bool, list[int]]], at: int) -> None:
    intervals, offsets = made(steps)

    span = intervals.next_from(at)

    behind = sorted(one for one in offsets if one >= at)
    assert (span.start if span else None) == (behind[0] if behind else None)
    assert span is None or span.stop == intervals.end_from(span.start)


@given(changes, st.integers(0, MOST))
def test_gaps_are_what_is_missing(steps: list[tuple[bool, list[int]]], stop: int) -> None:
    intervals, offsets = made(steps)

    assert offsets_of(intervals.gaps(stop)) == set(range(stop)) - offsets


def test_a_copy_goes_its_own_way() -> None:
    intervals = Intervals([Span(0, 10)])

    intervals.copy().remove(2, 5)

    assert list(intervals) == [Span(0, 10)]
