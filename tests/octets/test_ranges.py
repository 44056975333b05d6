"""The Range header of RFC 9110 §14."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.octets.ranges import Span, content_range, parse_range

SIZES = st.integers(min_value=1, max_value=10**6)


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-9", [Span(0, 10)]),
        ("bytes=90-", [Span(90, 100)]),
        ("bytes=-10", [Span(90, 100)]),
        ("bytes=-1000", [Span(0, 100)]),
        ("bytes=50-1000", [Span(50, 100)]),
        ("BYTES=0-0", [Span(0, 1)]),
        ("bytes=0-0, -1", [Span(0, 1), Span(99, 100)]),
        ("bytes=,0-0,,", [Span(0, 1)]),
        ("bytes=0-0,200-300", [Span(0, 1)]),
        (f"bytes=0-{'9' * 5000}", [Span(0, 100)]),
    ],
)
def test_satisfiable_ranges_become_spans(header: str, spans: list[Span]) -> None:
    assert parse_range(header, 100) == spans


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_ranges_outside_the_file_cannot_be_satisfied(header: str) -> None:
    assert parse_range(header, 100) == []


@pytest.mark.parametrize(
    "header",
    ["items=0-9", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-2", "bytes 0-9", "bytes=٣-٤", "0-9"],
)
def test_what_is_not_a_byte_range_is_ignored(header: str) -> None:
    assert parse_range(header, 100) is None


def test_more_ranges_than_the_cap_are_ignored() -> None:
    header = "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 20, 2))

    assert parse_range(header, 100, most=9) is None


def test_overlapping_ranges_that_add_up_to_more_than_the_file_are_ignored() -> None:
    assert parse_range("bytes=0-99,0-99", 100) is None


@given(size=SIZES, start=st.integers(0, 10**6), length=st.integers(1, 10**6))
def test_a_first_last_range_is_the_slice_of_the_file(size: int, start: int, length: int) -> None:
    expected = range(size)[start : start + length]

    spans = parse_range(f"bytes={start}-{start + length - 1}", size)

    assert spans == ([Span(expected.start, expected.stop)] if expected else [])


@given(header=st.text(max_size=40).map("bytes={}".format), size=SIZES)
def test_any_text_is_parsed_to_spans_within_the_file(header: str, size: int) -> None:
    for span in parse_range(header, size) or []:
        assert 0 <= span.start < span.stop <= size


def test_content_range_counts_the_last_byte_in() -> None:
    assert content_range(Span(0, 10), 100) == "bytes 0-9/100"
