"""When a kept answer may be used: RFC 9111."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from penstock.relay.freshness import (
    Wish,
    directives,
    initial_age,
    lifetime,
    may_be_stale,
    may_be_stored,
)
from penstock.relay.told import Told

CAME = 1_795_219_200.0  # 2026-11-21 00:00:00 UTC
DAY = {"Date": "Sat, 21 Nov 2026 00:00:00 GMT", "Expires": "Sun, 22 Nov 2026 00:00:00 GMT"}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 600),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "max-age=6000"}, 600),
        ({"Cache-Control": "max-age=60, s-maxage=30"}, 30),
        ({"Cache-Control": 'MAX-AGE="60"'}, 60),
        ({"Cache-Control": "max-age=soon"}, 0),
        ({"Cache-Control": "no-cache"}, 0),
        ({"Cache-Control": "no-cache, max-age=60"}, 0),
        ({"Cache-Control": "public"}, 600),
        (DAY, 600),
        ({**DAY, "Cache-Control": "max-age=5"}, 5),
        ({**DAY, "Expires": "0"}, 0),
        ({**DAY, "Expires": DAY["Date"]}, 0),
        ({"Expires": "Sat, 21 Nov 2026 00:00:30 GMT"}, 30),
        ({"Expires": "Fri, 20 Nov 2026 00:00:00 GMT"}, 0),
        ({"Expires": "Fri, 20 Nov 2026 00:00:00 GMT", "Date": "soon"}, 0),
        ({"Cache-Control": "max-age=60, max-age=600"}, 60),
        ({"Cache-Control": "max-age=60, no-store"}, 0),
        ({"Cache-Control": "max-age=60, private"}, 0),
    ],
)
def test_the_upstream_may_shorten_the_time(headers: dict[str, str], seconds: float) -> None:
    assert lifetime(headers, 600, CAME) == seconds


@pytest.mark.parametrize(
    ("control", "may"),
    [
        ("", True),
        ("max-age=0", True),
        ("no-cache", True),
        ("no-store", False),
        ("max-age=9, No-Store", False),
        ("private", False),
        ('private="Set-Cookie"', True),
        ('private="Set-Cookie", private', False),
        ('private, private="Set-Cookie"', False),
    ],
)
def test_what_may_be_stored(control: str, may: bool) -> None:
    assert may_be_stored({"Cache-Control": control}) is may


def test_what_varies_by_anything_may_not_be_stored() -> None:
    assert not may_be_stored({"Vary": "*"})
    assert not may_be_stored({"Vary": "Accept-Encoding, *"})
    assert may_be_stored({"Vary": "Accept-Encoding"})


@pytest.mark.parametrize(
    ("control", "may"),
    [
        ("", True),
        ("max-age=5", True),
        ("no-cache", False),
        ("must-revalidate", False),
        ("proxy-revalidate", False),
        ("s-maxage=5", False),
    ],
)
def test_what_may_be_stale(control: str, may: bool) -> None:
    assert may_be_stale({"Cache-Control": control}) is may


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        ({}, 600),
        ({"Cache-Control": "no-cache"}, 0),
        ({"Cache-Control": "max-age=0"}, 0),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "max-age=6000"}, 600),
        ({"Pragma": "no-cache"}, 0),
        ({"Pragma": "no-cache", "Cache-Control": "max-age=60"}, 60),
    ],
)
def test_a_caller_may_shorten_the_time(headers: dict[str, str], most: float) -> None:
    assert Wish.of(headers).within(600) == most


@pytest.mark.parametrize(
    ("asked", "chosen_by"),
    [
        ({}, ()),
        ({"Accept": "*/*", "Accept-Encoding": "gzip", "Cookie": "a=1"}, ()),
        ({"Accept-Language": "de"}, ("accept-language",)),
        ({"Accept": "text/html", "Accept-Language": "de"}, ("accept", "accept-language")),
    ],
)
def test_a_caller_may_ask_for_something_else_than_is_kept(
    asked: dict[str, str], chosen_by: tuple[str, ...]
) -> None:
    told = {"Vary": "Accept-Encoding, Accept, accept-language,Cookie"}

    assert Wish.of(CIMultiDict(asked)).chosen_by(told) == chosen_by


def test_a_field_in_several_lines_counts_whole() -> None:
    lines = CIMultiDict([("Cache-Control", "max-age=60"), ("Cache-Control", "no-store")])

    assert Told.of(lines).headers == {"Cache-Control": "max-age=60, no-store"}
    assert Wish.of(CIMultiDict([("Pragma", "x"), ("Pragma", "no-cache")])).max_age == 0


@pytest.mark.parametrize(
    ("age", "seconds"), [("", 0), ("30", 30), ("-1", 0), ("9" * 50, 9999999999)]
)
def test_the_age_of_an_answer_is_read(age: str, seconds: float) -> None:
    assert initial_age({"Age": age}) == seconds


@given(st.text(), st.text())
def test_nonsense_is_never_fresh_for_longer(control: str, expires: str) -> None:
    headers = {"Cache-Control": control, "Expires": expires}

    assert 0 <= lifetime(headers, 600, CAME) <= 600
    assert all(name == name.lower() for name in directives(control))
