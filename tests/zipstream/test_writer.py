"""A ZIP whose numbers become known while it is written."""

import io
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import SourceChanged
from penstock.zipstream import Entry, ZipWriter, plan_zip
from tests.zipstream.corpus import GIB, Way, corpus
from tests.zipstream.walk import walk

STORED, KNOWN, BEHIND, LEFT_OUT = range(4)
members = st.lists(
    st.tuples(st.binary(max_size=200), st.sampled_from([STORED, KNOWN, BEHIND, LEFT_OUT])),
    max_size=12,
)


def deflated(content: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(content) + deflater.flush()


def written(writer: ZipWriter, contents: list[tuple[bytes, int]]) -> bytes:
    zipped = b""
    for i, (content, how) in enumerate(contents):
        packed = content if how == STORED else deflated(content)
        crc32 = zlib.crc32(content)
        if how in (STORED, KNOWN):
            zipped += writer.known(
                i,
                size=len(content),
                crc32=crc32,
                compressed_size=len(packed),
                deflated=how == KNOWN,
            )
            zipped += packed
        elif how == BEHIND:
            zipped += writer.open(i) + packed
            zipped += writer.close(size=len(content), crc32=crc32, compressed_size=len(packed))
        assert writer.position == len(zipped)
    return zipped + b"".join(writer.directory())


@given(members)
def test_any_members_written_in_any_way_are_found_by_zipfile(
    contents: list[tuple[bytes, int]],
) -> None:
    plan = plan_zip(Entry(f"{i}", None, None, 0) for i in range(len(contents)))

    zipped = written(ZipWriter(plan), contents)

    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {f"{i}": c for i, (c, how) in enumerate(contents) if how != LEFT_OUT}


@given(members)
def test_every_byte_is_accounted_for(contents: list[tuple[bytes, int]]) -> None:
    plan = plan_zip(Entry(f"{i}", None, None, 0) for i in range(len(contents)))

    zipped = written(ZipWriter(plan), contents)

    found, _ = walk(lambda start, stop: zipped[start:stop], len(zipped))
    expected = [
        (f"{i}", how != STORED, how == BEHIND)
        for i, (_, how) in enumerate(contents)
        if how != LEFT_OUT
    ]
    assert [(f.name, f.deflated, f.described) for f in found] == expected


@pytest.mark.parametrize("way", [Way.DEFLATED, Way.DESCRIBED])
@pytest.mark.parametrize("name", ["various files", "hostile names", "70,000 entries"])
def test_every_byte_of_a_corpus_is_accounted_for(name: str, way: Way) -> None:
    zipped = corpus(name, way)
    whole = zipped.whole()

    found, _ = walk(lambda start, stop: whole[start:stop], len(whole))

    assert [(f.name, f.size, f.crc32) for f in found] == list(zipped.listing())


def test_all_stored_it_writes_what_the_plan_says() -> None:
    plan = plan_zip(Entry(f"{i}", 1, 0xE8B7BE43, i) for i in range(10))
    stretches = (p if isinstance(p, bytes) else b"a" for p in plan.segments())

    assert written(ZipWriter(plan), [(b"a", STORED)] * 10) == b"".join(stretches)


HUGE = [
    (100, (1 << 32) - 1),
    (100, 5 * GIB),
    ((1 << 32) - 1, 100),
    (5 * GIB, 100),
    (5 * GIB, (1 << 32) - 1),
    (5 * GIB, 5 * GIB),
]


@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize(("size", "packed"), HUGE)
def test_huge_members_get_zip64_where_they_need_it(size: int, packed: int, planned: bool) -> None:
    """Only the records are made; of the streams nothing but the length is there."""
    plan = plan_zip(Entry(name, size if planned else None, None, 0) for name in "abc")
    writer = ZipWriter(plan)
    numbers = {"size": size, "crc32": 1, "compressed_size": packed}
    parts = [(0, writer.open(0))]
    parts += [(writer.position + packed, writer.close(**numbers))]
    parts += [(writer.position, writer.known(1, deflated=True, **numbers))]
    numbers["compressed_size"] = size
    parts += [(writer.position, writer.known(2, deflated=False, **numbers))]
    directory = writer.position
    parts += [(directory, b"".join(writer.directory()))]

    def read(start: int, stop: int) -> bytes:
        at, part = max(part for part in parts if part[0] <= start)
        return part[start - at : stop - at]

    found, ends = walk(read, writer.position)
    assert [(f.size, f.packed) for f in found] == [(size, packed), (size, packed), (size, size)]
    assert ends.offset == directory


def test_its_memory_for_each_entry_is_small() -> None:
    count = 50_000
    writer = ZipWriter(plan_zip(Entry(f"{i}", None, None, 0) for i in range(count)))
    tracemalloc.start()
    try:
        for i in range(count):
            writer.known(i, size=1, crc32=1, compressed_size=1, deflated=False)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept / count < 25


def test_numbers_other_than_planned_are_refused() -> None:
    writer = ZipWriter(plan_zip([Entry("a", 5, 7, 0, deflate=True)]))
    writer.open(0)

    with pytest.raises(SourceChanged, match="'a' changed"):
        writer.close(size=4, crc32=7, compressed_size=9)
    with pytest.raises(SourceChanged, match="'a' changed"):
        writer.close(size=5, crc32=8, compressed_size=9)


def test_members_come_in_order_and_one_at_a_time() -> None:
    writer = ZipWriter(plan_zip(Entry(name, None, None, 0) for name in "abc"))
    writer.open(1)

    with pytest.raises(RuntimeError, match="still open"):
        writer.open(2)
    with pytest.raises(RuntimeError, match="still open"):
        next(writer.directory())
    writer.close(size=0, crc32=0, compressed_size=2)
    for index in (0, 1, 3, -1):
        with pytest.raises(ValueError, match="cannot follow"):
            writer.open(index)
    with pytest.raises(RuntimeError, match="no member is open"):
        writer.close(size=0, crc32=0, compressed_size=2)


def test_a_stored_member_takes_what_it_has() -> None:
    writer = ZipWriter(plan_zip([Entry("a", None, None, 0)]))

    with pytest.raises(ValueError, match="cannot take 4"):
        writer.known(0, size=5, crc32=0, compressed_size=4, deflated=False)
