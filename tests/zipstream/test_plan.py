"""A plan: its size, its identity, and its bytes from any offset."""

import io
import os
import subprocess
import sys
import zipfile
import zlib
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from penstock.errors import TooLarge
from penstock.zipstream import Entry, Member, Plan, PlanBuilder, plan_zip
from tests.zipstream.corpus import MOMENT, SMALL, Corpus, corpus
from tests.zipstream.strategies import any_name, corpora, entries


def bytes_of(plan: Plan) -> list[bytes]:
    """The headers, without what belongs to members."""
    return [piece for piece in plan.segments() if not isinstance(piece, Member)]


@given(corpora)
def test_the_bytes_are_as_many_as_promised_and_have_the_promised_crc32(zipped: Corpus) -> None:
    whole = zipped.whole()

    assert len(whole) == zipped.size
    assert zlib.crc32(whole) == zipped.plan.crc32


@given(corpora, st.data())
def test_a_stretch_equals_that_slice_of_the_whole(zipped: Corpus, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, zipped.size))
    stop = data.draw(st.integers(start, zipped.size))

    stretch = zipped.read(start, stop)

    assert stretch == zipped.whole()[start:stop]


@given(corpora)
def test_zipfile_finds_every_member_whole(zipped: Corpus) -> None:
    with zipfile.ZipFile(io.BytesIO(zipped.whole())) as archive:
        assert archive.testzip() is None
        found = [(i.filename, i.file_size, i.CRC) for i in archive.infolist()]

    assert found == list(zipped.listing())


@pytest.mark.parametrize("name", SMALL)
def test_every_cut_at_a_boundary_of_pieces_is_exact(name: str) -> None:
    zipped = corpus(name)
    whole = zipped.whole()
    size = zipped.size
    cuts = {0, 1, size - 22, size - 21, size - 1, size, *range(0, size, size // 150 + 1)}

    for start in cuts:
        for length in (0, 1, 39, 100, 70_000):
            stop = min(start + length, size)
            assert zipped.read(start, stop) == whole[start:stop]


@given(st.lists(entries, max_size=8))
def test_the_same_entries_make_the_same_plan(wanted: list[Entry]) -> None:
    one, two = plan_zip(wanted), plan_zip(iter(wanted))

    assert (one.size, one.etag, one.crc32) == (two.size, two.etag, two.crc32)
    assert list(one.segments()) == list(two.segments())


@given(st.lists(entries, min_size=1, max_size=5), st.data())
def test_any_other_number_makes_another_etag(wanted: list[Entry], data: st.DataObject) -> None:
    i = data.draw(st.integers(0, len(wanted) - 1))
    field = data.draw(st.sampled_from(["size", "crc32", "modified", "token"]))
    other = replace(wanted[i], **{field: getattr(data.draw(entries), field)})
    assume(other != wanted[i])
    assume(other.size or not other.crc32)

    changed = plan_zip([*wanted[:i], other, *wanted[i + 1 :]])

    assert changed.etag != plan_zip(wanted).etag


@given(st.lists(any_name, min_size=1, max_size=5), st.lists(any_name, min_size=1, max_size=5))
def test_the_etag_covers_the_final_names(some: list[str], others: list[str]) -> None:
    one, two = (plan_zip(Entry(name, 0, 0, 0) for name in names) for names in (some, others))

    same_names = [one.name(i) for i in range(len(one))] == [two.name(i) for i in range(len(two))]

    assert (one.etag == two.etag) == same_names


def test_the_etag_tells_where_one_name_ends_and_the_next_begins() -> None:
    one, two = (
        plan_zip(Entry(name, 1, 1, 1) for name in names) for names in (["ab", "c"], ["a", "bc"])
    )

    assert one.etag != two.etag


def test_order_is_part_of_the_etag() -> None:
    one, two = Entry("a", 1, 1, 1), Entry("b", 1, 1, 1)

    assert plan_zip([one, two]).etag != plan_zip([two, one]).etag


def test_bytes_and_etag_stay_the_same_from_release_to_release() -> None:
    """If this fails a download begun before an update cannot be resumed after it.

    A change of the bytes on purpose needs another number in the layout that the ETag covers.
    """
    plan = plan_zip(
        [
            Entry("a.txt", 5, 0x3610A686, MOMENT, 7),
            Entry("ä/", 0, 0, 0),
            Entry("huge", 1 << 33, 0x12345678, 1 << 40, (1 << 64) - 1),
            Entry("a.txt", 0, 0, -1),
        ]
    )
    headers = b"".join(bytes_of(plan))

    assert plan.size == 8_589_935_165
    assert plan.etag == "z1-4192b3f0ff972602c6672f45031e4589e33beeb3519a200d4a976aadb094c2b9"
    assert zlib.crc32(headers) == 0x79E63A61


def test_neither_hash_seed_nor_time_zone_nor_locale_matter() -> None:
    code = (
        "from penstock.zipstream import Entry, plan_zip;"
        "names = ['a', 'A', 'x', 'x/y', 'é', 'e\\u0301', '..'] * 3;"
        f"plan = plan_zip(Entry(n, 1, i, {MOMENT} + i) for i, n in enumerate(names));"
        "print(plan.etag, plan.crc32)"
    )
    worlds = [("1", "UTC", "C"), ("2", "Asia/Kathmandu", "C.UTF-8")]

    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale},
            check=True,
            capture_output=True,
        ).stdout
        for seed, zone, locale in worlds
    }

    assert len(printed) == 1


def test_a_plan_gives_back_what_it_was_told() -> None:
    plan = plan_zip([Entry("a", 1, 2, 3, 4), Entry("b:", 5, 6, -7, (1 << 64) - 1)])

    assert len(plan) == 2
    assert [plan.name(i) for i in (0, 1)] == ["a", "b_"]
    assert [plan.size_of(i) for i in (0, 1)] == [1, 5]
    assert [plan.crc32_of(i) for i in (0, 1)] == [2, 6]
    assert [plan.modified(i) for i in (0, 1)] == [3, -7]
    assert [plan.token(i) for i in (0, 1)] == [4, (1 << 64) - 1]


def test_header_bytes_come_joined_and_in_moderate_pieces() -> None:
    plan = plan_zip(Entry(f"{i}/", 0, 0, 0) for i in range(5000))

    lengths = [len(piece) for piece in bytes_of(plan)]

    assert sum(lengths) == plan.size
    assert max(lengths) <= 65_536
    assert min(lengths[:-1]) > 65_000


def test_members_without_bytes_are_never_asked_for() -> None:
    pieces = list(plan_zip(Entry(f"{i}/", 0, 0, 0) for i in range(100)).segments())

    assert [type(piece) for piece in pieces] == [bytes]


def test_a_member_is_asked_for_by_the_stretch_that_is_needed() -> None:
    plan = plan_zip([Entry("a", 1000, 1, 0)])
    header = len(bytes_of(plan)[0])

    assert list(plan.segments(header + 10, header + 20)) == [Member(0, 10, 20)]


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 23), (23, None)])
def test_a_stretch_outside_the_zip_is_refused_at_once(start: int, stop: int | None) -> None:
    plan = plan_zip([])

    with pytest.raises(ValueError, match="not within a ZIP of 22 bytes"):
        plan.segments(start, stop)


@pytest.mark.parametrize(
    "entry",
    [
        Entry("a", -1, 0, 0),
        Entry("a", 1 << 63, 0, 0),
        Entry("a", 1, -1, 0),
        Entry("a", 1, 1 << 32, 0),
        Entry("a", 1, 1, 1 << 63),
        Entry("a", 1, 1, 0, -1),
        Entry("a", 1, 1, 0, 1 << 64),
        Entry("a", 0, 1, 0),
    ],
)
def test_a_number_that_no_file_has_is_refused_and_leaves_no_trace(entry: Entry) -> None:
    builder = PlanBuilder()
    with pytest.raises(ValueError, match="a"):
        builder.add(entry)

    assert builder.build().etag == plan_zip([]).etag


def test_more_than_64_bits_can_count_is_refused() -> None:
    huge = [Entry(f"{i}", (1 << 63) - 1, 1, 0) for i in range(3)]

    with pytest.raises(TooLarge):
        plan_zip(huge)


def test_a_builder_makes_one_plan() -> None:
    builder = PlanBuilder()
    builder.build()

    with pytest.raises(RuntimeError):
        builder.add(Entry("a", 0, 0, 0))
    with pytest.raises(RuntimeError):
        builder.build()
