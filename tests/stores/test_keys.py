"""What may name a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadKey
from penstock.stores.keys import check_key, check_prefix


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "empty"),
        ("/etc/passwd", "absolute"),
        ("a//b", "empty segment"),
        ("a/", "empty segment"),
        ("../a", "'..' segment"),
        ("a/./b", "'.' segment"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("a\x7f", "control character"),
        ("é" * 513, "1,026 bytes"),
        ("a" * 256, "longer than 255 bytes"),
        (".penstock/tmp/x", "reserved"),
        ("a\udc80", "not valid Unicode"),
    ],
)
def test_a_bad_key_is_refused_with_its_reason(key: str, reason: str) -> None:
    with pytest.raises(BadKey, match=reason):
        check_key(key)


@pytest.mark.parametrize(
    "key", ["a", "a/b c", "...", "..a", ".git/config", "100%.txt", "a\\b", "日本/語", "x" * 255]
)
def test_ordinary_and_odd_keys_are_fine(key: str) -> None:
    assert check_key(key) == key


@given(key=st.text(min_size=1, max_size=300))
def test_every_start_of_a_key_is_a_prefix(key: str) -> None:
    try:
        check_key(key)
    except BadKey:
        return
    for end in range(len(key) + 1):
        assert check_prefix(key[:end]) == key[:end]


@pytest.mark.parametrize("prefix", ["", ".", "..", ".penstock", "a/.", "x" * 255, "a/b/"])
def test_what_may_still_grow_into_a_key_is_a_prefix(prefix: str) -> None:
    assert check_prefix(prefix) == prefix


@pytest.mark.parametrize("prefix", ["/", "../", "a/../b", "a//", "\0", ".penstock/", "x" * 256])
def test_what_no_key_starts_with_is_no_prefix(prefix: str) -> None:
    with pytest.raises(BadKey):
        check_prefix(prefix)
