"""Two processes on one catalog that want the same at the same moment."""

import asyncio

import pytest
from sqlalchemy import delete, select, text, update

from penstock.catalog.cluster import Files
from penstock.catalog.schema import cluster_copies, cluster_outbox, cluster_parts
from penstock.errors import NotFound, PreconditionFailed, Superseded
from penstock.stores.interface import ALWAYS, Condition
from tests.catalog.cluster.conftest import HOUR, Catalog, OpenCatalog

ROUNDS = 8


async def seen(files: Files) -> dict[str, str]:
    return {info.key: info.etag for info in await files.batches()}


async def test_of_two_first_versions_exactly_one_is_taken(open_catalog: OpenCatalog) -> None:
    gateways = [await open_catalog() for _ in range(2)]
    keys = [f"k{number}" for number in range(ROUNDS)]

    async def first(gateway: Catalog, key: str) -> str | None:
        file = await gateway.begin(key)
        try:
            await gateway.commit(file, key, condition=Condition(absent=True))
        except PreconditionFailed:
            return None
        return file

    # In opposite orders, so that each may wait for a key that the other has.
    one, other = gateways
    tries = [(one, key) for key in keys] + [(other, key) for key in reversed(keys)]
    winners = await asyncio.gather(*(first(*who) for who in tries))

    won = [(key, file) for (_, key), file in zip(tries, winners, strict=True) if file]
    assert len(won) == len(keys)
    assert dict(won) == await seen(gateways[0].files)


async def test_of_two_that_replace_a_version_exactly_one_does(open_catalog: OpenCatalog) -> None:
    gateways = [await open_catalog() for _ in range(2)]
    before = await gateways[0].put("a")

    for _ in range(ROUNDS):
        files = [await gateway.begin("a") for gateway in gateways]
        only = Condition(etags=(before,))
        results = await asyncio.gather(
            *(
                gateway.commit(file, "a", condition=only)
                for gateway, file in zip(gateways, files, strict=True)
            ),
            return_exceptions=True,
        )
        (won,) = [result for result in results if not isinstance(result, BaseException)]
        assert sum(isinstance(result, PreconditionFailed) for result in results) == 1
        before = won[0].etag
        assert await seen(gateways[1].files) == {"a": before}


async def test_of_all_that_was_replaced_each_version_is_removed_once(
    open_catalog: OpenCatalog,
) -> None:
    gateways = [await open_catalog() for _ in range(2)]

    made = await asyncio.gather(
        *(gateway.put("a", grace=0.0) for gateway in gateways for _ in range(ROUNDS))
    )

    (last,) = (await seen(gateways[0].files)).values()
    doomed = await gateways[0].removals.claim(100, HOUR)
    assert sorted([last, *(one.file for one in doomed)]) == sorted(made)


async def test_either_it_is_seen_or_it_is_removed(open_catalog: OpenCatalog) -> None:
    gateway, cleaner = await open_catalog(), await open_catalog()
    removed, committed, refused = set(), set(), set()

    async def commit(file: str, key: str) -> None:
        try:
            await gateway.commit(file, key)
            committed.add(file)
        except Superseded:
            refused.add(file)

    async def clean() -> None:
        for doomed in await cleaner.removals.claim(2, HOUR):
            assert await cleaner.removed(doomed)
            removed.add(doomed.file)

    for number in range(ROUNDS):
        files = [await gateway.begin(f"{number}/{part}") for part in range(4)]
        # The gateway seemed frozen: its leases are over, and its commits come nevertheless.
        await gateway.execute(update(cluster_outbox).values(due=0.0))
        commits = [commit(file, f"{number}/{part}") for part, file in enumerate(files)]
        await asyncio.gather(*commits, clean(), clean())

    assert committed == set((await seen(gateway.files)).values())
    assert committed.isdisjoint(removed)
    # What no round of the cleaner reached is committed: nothing is both, nothing neither.
    assert refused == removed
    for file in committed:
        assert all(part.stored for part in await gateway.files.parts(file))


async def test_no_two_cleaners_claim_the_same(open_catalog: OpenCatalog) -> None:
    cleaners = [await open_catalog() for _ in range(3)]
    files = [await cleaners[0].begin(f"k{number}", parts=1) for number in range(30)]
    await asyncio.gather(*map(cleaners[0].files.abort, files))

    async def clean(cleaner: Catalog) -> list[str]:
        claimed = []
        while found := await cleaner.removals.claim(3, HOUR):
            claimed += [doomed.file for doomed in found]
        return claimed

    rounds = await asyncio.gather(*map(clean, cleaners))

    # A row that another looks at is skipped, so a last one may be left for the next round.
    rest = await clean(cleaners[0])
    assert sorted(rest + [file for claimed in rounds for file in claimed]) == sorted(files)


async def test_a_reader_comes_before_a_removal_or_after_it(open_catalog: OpenCatalog) -> None:
    gateway, cleaner = await open_catalog(), await open_catalog()

    for number in range(ROUNDS):
        file = await gateway.put(f"k{number}")
        await gateway.files.delete(f"k{number}", ALWAYS, 0.0)
        _, claimed = await asyncio.gather(
            gateway.files.reading([file], HOUR), cleaner.removals.claim(10, HOUR)
        )
        # Once it is read nobody claims it any more.
        later = await cleaner.removals.claim(10, HOUR)
        assert [doomed.file for doomed in claimed] in ([], [file])
        assert later == []


async def test_of_two_that_delete_a_file_one_finds_it(open_catalog: OpenCatalog) -> None:
    gateways = [await open_catalog() for _ in range(2)]

    for _ in range(ROUNDS):
        await gateways[0].put("a")
        results = await asyncio.gather(
            *(gateway.files.delete("a", ALWAYS, HOUR) for gateway in gateways),
            return_exceptions=True,
        )
        assert sorted(map(type, results), key=str) == sorted([type(None), NotFound], key=str)


async def test_two_that_drop_the_two_copies_of_a_part_leave_one(open_catalog: OpenCatalog) -> None:
    keepers = [await open_catalog() for _ in range(2)]

    for number in range(ROUNDS):
        file = await keepers[0].put(f"k{number}", parts=1)
        await asyncio.gather(
            keepers[0].copies.drop(file, 1, "n1"), keepers[1].copies.drop(file, 1, "n2")
        )
        (part,) = await keepers[0].files.parts(file)
        assert len(part.stored) == 1


async def test_one_process_at_a_time_has_a_duty(open_catalog: OpenCatalog) -> None:
    catalogs = [await open_catalog() for _ in range(3)]

    for number in range(ROUNDS):
        taken = await asyncio.gather(
            *(one.duties.take(f"d{number}", str(at), HOUR) for at, one in enumerate(catalogs))
        )
        assert sorted(taken, key=str) == ["", None, None]


async def test_a_removal_waits_for_who_forgets_a_copy_of_it(catalog: Catalog) -> None:
    if catalog.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time, so no two wait for each other")
    file = await catalog.put("a", parts=1)
    await catalog.files.delete("a", ALWAYS, 0.0)
    (doomed,) = await catalog.removals.claim(10, HOUR)
    connection = await asyncio.to_thread(catalog.engine.connect)
    part = select(cluster_parts).where(cluster_parts.c.file == file).with_for_update()
    await asyncio.to_thread(connection.execute, part)

    removing = asyncio.create_task(catalog.removed(doomed))
    async with asyncio.timeout(30):
        while not await catalog.execute(text("SELECT 1 FROM pg_locks WHERE NOT granted")):
            await asyncio.sleep(0.02)
    copy = delete(cluster_copies).where(cluster_copies.c.file == file)
    await asyncio.to_thread(connection.execute, copy)
    await asyncio.to_thread(connection.commit)
    await asyncio.to_thread(connection.close)

    assert await removing
