"""What upkeep is told of copies."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, delete, update

import penstock.catalog.cluster.copies
from penstock.catalog.cluster import CopyState, PartRow, StaleCopy
from penstock.catalog.cluster.selecting import Place, parts_at
from penstock.catalog.schema import cluster_copies, cluster_parts
from penstock.stores.interface import ALWAYS
from tests.catalog.cluster.conftest import Catalog

START = ("", 0)


def places(parts: list[PartRow]) -> list[tuple[str, int]]:
    return [(part.file, part.number) for part in parts]


async def test_parts_are_short_that_have_too_few_good_copies(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=3)
    await catalog.copies.bad(file, 2, "n1")
    usable = ["n1", "n2", "n3"]

    short = await catalog.copies.short(2, usable, START, 10)

    assert places(short) == [(file, 2)]
    assert short[0].copies == {"n1": CopyState.BAD, "n2": CopyState.STORED}
    assert await catalog.copies.short(1, usable, START, 10) == []
    assert len(await catalog.copies.short(3, usable, START, 10)) == 3


async def test_copies_on_other_nodes_do_not_count(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=1)

    assert places(await catalog.copies.short(2, ["n2", "n3"], START, 10)) == [(file, 1)]
    assert await catalog.copies.short(2, ["n2"], START, 10) == []
    assert await catalog.copies.short(2, [], START, 10) == []


async def test_only_whole_versions_that_stay_are_mended(catalog: Catalog) -> None:
    await catalog.put("a", nodes=["n1"], parts=1)
    await catalog.files.delete("a", ALWAYS, 3600)
    await catalog.begin("b", nodes=["n1"], parts=1)

    assert await catalog.copies.short(2, ["n1", "n2"], START, 10) == []


async def test_parts_with_more_copies_than_wanted_are_extra(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=2)
    await catalog.files.place(file, 1, "n3")
    usable = ["n1", "n2", "n3"]
    assert await catalog.copies.extra(2, usable, START, 10) == []

    await catalog.copies.found(file, 1, "n3")

    assert places(await catalog.copies.extra(2, usable, START, 10)) == [(file, 1)]
    assert await catalog.copies.extra(2, ["n1", "n3"], START, 10) == []


async def test_the_cursor_leads_through_all_that_is_short(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penstock.catalog.cluster.copies, "_LOOKED_AT", 3)
    files = sorted([await catalog.put(key, nodes=["n1"], parts=4) for key in "abc"])
    good = await catalog.put("d", nodes=["n1", "n2"], parts=4)
    every = [(file, number) for file in files for number in range(1, 5)]

    found, after = [], START
    while short := await catalog.copies.short(2, ["n1", "n2"], after, 5):
        assert len(short) <= 5
        found += places(short)
        after = found[-1]

    assert found == every
    assert good not in dict(found)


async def test_a_page_is_full_although_files_go_while_it_is_looked_for(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted([await catalog.put(key, nodes=["n1"], parts=1) for key in "abc"])

    def after_a_removal(connection: Connection, places: Sequence[Place]) -> list[PartRow]:
        connection.execute(delete(cluster_parts).where(cluster_parts.c.file == files[0]))
        return parts_at(connection, places)

    monkeypatch.setattr(penstock.catalog.cluster.copies, "parts_at", after_a_removal)

    short = await catalog.copies.short(2, ["n1", "n2"], START, 2)

    assert places(short) == [(files[1], 1), (files[2], 1)]


async def test_a_node_is_compared_with_the_catalog_in_order_of_the_names(
    catalog: Catalog,
) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=11)

    found, after = [], ""
    while page := await catalog.copies.on("n1", after, 4):
        found += page
        after = page[-1].name

    names = [copy.name for copy in found]
    assert names == sorted(f"{file}-{number}" for number in range(1, 12))
    assert {(copy.file, copy.state, copy.size) for copy in found} == {(file, "stored", 5)}
    assert all(isinstance(copy.state, CopyState) for copy in found)
    assert all(copy.crc32 == copy.number for copy in found)
    assert abs(found[0].changed - await catalog.copies.now()) < 60


async def test_names_are_looked_up_however_many(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=400)
    await catalog.copies.bad(file, 3, "n1")
    names = [f"{file}-{number}" for number in range(1, 701)]

    states = await catalog.copies.of(names, "n1")

    assert states.pop(f"{file}-3") is CopyState.BAD
    assert states == dict.fromkeys(names[:2] + names[3:400], CopyState.STORED)
    assert await catalog.copies.of(names, "n3") == {}


async def test_a_copy_without_a_row_gets_none(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1"], parts=1)

    await catalog.copies.found(file, 1, "n2")
    await catalog.copies.bad(file, 1, "n3")

    (part,) = await catalog.files.parts(file)
    assert part.copies == {"n1": CopyState.STORED}


async def test_the_last_good_copy_is_never_dropped(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"], parts=1)
    await catalog.files.place(file, 1, "n3")

    await catalog.copies.bad(file, 1, "n2")
    await catalog.copies.drop(file, 1, "n1")
    await catalog.copies.drop(file, 1, "n2")
    assert (await catalog.files.parts(file))[0].stored == ["n1"]

    await catalog.copies.found(file, 1, "n3")
    await catalog.copies.drop(file, 1, "n1")
    assert (await catalog.files.parts(file))[0].copies == {"n3": CopyState.STORED}


async def test_copies_of_no_use_are_stale(catalog: Catalog) -> None:
    file = await catalog.begin("a", nodes=["n1", "n2"], parts=2)
    await catalog.commit(file, "a", nodes=["n1"], parts=2)
    await catalog.copies.found(file, 1, "n2")
    await catalog.copies.bad(file, 1, "n2")
    await catalog.begin("b", nodes=["n1"], parts=1)  # on its way still
    bad, begun = (StaleCopy(f"{file}-{number}", "n2", file, number) for number in (1, 2))
    assert await catalog.copies.stale(60, 10) == [bad]

    aged = update(cluster_copies).values(changed=cluster_copies.c.changed - 120)
    await catalog.execute(aged)

    assert await catalog.copies.stale(60, 10) == [begun, bad]
    assert await catalog.copies.stale(60, 1) == [begun]


async def test_a_bad_copy_is_kept_while_there_is_no_good_one(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1"], parts=1)

    await catalog.copies.bad(file, 1, "n1")

    assert await catalog.copies.stale(0, 10) == []
