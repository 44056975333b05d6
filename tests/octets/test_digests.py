"""SHA-256, CRC-32 and the digest fields of RFC 9530."""

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import BadRequest, DigestMismatch
from penstock.octets.digests import (
    Digester,
    digest_field,
    parse_digest_field,
    verify,
    wants_sha256,
)


@given(pieces=st.lists(st.binary(max_size=100), max_size=10))
def test_the_digester_agrees_with_the_standard_library(pieces: list[bytes]) -> None:
    digester = Digester()
    for piece in pieces:
        digester.update(piece)

    whole = b"".join(pieces)
    assert digester.sha256 == hashlib.sha256(whole).digest()
    assert digester.crc32 == zlib.crc32(whole)
    assert digester.size == len(whole)


def test_sha256_can_be_left_out() -> None:
    assert Digester(sha256=False).sha256 is None


@given(digest=st.binary(min_size=32, max_size=32))
def test_a_digest_field_round_trips(digest: bytes) -> None:
    assert parse_digest_field("Repr-Digest", digest_field(digest)) == digest


def test_the_example_of_rfc_9530_is_understood() -> None:
    field = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"

    assert (
        parse_digest_field("Repr-Digest", field) == hashlib.sha256(b'{"hello": "world"}\n').digest()
    )


def test_other_algorithms_are_passed_over() -> None:
    assert parse_digest_field("Content-Digest", "md5=:AAAA:") is None


@pytest.mark.parametrize("field", ["sha-256=abc", "sha-256=:AAAA:", "nonsense==", "sha-256=1"])
def test_a_malformed_field_is_refused(field: str) -> None:
    with pytest.raises(BadRequest):
        parse_digest_field("Content-Digest", field)


@pytest.mark.parametrize(
    ("field", "wanted"),
    [("sha-256=10", True), ("sha-256=0", False), ("sha-512=3", False), ("", False), ("=", False)],
)
def test_want_repr_digest_is_weighed(field: str, wanted: bool) -> None:
    assert wants_sha256(field) is wanted


def test_a_wrong_digest_is_named() -> None:
    with pytest.raises(DigestMismatch, match="Content-Digest"):
        verify({"Content-Digest": b"x" * 32}, b"y" * 32)
