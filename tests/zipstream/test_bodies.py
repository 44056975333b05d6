"""A ZIP as a response's body: from a plan and a function that reads."""

import asyncio
import io
import random
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import SourceChanged
from penstock.zipstream import (
    Entry,
    Learned,
    Plan,
    aiter_zip,
    iter_zip,
    plan_zip,
    zip_headers,
)
from penstock.zipstream.deflate import BLOCK
from tests.zipstream.corpus import File
from tests.zipstream.walk import Found, walk

NOISE = random.Random(9).randbytes(2 * BLOCK + 100)
TEXT = b"".join(b"%d: a line that shrinks\n" % i for i in range(110_000))

contents = st.one_of(
    st.binary(max_size=100),
    st.integers(0, 200_000).map(lambda size: TEXT[:size]),
    st.sampled_from([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]).map(lambda size: TEXT[:size]),
    st.sampled_from([BLOCK, BLOCK + 1]).map(lambda size: NOISE[:size]),
)
SIZED, CHECKED, DEFLATED, UNKNOWN = range(4)
sources = st.lists(
    st.tuples(contents, st.sampled_from([SIZED, CHECKED, DEFLATED, UNKNOWN])), max_size=5
)
exact_sources = st.lists(st.tuples(contents, st.sampled_from([SIZED, CHECKED])), max_size=5)
Sources = Sequence[tuple[bytes, int]]


def planned(members: Sources) -> Plan:
    return plan_zip(_entry(f"{i}", content, how) for i, (content, how) in enumerate(members))


def _entry(name: str, content: bytes, how: int) -> Entry:
    crc32 = File("", content).crc32 if how == CHECKED else None
    size = None if how == UNKNOWN else len(content)
    return Entry(name, size, crc32, 0, 1, deflate=how == DEFLATED)


Read = Callable[[int, int, int | None], Iterator[bytes]]


def reader(members: Sources, step: int = 100_000) -> Read:
    def read(index: int, start: int, stop: int | None) -> Iterator[bytes]:
        content = members[index][0][start:stop]
        return (content[at : at + step] for at in range(0, len(content), step))

    return read


def unpacked(zipped: bytes) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return [archive.read(info) for info in archive.infolist()]


@given(sources, st.sampled_from(["fast", "best"]))
@settings(deadline=None, max_examples=40)
def test_any_members_come_out_whole(members: Sources, compress: str) -> None:
    plan = planned(members)

    zipped = b"".join(iter_zip(plan, reader(members), compress=compress))

    assert unpacked(zipped) == [content for content, _ in members]
    walk(lambda start, stop: zipped[start:stop], len(zipped))
    assert plan.size in (None, len(zipped))


@given(exact_sources, st.data())
@settings(deadline=None, max_examples=40)
def test_a_stretch_equals_that_slice_of_the_whole(members: Sources, data: st.DataObject) -> None:
    plan = planned(members)
    learned = Learned(plan)
    whole = b"".join(iter_zip(plan, reader(members), learned=learned))
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))

    stretch = b"".join(iter_zip(plan, reader(members), start, stop, learned=learned))

    assert stretch == whole[start:stop]


@given(sources)
@settings(deadline=None, max_examples=15)
def test_awaited_reading_gives_the_same_bytes(members: Sources) -> None:
    plan = planned(members)

    async def collected(**options: object) -> bytes:
        return b"".join([piece async for piece in aiter_zip(plan, awaited(members), **options)])  # type: ignore[arg-type]

    whole = b"".join(iter_zip(plan, reader(members)))
    assert asyncio.run(collected()) == whole
    assert asyncio.run(collected(run=asyncio.to_thread)) == whole


def awaited(members: Sources) -> Callable[[int, int, int | None], AsyncIterator[bytes]]:
    async def read(index: int, start: int, stop: int | None) -> AsyncIterator[bytes]:
        for data in reader(members)(index, start, stop):
            await asyncio.sleep(0)
            yield data

    return read


async def test_deflating_can_be_left_to_a_thread() -> None:
    members = [(TEXT, DEFLATED)]
    threads: list[threading.Thread] = []

    async def run(work: Callable[[], bytes]) -> bytes:
        def noted() -> bytes:
            threads.append(threading.current_thread())
            return work()

        return await asyncio.to_thread(noted)

    async for _ in aiter_zip(planned(members), awaited(members), run=run):
        pass

    assert len(threads) == len(TEXT) // BLOCK + 1, "once for each block"
    assert threading.main_thread() not in threads


def found(members: Sources, names: Sequence[str]) -> list[Found]:
    plan = plan_zip(_entry(name, *member) for name, member in zip(names, members, strict=True))
    zipped = b"".join(iter_zip(plan, reader(members)))
    return walk(lambda start, stop: zipped[start:stop], len(zipped))[0]


def test_a_small_member_has_its_numbers_in_front_and_is_deflated_if_it_shrinks() -> None:
    small = found([(TEXT[:5000], DEFLATED), (NOISE[:5000], DEFLATED), (TEXT[:9], UNKNOWN)], "abc")

    assert [f.described for f in small] == [False, False, False]
    assert [f.deflated for f in small] == [True, False, False]


def test_a_large_member_has_its_numbers_behind_and_shrinks_if_it_can() -> None:
    text, noise, unknown = found([(TEXT, DEFLATED), (NOISE, DEFLATED), (TEXT, UNKNOWN)], "abc")

    assert all(f.described for f in (text, noise, unknown))
    assert text.packed < text.size / 2
    assert noise.size < noise.packed < noise.size * 1.001
    assert unknown.size < unknown.packed < unknown.size * 1.001


def test_what_is_compressed_already_is_not_deflated_again() -> None:
    (photo,) = found([(TEXT[:5000], DEFLATED)], ["photo.jpg"])

    assert not photo.deflated


WRONG = [
    pytest.param(how, content, id=f"{how}-{len(content)}")
    for how in (SIZED, CHECKED, DEFLATED)
    for content in (TEXT[:9], TEXT[:11], TEXT, b"")
]


@pytest.mark.parametrize(("how", "content"), WRONG)
def test_a_source_shorter_or_longer_than_said_ends_the_zip(how: int, content: bytes) -> None:
    plan = planned([(TEXT[:10], how), (b"behind", how)])
    sent = bytearray()

    with pytest.raises(SourceChanged, match="'0' "):
        drain(iter_zip(plan, careless(content)), sent)

    assert b"PK\1\2" not in sent


@pytest.mark.parametrize("size", [10, 200_000])
def test_bytes_with_another_crc32_than_said_are_not_all_sent(size: int) -> None:
    plan = planned([(TEXT[:size], CHECKED)])
    sent = bytearray()

    with pytest.raises(SourceChanged):
        drain(iter_zip(plan, careless(TEXT[: size - 1] + b"?")), sent)

    assert not sent.endswith(b"?")


def careless(content: bytes) -> Read:
    """Gives the first member all that there is, whatever is asked for."""
    return lambda index, start, stop: reader([(content, SIZED)])(0, 0, None)


def drain(pieces: Iterator[bytes], sent: bytearray) -> None:
    for piece in pieces:
        sent += piece


def test_the_reader_is_closed_when_it_was_read_and_when_it_was_not() -> None:
    closed: list[int] = []

    def read(index: int, start: int, stop: int | None) -> Iterator[bytes]:
        try:
            yield from reader(members, step=1)(index, start, stop)
        finally:
            closed.append(index)

    members = [(b"one", SIZED), (b"two", SIZED)]
    pieces = iter_zip(planned(members), read)
    while not closed:
        next(pieces)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]

    assert closed == [0, 1]


def test_headers_tell_what_is_known() -> None:
    exact, unknown = planned([(b"abc", CHECKED)]), planned([(b"abc", UNKNOWN)])

    assert zip_headers(exact) == {
        "Content-Type": "application/zip",
        "Content-Length": str(exact.size),
        "ETag": f'"{exact.etag}"',
    }
    assert zip_headers(unknown) == {"Content-Type": "application/zip"}


def test_what_cannot_be_sent_is_refused_before_the_first_byte() -> None:
    read = reader([])
    with pytest.raises(ValueError, match="no stretches"):
        iter_zip(planned([(b"a", UNKNOWN)]), read, 1)
    with pytest.raises(ValueError, match="not within"):
        iter_zip(planned([(b"a", CHECKED)]), read, 0, 1000)
    with pytest.raises(ValueError, match="not sent yet"):
        iter_zip(planned([(b"a", SIZED)]), read, 60)
    with pytest.raises(ValueError, match="fastest"):
        iter_zip(planned([]), read, compress="fastest")
