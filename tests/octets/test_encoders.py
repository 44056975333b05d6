"""The encoders, held against the decoders of others."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.octets.encoders import codings, encoded, encoder
from tests.server.coding import decoded

NOISE = random.Random(1).randbytes(100_000)


def test_the_extra_brings_all_of_them_and_gzip_is_always_there() -> None:
    assert codings() == ("zstd", "br", "gzip")


@pytest.mark.parametrize("coding", codings())
@settings(max_examples=40, deadline=None)
@given(
    pieces=st.lists(st.binary(max_size=300) | st.sampled_from([b"text " * 9000, NOISE]), max_size=6)
)
def test_what_goes_in_piece_by_piece_comes_out_again(coding: str, pieces: list[bytes]) -> None:
    one = encoder(coding)

    body = b"".join([*(one.encode(piece) for piece in pieces), one.finish()])

    assert decoded(coding, body) == b"".join(pieces)


@pytest.mark.parametrize("coding", codings())
def test_the_same_bytes_give_the_same_output(coding: str) -> None:
    text = b"".join(b"line %d\n" % number for number in range(50_000))

    body = encoded(coding, text)

    assert body is not None
    assert len(body) < len(text) / 2
    assert encoded(coding, text) == body


@pytest.mark.parametrize("coding", codings())
@pytest.mark.parametrize("data", [b"", b"x", NOISE])
def test_what_does_not_get_smaller_is_told(coding: str, data: bytes) -> None:
    assert encoded(coding, data) is None
