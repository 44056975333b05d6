"""What is to be removed from the nodes is claimed once at a time, and never what is needed."""

import pytest
from sqlalchemy import insert, select, update

from penstock.catalog.cluster import Copy, Doomed
from penstock.catalog.schema import cluster_files, cluster_outbox
from penstock.stores.interface import ALWAYS
from tests.catalog.cluster.conftest import HOUR, TABLES, Catalog


async def doom(catalog: Catalog, key: str = "a", lease: float = HOUR) -> Doomed:
    """A version that was deleted, and is claimed."""
    await catalog.put(key, parts=1)
    await catalog.files.delete(key, ALWAYS, 0.0)
    (doomed,) = await catalog.removals.claim(10, lease)
    return doomed


async def test_every_copy_is_told_whatever_its_state(catalog: Catalog) -> None:
    file = await catalog.begin(nodes=["n1"], parts=2)
    await catalog.files.place(file, 2, "n2")
    await catalog.files.abort(file)

    (doomed,) = await catalog.removals.claim(10, HOUR)

    assert (doomed.file, doomed.attempts) == (file, 1)
    assert await catalog.removals.copies(file, None, 10) == [
        Copy(1, "n1"),
        Copy(2, "n1"),
        Copy(2, "n2"),
    ]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
async def test_the_copies_come_page_by_page(catalog: Catalog, most: int) -> None:
    nodes = ["n1", "n2", "n3"]
    file = await catalog.begin(nodes=nodes, parts=4)
    await catalog.begin("other")
    found: list[Copy] = []

    while page := await catalog.removals.copies(file, found[-1] if found else None, most):
        assert len(page) <= most
        found += page

    assert found == [Copy(number, node) for number in range(1, 5) for node in nodes]


async def test_a_removal_goes_on_where_it_was_left(catalog: Catalog) -> None:
    first = await doom(catalog)

    assert await catalog.removals.forget(first, [Copy(1, "n2")])
    assert await catalog.removals.copies(first.file, None, 10) == [Copy(1, "n1")]
    assert await catalog.removals.postpone(first, 0.0, "its time was over", [Copy(1, "n1")])

    (second,) = await catalog.removals.claim(10, HOUR)
    assert await catalog.removals.copies(second.file, None, 10) == []
    assert not await catalog.removals.forget(first, [])
    assert await catalog.removals.removed(second, [])


async def test_whose_claim_is_void_forgets_nothing(catalog: Catalog) -> None:
    doomed = await doom(catalog)
    every = await catalog.removals.copies(doomed.file, None, 10)
    late = doomed._replace(fence="another")

    assert not await catalog.removals.forget(late, every)
    assert not await catalog.removals.postpone(late, 0.0, "late", every)
    assert not await catalog.removals.removed(late, every)

    assert await catalog.removals.copies(doomed.file, None, 10) == every


async def test_what_is_removed_leaves_nothing(catalog: Catalog) -> None:
    doomed = await doom(catalog)

    assert await catalog.removed(doomed)

    for table in TABLES:
        assert await catalog.execute(select(table)) == []
    assert await catalog.removals.next_due() is None
    assert not await catalog.removed(doomed)


async def test_what_is_claimed_cannot_be_claimed_until_the_lease_is_over(catalog: Catalog) -> None:
    first = await doom(catalog)
    assert await catalog.removals.claim(10, HOUR) == []

    await catalog.execute(update(cluster_outbox).values(due=0.0))
    (second,) = await catalog.removals.claim(10, HOUR)

    assert (second.file, second.attempts) == (first.file, 2)
    assert not await catalog.removed(first)
    assert not await catalog.removals.postpone(first, 0.0, "late")
    assert await catalog.removed(second)


async def test_what_is_postponed_comes_again_later(catalog: Catalog) -> None:
    doomed = await doom(catalog)

    assert await catalog.removals.postpone(doomed, HOUR, "a node does not answer")

    assert await catalog.removals.claim(10, HOUR) == []
    assert HOUR - 60 < (await catalog.removals.next_due() or 0) <= HOUR
    assert not await catalog.removed(doomed)
    assert await catalog.removals.count() == 1


async def test_what_is_read_waits_for_its_readers(catalog: Catalog) -> None:
    file = await catalog.put("a")
    await catalog.files.reading([file], HOUR)
    await catalog.put("a", grace=0.0)

    assert await catalog.removals.claim(10, HOUR) == []

    await catalog.execute(update(cluster_files).values(read_until=0.0))
    await catalog.execute(update(cluster_outbox).values(due=0.0))
    assert [doomed.file for doomed in await catalog.removals.claim(10, HOUR)] == [file]


async def test_what_is_read_hides_nothing_that_can_be_claimed(catalog: Catalog) -> None:
    read = [await catalog.put(f"r{number}", parts=1) for number in range(3)]
    await catalog.execute(update(cluster_files).values(read_until=4e9))
    other = await catalog.put("z", parts=1)
    for key in ("r0", "r1", "r2", "z"):
        await catalog.files.delete(key, ALWAYS, 0.0)

    # Those that are read are due for longer.
    claimed = await catalog.removals.claim(1, HOUR)

    assert [doomed.file for doomed in claimed] == [other]
    assert len(await catalog.execute(select(cluster_outbox))) == len(read) + 1


async def test_what_is_seen_is_never_removed(catalog: Catalog) -> None:
    file = await catalog.put("a")
    row = {"file": file, "due": 0.0, "attempts": 0}
    await catalog.execute(insert(cluster_outbox).values(row))

    assert await catalog.removals.claim(10, HOUR) == []

    assert await catalog.removals.next_due() is None
    assert (await catalog.files.stat("a")).etag == file


async def test_a_copy_that_was_placed_meanwhile_is_removed_too(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1"], parts=1)
    await catalog.files.delete("a", ALWAYS, 0.0)
    before = await catalog.removals.copies(file, None, 10)
    # As if it was claimed in the moment before.
    await catalog.files.place(file, 1, "n2")
    (doomed,) = await catalog.removals.claim(10, HOUR)

    assert not await catalog.removals.removed(doomed, before)

    (again,) = await catalog.removals.claim(10, HOUR)
    assert Copy(1, "n2") in await catalog.removals.copies(file, None, 10)
    assert await catalog.removed(again)


async def test_only_what_is_to_be_removed_now_is_counted(catalog: Catalog) -> None:
    await catalog.begin("on its way")
    await catalog.put("kept")
    await catalog.files.delete("kept", ALWAYS, HOUR)
    assert await catalog.removals.count() == 0

    given_up = await catalog.begin("given up")
    await catalog.files.abort(given_up)
    assert await catalog.removals.count() == 1

    (doomed,) = await catalog.removals.claim(10, HOUR)
    assert await catalog.removals.count() == 1
    await catalog.removals.postpone(doomed, HOUR, "a node does not answer")
    assert await catalog.removals.count() == 1


@pytest.mark.parametrize("most", [1, 3, 7])
async def test_the_longest_due_comes_first(catalog: Catalog, most: int) -> None:
    files = [await catalog.begin(f"k{number}", parts=0) for number in range(5)]
    for at, file in enumerate(reversed(files)):
        due = update(cluster_outbox).where(cluster_outbox.c.file == file).values(due=float(at))
        await catalog.execute(due)

    claimed = await catalog.removals.claim(most, HOUR)

    assert [doomed.file for doomed in claimed] == files[::-1][:most]
