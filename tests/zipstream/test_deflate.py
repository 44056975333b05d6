"""Blocks made apart join to one stream that zlib inflates, and nothing grows."""

import json
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.zipstream.deflate import BLOCK, Engine, deflate_block, deflate_whole, pays

engines = st.sampled_from(Engine)
contents = st.one_of(
    st.binary(max_size=500),
    st.builds(bytes.__mul__, st.binary(min_size=1, max_size=20), st.integers(0, 5000)),
    st.integers(0, 200_000).map(lambda size: random.Random(size).randbytes(size)),
)


def text(size: int) -> bytes:
    line = random.Random(1)
    rows = (json.dumps({"id": line.getrandbits(40), "row": i}) for i in range(size // 20))
    return "\n".join(rows).encode()[:size]


def stored_length(size: int) -> int:
    return size + 5 * max(-(-size // 65_535), 1)


@given(st.lists(contents, min_size=1, max_size=6), engines)
def test_joined_blocks_inflate_to_the_input(blocks: list[bytes], engine: Engine) -> None:
    joined = b"".join(
        deflate_block(block, engine, last=i == len(blocks) - 1) for i, block in enumerate(blocks)
    )

    inflater = zlib.decompressobj(-15)
    assert inflater.decompress(joined) == b"".join(blocks)
    assert inflater.eof
    assert not inflater.unused_data


@given(contents, engines, st.booleans())
def test_a_block_is_never_longer_than_stored(data: bytes, engine: Engine, last: bool) -> None:
    assert len(deflate_block(data, engine, last=last)) <= stored_length(len(data))


@pytest.mark.parametrize("engine", Engine)
def test_random_data_does_not_grow_and_does_not_pay(engine: Engine) -> None:
    noise = random.Random(3).randbytes(BLOCK)

    assert len(deflate_block(noise, engine, last=True)) <= stored_length(BLOCK)
    assert deflate_whole(noise, engine) is None
    assert not pays(noise)


@pytest.mark.parametrize("engine", Engine)
def test_text_shrinks_about_as_far_as_with_zlib(engine: Engine) -> None:
    data = text(BLOCK)
    deflater = zlib.compressobj(6, wbits=-15)
    by_zlib = len(deflater.compress(data) + deflater.flush())
    allowed = {Engine.FAST: 1.25, Engine.BEST: 1.02}[engine]

    assert pays(data)
    assert len(deflate_block(data, engine, last=True)) <= allowed * by_zlib


@given(contents, engines)
def test_a_small_member_is_one_stream_if_that_is_shorter(data: bytes, engine: Engine) -> None:
    whole = deflate_whole(data, engine)

    if whole is not None:
        assert len(whole) < len(data)
        assert zlib.decompress(whole, -15) == data


@pytest.mark.parametrize("engine", Engine)
def test_a_block_is_the_same_whoever_makes_it_and_after_what(engine: Engine) -> None:
    blocks = [text(300_000), random.Random(4).randbytes(50_000), text(90_000)] * 3
    expected = [deflate_block(block, engine, last=False) for block in blocks]

    with ThreadPoolExecutor(4) as threads:
        made = threads.map(lambda block: deflate_block(block, engine, last=False), blocks)

    assert list(made) == expected


def test_one_part_that_shrinks_is_enough_to_pay() -> None:
    noise = random.Random(5).randbytes(BLOCK)

    assert pays(noise[: BLOCK // 3] + text(BLOCK // 3) + noise[: BLOCK // 3])


@pytest.mark.parametrize(("data", "worth"), [(b"", False), (b"a", False), (b"a" * 100, True)])
def test_very_small_samples(data: bytes, worth: bool) -> None:
    assert pays(data) == worth
