"""The text that deflate is measured with."""

import zlib

import pytest

from bench.texts import text


@pytest.mark.parametrize("size", [0, 5, 10_240, 1 << 20, (2 << 20) + 1])
def test_a_text_is_as_long_as_was_asked_for(size: int) -> None:
    assert sum(map(len, text(7, size))) == size


def test_a_text_is_the_same_every_time_and_another_for_every_number() -> None:
    assert b"".join(text(3, 50_000)) == b"".join(text(3, 50_000))
    assert len({b"".join(text(number, 10_240)) for number in range(2000)}) == 2000


@pytest.mark.parametrize("number", range(3))
def test_a_text_shrinks_about_as_much_as_real_ones(number: int) -> None:
    data = b"".join(text(number, 1 << 20))

    assert 0.15 < len(zlib.compress(data, 6)) / len(data) < 0.4
