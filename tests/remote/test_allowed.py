"""The operator's list of what may be reached although it is private."""

from contextlib import suppress
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest
from penstock.remote import RemoteLimits
from penstock.remote.allowed import Allowed

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True).filter(
    lambda label: label[2:4] != "--"
)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.ip_addresses()
NETWORKS = st.tuples(ADDRESSES, st.integers(0, 32)).map(
    lambda pair: ip_network(f"{pair[0]}/{pair[1]}", strict=False)
)


@given(hosts=st.lists(HOSTS), networks=st.lists(NETWORKS), space=st.sampled_from(["", " ", "\t"]))
def test_every_entry_of_a_list_counts(hosts: list[str], networks: list[object], space: str) -> None:
    entries = [*hosts, *map(str, networks)]

    allowed = Allowed.parse(f"{space},{space}".join(entries))

    assert allowed.names == frozenset(hosts)
    assert list(allowed.networks) == networks


@given(host=HOSTS, change=st.sampled_from([str.upper, str.title, lambda name: name + "."]))
def test_a_name_is_the_same_in_any_case_and_with_a_dot(host: str, change: object) -> None:
    assert callable(change)
    assert Allowed.parse(change(host)).has_name(host)
    assert Allowed.parse(host).has_name(change(host))


@given(host=HOSTS, other=HOSTS)
def test_a_name_stands_for_itself_only(host: str, other: str) -> None:
    allowed = Allowed.parse(host)

    assert allowed.has_name(other) == (host == other)
    assert not allowed.has_name(f"{other}.{host}")


@given(network=NETWORKS, address=ADDRESSES)
def test_a_network_stands_for_the_addresses_in_it(network: object, address: object) -> None:
    inside = ip_address(str(address)) in ip_network(str(network))

    assert Allowed.parse(str(network)).has_address(ip_address(str(address))) == inside


@given(st.text(max_size=60))
def test_any_text_is_a_list_or_an_error_that_says_why(text: str) -> None:
    entries = [entry for entry in text.split(",") if entry.strip()]

    with suppress(BadRequest):
        allowed = Allowed.parse(text)
        assert bool(entries) == bool(allowed.names or allowed.networks)


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.1/8",
        "10.0.0.0/33",
        "300.1.1.1",
        "10.0.1",
        "0x7f.1",
        "localhost:8080",
        "http://localhost",
        "[::1]",
        "*",
        "*.example.org",
        "user@host",
        "a b",
        "-a",
        "a" * 64,
        "a..b",
    ],
)
def test_an_entry_that_cannot_be_is_named(entry: str) -> None:
    with pytest.raises(BadRequest) as error:
        RemoteLimits(allow=f"example.org,{entry}")
    assert repr(entry) in error.value.detail


def test_a_name_in_other_letters_is_allowed_as_it_is_sent() -> None:
    assert Allowed.parse("bücher.example").has_name("xn--bcher-kva.example")


@pytest.mark.parametrize("limits", [{"connections": 0}, {"tries": 0}], ids=str)
def test_limits_that_leave_nothing_are_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        RemoteLimits(**limits)
