"""The bytes of the records, read back by a strict reader of our own."""

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.zipstream import Entry, Member, Plan, plan_zip
from tests.zipstream.corpus import GIB, LARGE, SMALL, Corpus, File, corpus
from tests.zipstream.strategies import corpora
from tests.zipstream.walk import Ends, Found, read_ends, walk

FULL = 0xFFFF_FFFF
sizes = st.one_of(st.integers(0, 100), st.sampled_from([FULL - 1, FULL, FULL + 1, 5 * GIB]))


def walked(zipped: Corpus) -> tuple[list[Found], Ends]:
    if zipped.size > GIB:
        return walk(zipped.read, zipped.size)
    whole = zipped.whole()
    return walk(lambda start, stop: whole[start:stop], len(whole))


@pytest.mark.parametrize("name", SMALL + LARGE)
def test_every_byte_is_accounted_for(name: str) -> None:
    zipped = corpus(name)

    found, _ = walked(zipped)

    assert [(f.name, f.size, f.crc32) for f in found] == list(zipped.listing())


@given(corpora)
def test_every_byte_of_any_zip_is_accounted_for(zipped: Corpus) -> None:
    found, _ = walked(zipped)

    assert [(f.name, f.size, f.crc32) for f in found] == list(zipped.listing())


@given(st.lists(sizes, max_size=12))
@settings(deadline=None)
def test_any_mix_of_large_and_small_members_is_laid_out_without_gaps(lengths: list[int]) -> None:
    zipped = Corpus([File(f"{i}", length) for i, length in enumerate(lengths)])

    found, _ = walked(zipped)

    assert [f.size for f in found] == lengths


@given(st.lists(sizes, max_size=12), st.data())
@settings(deadline=None)
def test_the_directory_can_be_entered_anywhere(lengths: list[int], data: st.DataObject) -> None:
    zipped = Corpus([File(f"{i}", length) for i, length in enumerate(lengths)])
    _, ends = walked(zipped)
    tail = zipped.read(ends.offset, zipped.size)

    start = data.draw(st.integers(0, len(tail)))

    assert zipped.read(ends.offset + start, zipped.size) == tail[start:]


@pytest.mark.parametrize(
    ("size", "needed"), [(0, 20), (FULL - 1, 20), (FULL, 45), (FULL + 1, 45), (5 * GIB, 45)]
)
def test_zip64_is_used_where_a_size_needs_it(size: int, needed: int) -> None:
    (found,), _ = walked(Corpus([File("f", size)]))

    assert found.needed == needed


def test_zip64_is_used_where_an_offset_needs_it() -> None:
    files = [File("a", FULL - 1 - 40), File("at 4 GiB - 2", 1), File("after", 1)]

    found, ends = walked(Corpus(files))

    assert [f.needed for f in found] == [20, 20, 45]
    assert ends.zip64


@pytest.mark.parametrize(("spare", "needed"), [(1, 20), (0, 45)])
def test_an_offset_of_exactly_4_gib_minus_1_needs_zip64(spare: int, needed: int) -> None:
    found, _ = walked(Corpus([File("a", FULL - 40 - spare), File("b", 1)]))

    assert found[1].needed == needed


@pytest.mark.parametrize(("spare", "zip64"), [(1, False), (0, True)])
def test_a_directory_at_exactly_4_gib_minus_1_needs_zip64(spare: int, zip64: bool) -> None:
    _, ends = walked(Corpus([File("a", FULL - 40 - spare)]))

    assert (ends.offset, ends.zip64) == (FULL - spare, zip64)


@pytest.mark.parametrize(("count", "zip64"), [(65_534, False), (65_535, True), (65_536, True)])
def test_zip64_is_used_where_the_count_needs_it(count: int, zip64: bool) -> None:
    zipped = corpus(f"{count:,} entries")

    ends = read_ends(zipped.read, zipped.size)

    assert (ends.entries, ends.zip64) == (count, zip64)


@pytest.mark.parametrize(
    ("modified", "stamp", "date"),
    [
        (1_731_628_923, 1_731_628_923, (2024, 11, 15, 0, 2, 2)),
        (0, 0, (1980, 1, 1, 0, 0, 0)),
        (-(1 << 40), -(1 << 31), (1980, 1, 1, 0, 0, 0)),
        (315_532_799, 315_532_799, (1980, 1, 1, 0, 0, 0)),
        (951_827_696, 951_827_696, (2000, 2, 29, 12, 34, 56)),
        ((1 << 31) - 1, (1 << 31) - 1, (2038, 1, 19, 3, 14, 6)),
        (1 << 31, (1 << 31) - 1, (2038, 1, 19, 3, 14, 8)),
        (1 << 40, (1 << 31) - 1, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_times_are_utc_and_clamped_to_what_the_fields_hold(
    modified: int, stamp: int, date: tuple[int, ...]
) -> None:
    (found,), _ = _walk_headers(plan_zip([Entry("a", 0, 0, modified)]))

    assert found.modified == stamp
    assert _dos(*found.dos_time) == date


def test_modes_tell_files_from_folders() -> None:
    found, _ = _walk_headers(plan_zip([Entry("a", 0, 0, 0), Entry("b/", 0, 0, 0)]))

    assert [stat.filemode(f.mode >> 16) for f in found] == ["-rw-r--r--", "drwxr-xr-x"]
    assert [f.mode & 0xFFFF for f in found] == [0, 0x10]


def _walk_headers(plan: Plan) -> tuple[list[Found], Ends]:
    """For plans without any bytes in their members."""
    whole = b"".join(piece for piece in plan.segments() if not isinstance(piece, Member))
    return walk(lambda start, stop: whole[start:stop], len(whole))


def _dos(date: int, time: int) -> tuple[int, ...]:
    day = (date >> 9) + 1980, date >> 5 & 15, date & 31
    return (*day, time >> 11, time >> 5 & 63, (time & 31) * 2)
