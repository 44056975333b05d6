"""Preconditions of RFC 9110 §13 on reads and writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.downloads.conditions import (
    check_write,
    http_date,
    named_first,
    precondition_status,
    range_applies,
)
from penstock.errors import BadRequest
from penstock.stores import Condition

MODIFIED = 1_700_000_000_500_000_000
SAME = http_date(MODIFIED)
EARLIER = http_date(MODIFIED - 10**9)
LATER = http_date(MODIFIED + 10**9)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, None),
        ({"If-None-Match": '"v1"'}, 304),
        ({"If-None-Match": 'W/"v1"'}, 304),
        ({"If-None-Match": '"v0", "v1"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"v0"'}, None),
        ({"If-Match": '"v1"'}, None),
        ({"If-Match": "*"}, None),
        ({"If-Match": 'W/"v1"'}, 412),
        ({"If-Match": '"v0"'}, 412),
        ({"If-Match": "v1"}, 412),
        ({"If-Modified-Since": SAME}, 304),
        ({"If-Modified-Since": LATER}, 304),
        ({"If-Modified-Since": EARLIER}, None),
        ({"If-Modified-Since": "yesterday"}, None),
        ({"If-Unmodified-Since": SAME}, None),
        ({"If-Unmodified-Since": EARLIER}, 412),
        # RFC 9110 §13.2.2: the entity tag outranks the date.
        ({"If-None-Match": '"v0"', "If-Modified-Since": SAME}, None),
        ({"If-Match": '"v1"', "If-Unmodified-Since": EARLIER}, None),
        ({"If-Match": '"v0"', "If-None-Match": '"v1"'}, 412),
    ],
)
def test_preconditions_of_a_read(fields: dict[str, str], status: int | None) -> None:
    assert precondition_status(fields, "v1", MODIFIED) == status


@pytest.mark.parametrize(
    ("if_range", "applies"),
    [
        ('"v1"', True),
        ('"v0"', False),
        ('W/"v1"', False),
        (SAME, True),
        (EARLIER, False),
        (LATER, False),
        ("nonsense", False),
    ],
)
def test_if_range_needs_the_same_strong_validator(if_range: str, applies: bool) -> None:
    now = MODIFIED / 1e9 + 60

    assert range_applies({"If-Range": if_range}, "v1", MODIFIED, now) is applies


def test_a_fresh_date_is_not_a_strong_validator() -> None:
    now = MODIFIED / 1e9 + 0.1

    assert not range_applies({"If-Range": SAME}, "v1", MODIFIED, now)


@pytest.mark.parametrize(
    ("fields", "condition"),
    [
        ({}, Condition()),
        ({"If-None-Match": "*"}, Condition(absent=True)),
        ({"If-Match": "*"}, Condition(present=True)),
        ({"If-Match": '"a", "b"'}, Condition(etags=("a", "b"))),
        ({"If-Match": 'W/"a"'}, Condition(etags=("",))),
    ],
)
def test_preconditions_of_a_write(fields: dict[str, str], condition: Condition) -> None:
    assert check_write(fields) == condition


@pytest.mark.parametrize(
    "fields",
    [{"If-None-Match": '"a"'}, {"If-Match": "a"}, {"If-Match": "*", "If-None-Match": "*"}],
)
def test_a_write_condition_that_means_nothing_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        check_write(fields)


@given(value=st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_no_header_value_breaks_the_parsers(value: str) -> None:
    for name in ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"):
        precondition_status({name: value}, "v1", MODIFIED)
    range_applies({"If-Range": value}, "v1", MODIFIED, 0.0)


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({}, "zstd"),
        ({"If-None-Match": '"v1-gzip"'}, "gzip"),
        ({"If-None-Match": 'W/"v1-gzip"'}, "gzip"),
        ({"If-None-Match": '"v1"'}, "identity"),
        ({"If-None-Match": '"v1", "v1-zstd"'}, "zstd"),
        ({"If-None-Match": '"v0-gzip"'}, "zstd"),
        ({"If-None-Match": '"v1-br"'}, "zstd"),
        ({"If-Match": '"v1"'}, "identity"),
        ({"If-Match": '"v1-gzip.9-a"'}, "gzip"),
        ({"If-Match": "*"}, "zstd"),
        ({"If-None-Match": "v1-gzip"}, "zstd"),
    ],
)
def test_what_the_client_has_is_chosen_before_what_it_likes(
    fields: dict[str, str], first: str
) -> None:
    chosen = named_first(fields, "v1", ["zstd", "gzip", "identity"])

    assert chosen[0] == first
    assert sorted(chosen) == ["gzip", "identity", "zstd"]


def test_a_write_on_condition_of_a_coded_version_means_the_version() -> None:
    assert check_write({"If-Match": '"v1-gzip", "v2"'}) == Condition(etags=("v1", "v2"))
