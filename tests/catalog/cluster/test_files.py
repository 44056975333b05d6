"""Versions of files: seen when they are whole, under one key, one after the other."""

import pytest
from sqlalchemy import select, update

from penstock.catalog.cluster import CopyState, Part, Stored
from penstock.catalog.schema import cluster_files, cluster_outbox
from penstock.errors import NotFound, PreconditionFailed, Superseded
from penstock.stores.interface import ALWAYS, Condition, FileInfo
from tests.catalog.cluster.conftest import FACTS, HOUR, Catalog

ABSENT = Condition(absent=True)


async def test_a_version_is_seen_when_it_is_whole(catalog: Catalog) -> None:
    file = await catalog.begin("a/b")
    with pytest.raises(NotFound):
        await catalog.files.stat("a/b")

    told, replaced = await catalog.commit(file, "a/b")

    now = await catalog.copies.now()
    assert told == FileInfo("a/b", 10, told.modified_ns, file, "text/plain", b"s" * 32, 0xFFFFFFFF)
    assert abs(told.modified_ns / 1e9 - now) < 60
    assert not replaced
    assert await catalog.files.stat("a/b") == told


async def test_the_parts_tell_where_they_are(catalog: Catalog) -> None:
    file = await catalog.begin(nodes=["n1", "n2"])
    await catalog.files.place(file, 2, "n3")
    await catalog.files.stored(file, [Stored(1, 7, b"abcd", ("n1", "n2"))], HOUR)

    first, second = await catalog.files.parts(file)

    assert (first.name, first.start, first.size) == (f"{file}-1", 0, 5)
    assert (first.crc32, first.blocks, first.stored) == (7, b"abcd", ["n1", "n2"])
    assert (second.start, second.crc32, second.blocks) == (5, None, None)
    assert second.copies == dict.fromkeys(["n1", "n2", "n3"], CopyState.WRITING)


@pytest.mark.parametrize(
    ("start", "stop", "numbers"),
    [
        (0, 1, [1]),
        (0, None, [1, 2, 3, 4]),
        (4, 6, [1, 2]),
        (5, 10, [2]),
        (5, None, [2, 3, 4]),
        (19, None, [4]),
        (20, None, []),
        (20, 30, []),
        (0, 0, []),
    ],
)
async def test_the_parts_of_a_range_are_those_that_have_some_of_it(
    catalog: Catalog, start: int, stop: int | None, numbers: list[int]
) -> None:
    await catalog.put("another", parts=4)
    file = await catalog.put("a", parts=4)
    every = await catalog.files.parts(file)

    found = await catalog.files.parts(file, start, stop)

    assert found == [every[number - 1] for number in numbers]
    assert all(part.copies for part in found)


async def test_a_part_can_be_had_alone(catalog: Catalog) -> None:
    file = await catalog.put("a", parts=12)

    for number in (1, 2, 12):
        part = await catalog.files.part(file, number)
        assert part == (await catalog.files.parts(file))[number - 1]
    assert await catalog.files.part(file, 13) is None
    assert await catalog.files.part("another", 1) is None


async def test_what_a_version_became_is_told_until_it_is_gone(catalog: Catalog) -> None:
    await catalog.put("a")
    file = await catalog.begin("a")
    assert await catalog.files.made(file) is None
    answer = await catalog.commit(file, "a", grace=0.0)
    assert await catalog.files.made(file) == answer
    await catalog.put("a", grace=0.0)
    assert await catalog.files.made(file) == answer

    for doomed in await catalog.removals.claim(10, HOUR):
        await catalog.removed(doomed)

    with pytest.raises(Superseded):
        await catalog.files.made(file)


async def test_a_copy_that_is_there_stays_so_while_it_is_sent_again(catalog: Catalog) -> None:
    file = await catalog.put(nodes=["n1"], parts=1)

    await catalog.files.place(file, 1, "n1")

    (part,) = await catalog.files.parts(file)
    assert part.stored == ["n1"]


async def test_a_part_without_the_sums_of_its_blocks_does_not_become_visible(
    catalog: Catalog,
) -> None:
    file = await catalog.begin(nodes=["n1"], parts=1)
    amiss = [Stored(1, 7, bytes(8), ("n1",))]

    with pytest.raises(Superseded):
        await catalog.files.commit(file, "a", 5, FACTS, ALWAYS, HOUR, amiss)

    with pytest.raises(NotFound):
        await catalog.files.stat("a")


async def test_a_copy_that_never_arrived_stays_in_doubt(catalog: Catalog) -> None:
    file = await catalog.begin(nodes=["n1", "n2"], parts=1)
    await catalog.commit(file, nodes=["n1"], parts=1)

    (part,) = await catalog.files.parts(file)

    assert part.copies == {"n1": CopyState.STORED, "n2": CopyState.WRITING}


async def test_a_file_may_be_empty(catalog: Catalog) -> None:
    file = await catalog.begin(parts=0)
    told, _ = await catalog.commit(file, parts=0)

    assert told.size == 0
    assert await catalog.files.parts(file) == []


async def test_a_file_may_grow_while_nobody_knows_its_size(catalog: Catalog) -> None:
    await catalog.files.begin("f", "", None, [], HOUR)
    for number in (1, 2, 3):
        await catalog.files.add("f", [Part(number, 5 * number - 5, 5, ("n1",))], HOUR)
        await catalog.files.stored("f", [Stored(number, 1, bytes(4), ("n1",))], HOUR)

    told, _ = await catalog.files.commit("f", "named/late", 15, FACTS, ALWAYS, HOUR)

    assert (told.key, told.size) == ("named/late", 15)
    assert [part.start for part in await catalog.files.parts("f")] == [0, 5, 10]


async def test_another_version_takes_its_place(catalog: Catalog) -> None:
    old, new = await catalog.put("a"), await catalog.begin("a")

    _, replaced = await catalog.commit(new, "a")

    assert replaced
    assert (await catalog.files.stat("a")).etag == new
    assert await catalog.execute(select(cluster_outbox.c.file)) == [(old,)]


async def test_a_commit_that_is_repeated_answers_the_same(catalog: Catalog) -> None:
    await catalog.put("a")
    file = await catalog.begin("a")
    condition = Condition(etags=((await catalog.files.stat("a")).etag,))

    first = await catalog.commit(file, "a", condition=condition)
    second = await catalog.commit(file, "a", condition=condition)

    assert first == second
    assert first[1]


async def test_a_repeated_commit_takes_no_place_back(catalog: Catalog) -> None:
    old = await catalog.put("a")
    new = await catalog.put("a")

    told, replaced = await catalog.commit(old, "a")

    assert (told.etag, replaced) == (old, False)
    assert (await catalog.files.stat("a")).etag == new


@pytest.mark.parametrize(
    ("condition", "stored", "holds"),
    [
        (ABSENT, False, True),
        (ABSENT, True, False),
        (Condition(present=True), False, False),
        (Condition(present=True), True, True),
        (Condition(etags=("another",)), True, False),
        (Condition(etags=("another",)), False, False),
    ],
)
async def test_a_commit_may_have_a_condition(
    catalog: Catalog, condition: Condition, stored: bool, holds: bool
) -> None:
    before = await catalog.put("a") if stored else None
    file = await catalog.begin("a")

    if holds:
        await catalog.commit(file, "a", condition=condition)
    else:
        with pytest.raises(PreconditionFailed):
            await catalog.commit(file, "a", condition=condition)

    listed = [info.etag for info in await catalog.files.batches()]
    assert listed == ([file] if holds else [before] if before else [])


async def test_what_was_refused_can_be_tried_again(catalog: Catalog) -> None:
    await catalog.put("a")
    file = await catalog.begin("a")
    with pytest.raises(PreconditionFailed):
        await catalog.commit(file, "a", condition=ABSENT)

    await catalog.files.delete("a", ALWAYS, HOUR)
    told, replaced = await catalog.commit(file, "a", condition=ABSENT)

    assert (told.etag, replaced) == (file, False)


async def test_a_version_without_all_its_bytes_is_never_seen(catalog: Catalog) -> None:
    file = await catalog.begin("a", nodes=["n1"])
    await catalog.files.stored(file, [Stored(1, 7, bytes(4), ("n1",))], HOUR)

    with pytest.raises(Superseded):
        await catalog.files.commit(file, "a", 10, FACTS, ALWAYS, HOUR)
    assert await catalog.files.batches() == []


async def test_what_is_deleted_is_kept_for_a_while(catalog: Catalog) -> None:
    file = await catalog.put("a")

    await catalog.files.delete("a", Condition(etags=(file,)), HOUR)

    with pytest.raises(NotFound):
        await catalog.files.stat("a")
    assert len(await catalog.files.parts(file)) == 2
    assert HOUR - 60 < (await catalog.removals.next_due() or 0) <= HOUR


async def test_a_delete_may_be_refused(catalog: Catalog) -> None:
    file = await catalog.put("a")

    with pytest.raises(PreconditionFailed):
        await catalog.files.delete("a", Condition(etags=("another",)), 0)
    with pytest.raises(NotFound):
        await catalog.files.delete("b", ALWAYS, 0)

    assert (await catalog.files.stat("a")).etag == file
    assert await catalog.removals.next_due() is None


async def test_what_is_given_up_is_due_at_once_but_never_what_is_whole(catalog: Catalog) -> None:
    whole, given_up = await catalog.put("a"), await catalog.begin("b")

    await catalog.files.abort(whole)
    await catalog.files.abort(given_up)

    assert [doomed.file for doomed in await catalog.removals.claim(10, HOUR)] == [given_up]


async def test_a_version_on_its_way_is_kept_as_long_as_it_is_renewed(catalog: Catalog) -> None:
    file, other = await catalog.begin("a"), await catalog.begin("b")
    await catalog.execute(update(cluster_outbox).values(due=0.0))

    await catalog.files.renew([file], HOUR)

    assert [doomed.file for doomed in await catalog.removals.claim(10, HOUR)] == [other]


async def test_nothing_brings_back_what_is_given_up(catalog: Catalog) -> None:
    file = await catalog.begin("a")

    await catalog.files.abort(file)

    await catalog.files.renew([file], HOUR)
    with pytest.raises(Superseded):
        await catalog.files.place(file, 1, "n3")
    with pytest.raises(Superseded):
        await catalog.commit(file, "a")
    assert [doomed.file for doomed in await catalog.removals.claim(10, HOUR)] == [file]


async def test_once_its_removal_has_begun_nothing_brings_it_back(catalog: Catalog) -> None:
    file = await catalog.begin("a")
    await catalog.files.abort(file)
    (doomed,) = await catalog.removals.claim(1, HOUR)
    # Some of it may be removed by then.
    assert await catalog.removals.postpone(doomed, HOUR, "a node does not answer")

    with pytest.raises(Superseded):
        await catalog.commit(file, "a")
    with pytest.raises(Superseded):
        await catalog.files.add(file, [Part(3, 10, 5, ("n1",))], HOUR)
    with pytest.raises(Superseded):
        await catalog.files.place(file, 1, "n3")
    with pytest.raises(Superseded):
        await catalog.files.stored(file, [Stored(1, 1, bytes(4), ("n1",))], HOUR)
    await catalog.files.renew([file], 2 * HOUR)
    assert (await catalog.removals.next_due() or 0) <= HOUR


async def test_a_version_that_nobody_began_is_refused(catalog: Catalog) -> None:
    with pytest.raises(Superseded):
        await catalog.commit("never", "a")
    with pytest.raises(Superseded):
        await catalog.files.add("never", [], HOUR)
    with pytest.raises(Superseded):
        await catalog.files.place("never", 1, "n1")


async def test_digests_may_be_known_later(catalog: Catalog) -> None:
    file = await catalog.put("a")

    await catalog.files.know(file, b"t" * 32, 5)

    told = await catalog.files.stat("a")
    assert (told.sha256, told.crc32) == (b"t" * 32, 5)


async def test_a_reader_never_shortens_the_time_of_another(catalog: Catalog) -> None:
    file = await catalog.put("a")

    await catalog.files.reading([file], HOUR)
    await catalog.files.reading([file], 1)

    ((until,),) = await catalog.execute(select(cluster_files.c.read_until))
    assert until - await catalog.copies.now() > HOUR - 60


async def test_the_parts_that_only_silent_nodes_have_are_found(catalog: Catalog) -> None:
    everywhere = await catalog.put("a", nodes=["n1", "n2"])
    one = await catalog.put("b", nodes=["n1"])
    nowhere = await catalog.put("c", nodes=["n2"])
    await catalog.copies.bad(nowhere, 2, "n2")
    versions = [everywhere, one, nowhere]

    async def beside(*silent: str, **most: int) -> set[tuple[str, int]]:
        rows = await catalog.files.parts_beside(versions, silent, **most)
        assert all(row.copies for row in rows)
        return {(row.file, row.number) for row in rows}

    assert await beside() == {(nowhere, 2)}
    assert await beside("n1") == {(one, 1), (one, 2), (nowhere, 2)}
    assert len(await beside("n1", "n2")) == 6
    assert len(await beside("n1", most=1)) == 1
