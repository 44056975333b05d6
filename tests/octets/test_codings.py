"""Which content coding a client is sent (RFC 9110 §12.5.3), and what its bytes' tags say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.octets.codings import (
    accepted,
    coded_tag,
    forbids_transform,
    split_tag,
    worth_coding,
)

OFFERED = ("zstd", "br", "gzip")
WEIGHTS = st.integers(0, 1000)
LISTED = st.dictionaries(
    st.sampled_from([*OFFERED, "identity", "*", "deflate", "compress", "x-unheard"]), WEIGHTS
)
SPACE = st.sampled_from(["", " ", "\t "])


@pytest.mark.parametrize(
    ("header", "codings"),
    [
        ("", ["identity"]),
        ("identity", ["identity"]),
        ("gzip", ["gzip", "identity"]),
        ("x-gzip", ["gzip", "identity"]),
        ("GZip;Q=0.5", ["gzip", "identity"]),
        ("gzip, deflate, br, zstd", ["zstd", "br", "gzip", "identity"]),
        ("gzip;q=1.0, br;q=0.9, *;q=0", ["gzip", "br"]),
        ("gzip;q=0", ["identity"]),
        ("gzip;q=0.000", ["identity"]),
        ("gzip;q=0.001", ["gzip", "identity"]),
        ("gzip;q=0.5, identity", ["identity", "gzip"]),
        ("gzip, identity;q=0.5", ["gzip", "identity"]),
        ("gzip, identity;q=0", ["gzip"]),
        ("gzip, *;q=0", ["gzip"]),
        ("*", ["zstd", "br", "gzip", "identity"]),
        ("*, zstd;q=0", ["br", "gzip", "identity"]),
        ("*;q=0", ["identity"]),
        ("identity;q=0", ["identity"]),
        ("deflate", ["identity"]),
        (",, gzip ,", ["gzip", "identity"]),
        ("gzip;q=2", ["identity"]),
        ("gzip;q=0.0001", ["identity"]),
        ("gzip;q=", ["identity"]),
        ("gzip;level=1", ["identity"]),
        ("gzipped", ["identity"]),
        ("not gzip", ["identity"]),
        ("gzip;q=0, gzip", ["identity"]),
    ],
)
def test_the_client_says_which_codings_it_may_be_sent(header: str, codings: list[str]) -> None:
    assert accepted(header, OFFERED) == codings


@given(LISTED, SPACE, SPACE, st.data())
def test_nothing_is_sent_that_is_excluded_and_what_is_liked_best_comes_first(
    weights: dict[str, int], before: str, after: str, data: st.DataObject
) -> None:
    elements = [
        f"{before}{data.draw(st.sampled_from([name, name.upper()]))}{after};q={weight / 1000:.3f}"
        for name, weight in weights.items()
    ]
    others = weights.get("*", 0)

    codings = accepted(",".join(elements), OFFERED)

    told = [weights.get(name, others) for name in codings if name != "identity"]
    assert told == sorted(told, reverse=True)
    assert all(told)
    assert {name for name in OFFERED if weights.get(name, others)} == {*codings} - {"identity"}
    excluded = weights.get("identity", weights.get("*")) == 0
    assert ("identity" in codings) == (not excluded or not told)


@given(st.text(max_size=200))
def test_no_header_whatever_it_holds_is_an_error(header: str) -> None:
    codings = accepted(header, OFFERED)

    assert codings
    assert {*codings} <= {*OFFERED, "identity"}


@given(st.text(st.characters(min_codepoint=0x23, max_codepoint=0x7E), min_size=1), st.booleans())
def test_each_coding_has_a_tag_of_its_own_that_tells_the_version(
    version: str, detailed: bool
) -> None:
    tags = [coded_tag(version, coding, "17-a" if detailed else "") for coding in OFFERED]

    assert len({version, *tags}) == 1 + len(OFFERED)
    assert [split_tag(tag) for tag in tags] == [(version, coding) for coding in OFFERED]


@pytest.mark.parametrize("tag", ["18c9f-a-1f", "", "gzip", "-gzip", "v-deflate", "a-gzipped"])
def test_other_tags_are_of_the_file_as_it_is(tag: str) -> None:
    assert split_tag(tag) == (tag, "identity")


@pytest.mark.parametrize(
    ("header", "forbidden"),
    [
        ("", False),
        ("no-transform", True),
        ("max-age=0, No-Transform", True),
        ("no-transformation", False),
        ('x="no-transform"', False),
    ],
)
def test_a_client_may_forbid_it(header: str, forbidden: bool) -> None:
    assert forbids_transform(header) is forbidden


@pytest.mark.parametrize(
    ("name", "content_type", "size", "worth"),
    [
        ("a.txt", "text/plain; charset=utf-8", 8192, True),
        ("a.txt", "text/plain", 8191, False),
        ("a.json", "application/json", 10**12, True),
        ("a", "application/vnd.api+json", 8192, True),
        ("a.svg", "image/svg+xml", 8192, True),
        ("a.wasm", "application/wasm", 8192, True),
        ("a.jpg", "image/jpeg", 10**6, False),
        ("a.txt.gz", "text/plain", 10**6, False),
        ("a.bin", "application/octet-stream", 10**6, False),
        ("a.epub", "application/epub+zip", 10**6, False),
    ],
)
def test_what_is_small_or_does_not_shrink_is_not_worth_it(
    name: str, content_type: str, size: int, worth: bool
) -> None:
    assert worth_coding(name, content_type, size) is worth
