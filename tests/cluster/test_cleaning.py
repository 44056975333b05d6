"""What is to be removed goes from every node and from the catalog, whoever removes it."""

import asyncio

import pytest
from sqlalchemy import func, select

from penstock.catalog.schema import cluster_copies, cluster_files, cluster_outbox, cluster_parts
from penstock.cluster import cleaning
from penstock.cluster.node_client import Addressed
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import keeper, on_disk, put_some, stored, until
from tests.s3.files import content, get, put


async def rows(cluster: ClusterHere) -> int:
    """How many rows there are of files, whatever they are."""
    tables = (cluster_files, cluster_parts, cluster_copies, cluster_outbox)

    def count() -> int:
        with cluster.catalog.engine.connect() as connection:
            queries = [select(func.count()).select_from(table) for table in tables]
            return sum(connection.execute(query).scalar_one() for query in queries)

    return await asyncio.to_thread(count)


async def test_nothing_is_left_of_a_deleted_file(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)

    await cluster.store.delete("a")
    await upkeep.cleaner.run_once()

    assert await cluster.on_disks() == [set(), set(), set()]
    assert await rows(cluster) == 0
    assert upkeep.status()["cleaned"] == 1


async def test_an_old_version_goes_after_its_grace_and_the_new_one_stays(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(grace=2)
    new = content(600_000, 2)
    await put_some(cluster, "a")
    await put(cluster.store, "a", new, size=len(new))
    upkeep = keeper(cluster)

    await upkeep.cleaner.run_once()
    assert sum(map(len, await cluster.on_disks())) == 24

    async def cleaned() -> bool:
        await upkeep.cleaner.run_once()
        return upkeep.status()["cleaned"] == 1

    await until(cleaned)
    assert sum(map(len, await cluster.on_disks())) == 12
    assert await get(cluster.store, "a") == new


async def test_an_upload_that_was_given_up_is_removed(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(part_size=100_000)
    writer = await cluster.store.write("a", size=300_000)
    await writer.write(content(250_000))

    await writer.abort()
    await keeper(cluster).cleaner.run_once()

    assert await cluster.on_disks() == [set(), set(), set()]
    assert await rows(cluster) == 0


async def test_a_silent_node_keeps_only_what_it_has(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_FIRST_PAUSE", 0.2)
    monkeypatch.setattr(cleaning, "_LONGEST_PAUSE", 0.2)
    cluster = await start_cluster(3, grace=0, parts=1)
    keys = [str(number) for number in range(30)]
    await put_some(cluster, *keys, size=1000)
    there = [bool({0} & (await cluster.copies(key))[0]) for key in keys]
    assert 0 < sum(there) < len(keys)
    await cluster.kill(0)
    upkeep = keeper(cluster)

    await asyncio.gather(*(cluster.store.delete(key) for key in keys))
    await upkeep.cleaner.run_once()

    assert upkeep.status()["cleaned"] == len(keys) - sum(there)
    assert await cluster.catalog.removals.count() == sum(there)

    await cluster.restore(0)

    async def cleaned() -> bool:
        await upkeep.cleaner.run_once()
        return upkeep.status()["cleaned"] == len(keys)

    await until(cleaned)
    assert await cluster.on_disks() == [set(), set(), set()]


async def test_a_dead_node_is_not_waited_for_and_loses_what_it_had_when_it_is_back(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(3, grace=0)
    await put_some(cluster, "a")
    await cluster.die(0)
    upkeep = keeper(cluster)

    await cluster.store.delete("a")
    await upkeep.cleaner.run_once()

    assert await rows(cluster) == 0
    disks = await cluster.on_disks()
    assert disks[0]
    assert disks[1:] == [set(), set()]

    await cluster.restore(0)
    await upkeep.run_once()

    assert await cluster.on_disks() == [set(), set(), set()]


async def test_a_part_that_is_gone_already_is_no_obstacle(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)

    def unlink() -> None:
        for name in cluster.nodes[0].files:
            cluster.nodes[0].path(name).unlink()

    await asyncio.to_thread(unlink)
    await cluster.store.delete("a")
    await upkeep.cleaner.run_once()

    assert await rows(cluster) == 0


async def test_two_cleaners_share_the_work(start_cluster: StartCluster, url: str) -> None:
    cluster = await start_cluster(url=url, grace=0)
    kept = await put_some(cluster, "kept")
    empty = [f"empty {number}" for number in range(130)]
    await put_some(cluster, *empty, size=0)
    large = list(await put_some(cluster, *"0123456789", size=100_000))
    await asyncio.gather(*(cluster.store.delete(key) for key in empty + large))
    one, other = keeper(cluster), keeper(cluster)

    await asyncio.gather(one.cleaner.run_once(), other.cleaner.run_once())

    assert one.status()["cleaned"] + other.status()["cleaned"] == 140
    assert await cluster.catalog.removals.count() == 0
    assert await on_disk(cluster) == await stored(cluster)
    assert await get(cluster.store, "kept") == kept["kept"]


async def test_it_is_done_without_being_asked_for(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    upkeep.start()

    await cluster.store.delete("a")

    async def cleaned() -> bool:
        return await rows(cluster) == 0

    await until(cleaned)
    await upkeep.close()
    assert await cluster.on_disks() == [set(), set(), set()]


async def test_copies_are_removed_page_by_page(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_PAGE", 4)
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)

    await cluster.store.delete("a")
    await upkeep.cleaner.run_once()

    assert await cluster.on_disks() == [set(), set(), set()]
    assert await rows(cluster) == 0
    assert upkeep.status()["cleaned"] == 1


async def test_each_attempt_goes_on_behind_the_one_before(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_PAGE", 6)
    monkeypatch.setattr(cleaning, "_WORK", 0.5)
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    asked: list[str] = []
    delete = cluster.client.delete

    async def slow(node: Addressed, name: str) -> None:
        asked.append(name)
        if len(asked) % 4 == 0:
            await asyncio.Event().wait()  # longer than there is time
        await delete(node, name)

    monkeypatch.setattr(cluster.client, "delete", slow)
    await cluster.store.delete("a")

    async def cleaned() -> bool:
        await upkeep.cleaner.run_once()
        return upkeep.status()["cleaned"] == 1

    await until(cleaned)
    assert await cluster.on_disks() == [set(), set(), set()]
    assert await rows(cluster) == 0
