"""The token bucket: never faster than its rate, never slower than it must be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.octets.rate import TokenBucket

rates = st.floats(1.0, 1e9)
takes = st.lists(st.tuples(st.floats(0.0, 10.0), st.integers(0, 1 << 20)), max_size=50)


@given(rate=rates, takes=takes)
def test_whoever_waits_never_exceeds_the_rate(rate: float, takes: list[tuple[float, int]]) -> None:
    """At the end of each wait, at most rate × time plus one burst has passed."""
    bucket = TokenBucket(rate)
    now = passed = 0.0
    for pause, size in takes:
        now += pause
        now += bucket.delay(now, size)
        passed += size

        assert passed <= (rate * now + bucket.burst) * (1 + 1e-9)


@given(rate=rates, sizes=st.lists(st.integers(1, 1 << 20), min_size=1, max_size=50))
def test_a_busy_transfer_gets_the_whole_rate(rate: float, sizes: list[int]) -> None:
    bucket = TokenBucket(rate)
    now = 0.0
    for size in sizes:
        now += bucket.delay(now, size)

    needed = max(0.0, (sum(sizes) - bucket.burst) / rate)
    assert now == pytest.approx(needed, rel=1e-6, abs=1e-9)


@given(rate=rates, idle=st.floats(0.0, 1e6))
def test_a_pause_earns_one_burst_at_most(rate: float, idle: float) -> None:
    bucket = TokenBucket(rate, burst=1000)
    bucket.delay(0.0, 1000)

    assert bucket.delay(idle, 2000) >= 1000 / rate * (1 - 1e-9)


def test_a_clock_that_steps_back_earns_nothing() -> None:
    bucket = TokenBucket(100.0, burst=0)
    bucket.delay(50.0, 0)

    assert bucket.delay(10.0, 100) == 1.0
    assert bucket.delay(50.0, 0) == 1.0
    assert bucket.delay(51.0, 0) == 0.0


@given(rate=rates, takes=takes)
def test_what_is_missing_comes_within_the_time_told(
    rate: float, takes: list[tuple[float, int]]
) -> None:
    bucket = TokenBucket(rate)
    now = 0.0
    for pause, size in takes:
        now += pause
        bucket.delay(now, size)
        wait = bucket.missing(now, 1.0)

        assert bucket.missing(now, 1.0) == wait  # asking takes nothing
        # As far as seconds can tell.
        assert bucket.missing(now + wait, 1.0) <= 1e-9 * (now + wait + 1)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan")])
def test_a_rate_is_more_than_nothing(rate: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        TokenBucket(rate)
