"""Who is trusted: by the secret, or by coming from this host."""

import pytest

from penstock.cluster import ClusterOptions, check_secret, is_loopback, knows_secret
from penstock.errors import BadRequest

SECRET = "s3cret-of-this-cluster"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback_needs_no_secret(host: str) -> None:
    assert is_loopback(host)
    check_secret("", host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "a.test"])
def test_elsewhere_a_secret_is_needed(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(BadRequest, match="set PENSTOCK_CLUSTER_SECRET"):
        check_secret("", host)
    check_secret(SECRET, host)


@pytest.mark.parametrize("secret", ["two words", "line\n", "ключ", "x" * 1025])
def test_a_secret_that_no_header_carries_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_secret(secret, "127.0.0.1")

    assert secret not in refused.value.detail


@pytest.mark.parametrize("field", [f"Bearer {SECRET}", f"bearer  {SECRET} "])
def test_the_secret_is_known_by_its_bearer(field: str) -> None:
    assert knows_secret(field, SECRET)


@pytest.mark.parametrize(
    "field", ["", "Bearer", f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x", "Bearer \udcff"]
)
def test_anything_else_is_not_the_secret(field: str) -> None:
    assert not knows_secret(field, SECRET)
    assert not knows_secret(field, "")


def test_options_do_not_show_the_secret() -> None:
    assert SECRET not in repr(ClusterOptions(secret=SECRET))
