"""Members whose CRC-32 is not known beforehand: stored blocks, and what is learned on the way."""

import random
import tracemalloc
import zlib
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import SourceChanged
from penstock.zipstream import Entry, Framer, Layout, Learned, Member, Plan, plan_zip
from penstock.zipstream.learned import CHECKPOINT
from tests.zipstream.corpus import GIB, Corpus, File, Way, corpus
from tests.zipstream.walk import Found, walk

NOISE = random.Random(7).randbytes(3 * CHECKPOINT)
BLOCK = 65_535
FULL = 0xFFFF_FFFF

some_sizes = st.one_of(
    st.integers(0, 300),
    st.sampled_from([n * BLOCK + d for n in (1, 2, 64) for d in (-1, 0, 1)]),
    st.sampled_from([n * CHECKPOINT + d for n in (1, 2) for d in (-1, 0, 1)]),
    st.integers(0, len(NOISE)),
)
files = st.builds(
    lambda size, known: File("f", NOISE[:size], known=known), some_sizes, st.booleans()
)
framed = st.lists(files, max_size=5).map(lambda chosen: Corpus(chosen, Way.FRAMED))


def walked(zipped: Corpus) -> list[Found]:
    return walk(zipped.read, zipped.size)[0]


@given(framed)
@settings(deadline=None, max_examples=50)
def test_every_byte_of_any_zip_is_accounted_for(zipped: Corpus) -> None:
    found = walked(zipped)

    assert [(f.name, f.size, f.crc32) for f in found] == list(zipped.listing())
    assert [f.described for f in found] == [bool(f.size) and not f.known for f in zipped.files]


@given(framed, st.data())
@settings(deadline=None, max_examples=60)
def test_a_stretch_equals_that_slice_of_the_whole(zipped: Corpus, data: st.DataObject) -> None:
    whole = zipped.whole()
    for _ in range(5):
        start = data.draw(st.integers(0, len(whole)))
        stop = data.draw(st.integers(start, len(whole)))
        most = data.draw(st.sampled_from([1 << 20, 1 << 22, 65_537, 100_000]))

        stretch = b"".join(zipped.pieces(start, stop, zipped.learned, most))

        assert stretch == whole[start:stop]


def test_every_cut_near_a_block_is_exact() -> None:
    zipped = Corpus([File("f", NOISE[: BLOCK * 2 + 9])], Way.FRAMED)
    whole = zipped.whole()
    first = whole.index(NOISE[:100]) - 5
    near = [first + at + d for at in (0, BLOCK + 5, (BLOCK + 5) * 2) for d in range(-8, 9)]

    for start in near:
        for stop in near:
            if start <= stop:
                assert zipped.read(start, stop) == whole[start:stop]


@given(framed, st.data())
@settings(deadline=None, max_examples=60)
def test_what_is_covered_can_be_sent_and_nothing_else(zipped: Corpus, data: st.DataObject) -> None:
    """Covered: to the end, without more than one checkpoint of a member read in vain.

    What starts behind the directory's first byte is left out: there are bytes that need no CRC-32.
    """
    learned = Learned(zipped.plan)
    _read_up_to(zipped, learned, data.draw(st.integers(0, zipped.size)))

    for _ in range(8):
        start = data.draw(st.integers(0, zipped.plan.geometry.directory))

        assert learned.covers(start) == _can_be_sent(zipped, deepcopy(learned), start)


def _read_up_to(zipped: Corpus, learned: Learned, stop: int) -> None:
    for _ in zipped.pieces(0, stop, learned):
        pass


def _can_be_sent(zipped: Corpus, learned: Learned, start: int) -> bool:
    """Tries it, and counts the bytes that go in before the first one comes out."""
    before = 0
    try:
        for piece in zipped.plan.segments(start, None, learned):
            if isinstance(piece, Member) and zipped.plan.is_framed(piece.index):
                framer = Framer(zipped.plan, learned, piece.index, piece.start, piece.stop)
                content = zipped.files[piece.index].read(framer.first, framer.last)
                first = framer.frame(content[:CHECKPOINT])
                before = max(before, 0 if first or len(content) <= CHECKPOINT else CHECKPOINT + 1)
                framer.frame(content[CHECKPOINT:])
    except LookupError:
        return False
    return before <= CHECKPOINT


def test_a_plan_without_framed_members_is_covered_from_anywhere() -> None:
    zipped = corpus("various files")
    learned = Learned(zipped.plan)

    assert all(learned.covers(start) for start in range(0, zipped.size, 1000))


def test_a_crc32_is_not_asked_for_before_its_member_was_sent() -> None:
    zipped = corpus("various files", Way.FRAMED)

    sent = b"".join(zipped.pieces(0, None, Learned(zipped.plan)))

    assert sent == zipped.whole()


def test_what_needs_a_crc32_that_nobody_knows_is_refused_by_name() -> None:
    plan = plan_zip([Entry("a", 5, None, 0)])
    pieces = plan.segments()
    assert [type(next(pieces)), type(next(pieces))] == [bytes, Member]

    with pytest.raises(LookupError, match="'a' is not known"):
        next(pieces)


def test_a_source_that_changed_since_a_checkpoint_is_found_out() -> None:
    zipped = Corpus([File("f", NOISE)], Way.FRAMED)
    learned = Learned(zipped.plan)
    _read_up_to(zipped, learned, CHECKPOINT + 100_000)
    other = Corpus([File("f", b"x" + NOISE[1:])], Way.FRAMED)

    with pytest.raises(SourceChanged, match="'f' changed"):
        _read_up_to(other, learned, other.size)


def test_a_source_that_changed_since_it_was_sent_is_found_out() -> None:
    zipped = Corpus([File("f", b"before")], Way.FRAMED)
    other = Corpus([File("f", b"behind")], Way.FRAMED)

    with pytest.raises(SourceChanged, match="'f' changed"):
        _read_up_to(other, zipped.learned, other.size)


def test_a_source_with_more_bytes_than_planned_is_found_out() -> None:
    plan = plan_zip([Entry("f", 3, None, 0)])
    framer = Framer(plan, Learned(plan), 0, 0, 8)

    with pytest.raises(SourceChanged, match="'f' has more bytes"):
        framer.frame(b"four")


def test_a_framer_says_what_it_needs_and_when_it_has_it() -> None:
    plan = plan_zip([Entry("f", 100, None, 0)])
    framer = Framer(plan, Learned(plan), 0, 15, 25)

    assert (framer.first, framer.last) == (0, 20)
    assert framer.frame(bytes(range(15))) == bytes(range(10, 15))
    assert not framer.done
    assert framer.frame(bytes(range(15, 20))) == bytes(range(15, 20))
    assert framer.done


def test_a_stored_member_is_not_for_a_framer() -> None:
    plan = plan_zip([Entry("f", 1, 1, 0)])

    with pytest.raises(ValueError, match="not framed"):
        Framer(plan, Learned(plan), 0, 0, 1)


@given(st.lists(st.tuples(st.one_of(
    st.integers(0, 100),
    st.sampled_from([FULL - 327_665 + d for d in range(-2, 3)]),
    st.sampled_from([FULL - 1, FULL, FULL + 1, 5 * GIB]),
), st.booleans()), max_size=8))  # fmt: skip
@settings(deadline=None)
def test_any_mix_of_large_and_small_members_is_laid_out_without_gaps(
    members: list[tuple[int, bool]],
) -> None:
    zipped = Corpus(
        [File(f"{i}", size, known) for i, (size, known) in enumerate(members)], Way.FRAMED
    )

    found = walked(zipped)

    assert [f.size for f in found] == [size for size, _ in members]


@pytest.mark.parametrize(("packed", "needed"), [(FULL - 1, 20), (FULL, 45), (FULL + 1, 45)])
def test_zip64_is_used_where_the_framed_length_needs_it(packed: int, needed: int) -> None:
    (found,) = walked(Corpus([File("f", packed - 5 * 65_533)], Way.FRAMED))

    assert (found.packed, found.needed) == (packed, needed)


@given(st.data())
@settings(deadline=None)
def test_the_directory_can_be_entered_anywhere(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([1, FULL - 327_665, 5 * GIB]), max_size=8))
    zipped = Corpus([File(f"{i}", size) for i, size in enumerate(sizes)], Way.FRAMED)
    directory = zipped.plan.geometry.directory
    tail = zipped.read(directory, zipped.size)

    start = data.draw(st.integers(0, len(tail)))

    assert zipped.read(directory + start, zipped.size) == tail[start:]


def test_empty_members_are_stored_since_their_crc32_is_known() -> None:
    plan = plan_zip([Entry("a", 0, None, 0), Entry("b/", 0, None, 0)])

    assert plan.layout is Layout.STORED
    assert plan.etag == plan_zip([Entry("a", 0, 0, 0), Entry("b/", 0, 0, 0)]).etag


def test_a_plan_says_what_it_is_made_of() -> None:
    plan = plan_zip([Entry("a", 1, 1, 0), Entry("b", 1, None, 0)])

    assert plan.layout is Layout.STORED_BLOCKS
    assert [plan.is_stored(0), plan.is_framed(0)] == [True, False]
    assert [plan.is_stored(1), plan.is_framed(1)] == [False, True]
    assert [plan.crc32_of(0), plan.crc32_of(1), plan.crc32] == [1, None, None]


@pytest.mark.parametrize("entry", [Entry("b", None, None, 0), Entry("b", 1, 1, 0, deflate=True)])
def test_an_open_plan_has_no_size_and_no_bytes_of_its_own(entry: Entry) -> None:
    plan = plan_zip([Entry("a", 1, None, 0), entry])

    assert (plan.size, plan.etag, plan.crc32) == (None, None, None)
    assert plan.layout is Layout.DEFLATE
    assert (plan.size_of(1), plan.crc32_of(1)) == (entry.size, entry.crc32)
    assert plan.is_deflated(1) == entry.deflate
    with pytest.raises(ValueError, match="ZipWriter"):
        plan.segments()


def test_the_etag_covers_what_is_not_known() -> None:
    entry = Entry("a", 4, 0, 0, 1)
    wanted = [entry, replace(entry, crc32=None), replace(entry, crc32=None, token=2)]

    assert len({plan_zip([entry]).etag for entry in wanted}) == 3


def test_bytes_and_etag_stay_the_same_from_release_to_release() -> None:
    """As for stored members: a change needs another name of the layout that the ETag covers."""
    files = [File("a.txt", b"hello"), File("b", NOISE[:70_000]), File("c", b"known", known=True)]
    zipped = Corpus(files, Way.FRAMED)

    assert zipped.plan.etag == "z1-7476f08abf7614b208e6738d11d3218c4d80b6d22715f661cf4812d255adcce5"
    assert (zipped.size, f"{zlib.crc32(zipped.whole()):08x}") == (70375, "d5bf2b6f")


def test_what_is_learned_takes_a_few_bytes() -> None:
    plan = plan_zip([*_entries(20_000), Entry("huge", 1 << 30, None, 0)])
    tracemalloc.start()
    try:
        learned = Learned(plan)
        _fill(plan, learned)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 6 * 20_000 + 5 * (1 << 30) // CHECKPOINT + 10_000


def _entries(count: int) -> Sequence[Entry]:
    return [Entry(f"{i}", 10, None, 0) for i in range(count)]


def _fill(plan: Plan, learned: Learned) -> None:
    for i in range(len(plan)):
        learned.put(i, i)
    for position in range(CHECKPOINT, 1 << 30, CHECKPOINT):
        learned.note(len(plan) - 1, position, position)
