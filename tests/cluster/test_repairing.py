"""Every part gets as many good copies as it is to have, whatever happens to nodes."""

import asyncio
import logging
from dataclasses import replace

import pytest

from penstock.cluster import means, repairing
from penstock.cluster.copying import Copier, NoGoodCopy
from penstock.cluster.standing import Standing
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import flip, keeper, on_disk, put_some, stored, until
from tests.s3.files import get


async def test_the_parts_of_a_dead_node_are_copied_to_others(
    start_cluster: StartCluster, url: str
) -> None:
    cluster = await start_cluster(4, url=url)
    files = await put_some(cluster, "a", "b")
    await cluster.die(0)
    upkeep = keeper(cluster)

    assert await upkeep.run_once()

    for key, data in files.items():
        assert all(len(nodes - {0}) == 2 for nodes in await cluster.copies(key))
        assert await get(cluster.store, key) == data
    assert upkeep.status()["repaired"] > 0
    assert upkeep.status()["short"] == 0


async def test_a_node_that_is_silent_for_a_moment_starts_no_copying(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    before = await stored(cluster)
    await cluster.silence(0, 10)
    upkeep = keeper(cluster)

    await upkeep.run_once()

    assert upkeep.status()["repaired"] == 0
    assert await stored(cluster) == before


async def test_what_must_wait_for_a_node_is_repaired_when_it_answers(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(3, replicas=3)
    (data,) = (await put_some(cluster, "a")).values()
    await cluster.add()
    await cluster.die(0)
    await cluster.kill(1)
    await cluster.kill(2)  # nobody has noticed
    upkeep = keeper(cluster)
    await upkeep.run_once()
    assert upkeep.status()["short"] == 6
    assert upkeep.status()["lost"] == 0

    await cluster.restore(1)
    await cluster.restore(2)

    async def repaired() -> bool:
        await upkeep.run_once()
        return upkeep.status()["short"] == 0

    await until(repaired)
    assert all(nodes - {0} == {1, 2, 3} for nodes in await cluster.copies("a"))
    assert await get(cluster.store, "a") == data


async def test_a_copy_that_a_reader_found_bad_is_replaced(cluster: ClusterHere) -> None:
    (data,) = (await put_some(cluster, "a", size=60_000)).values()
    (part,) = await cluster.parts("a")
    holders = [member for member in cluster.nodes if member.id in part.copies]
    await flip(holders[0].path(part.name))
    await cluster.catalog.copies.bad(part.file, part.number, holders[0].id)

    await keeper(cluster).mender.run_once()

    assert [len(nodes) for nodes in await cluster.copies("a")] == [2]
    assert await on_disk(cluster) == await stored(cluster)
    for disk in cluster.nodes:
        if part.name in (await on_disk(cluster))[disk.id]:
            assert await asyncio.to_thread(disk.path(part.name).read_bytes) == data


async def test_a_copy_that_was_called_bad_by_mistake_counts_again(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    before = await stored(cluster)
    for part in await cluster.parts("a"):
        for node in part.copies:
            await cluster.catalog.copies.bad(part.file, part.number, node)
    upkeep = keeper(cluster)

    await upkeep.mender.run_once()

    assert await stored(cluster) == before
    assert upkeep.status()["repaired"] == 0


async def test_a_part_is_put_together_from_two_copies_with_different_bad_blocks(
    cluster: ClusterHere,
) -> None:
    size = 3 << 20
    files = await put_some(cluster, "big", size=6 * size)
    part = (await cluster.parts("big"))[0]
    first, second = (member for member in cluster.nodes if member.id in part.copies)
    await flip(first.path(part.name), 10)
    await flip(second.path(part.name), size - 10)

    await keeper(cluster).run_once()

    assert await get(cluster.store, "big") == files["big"]
    assert [len(nodes) for nodes in await cluster.copies("big")] == [2] * 6


async def test_a_part_that_nobody_has_is_counted_and_told_once(
    start_cluster: StartCluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = await start_cluster(2, replicas=1)
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    (holder,) = (member for member in cluster.nodes if member.id in part.copies)
    await asyncio.to_thread(holder.path(part.name).unlink)
    upkeep = keeper(cluster)

    with caplog.at_level(logging.ERROR, "penstock.cluster"):
        await upkeep.run_once()
        await upkeep.run_once()

    assert upkeep.status()["lost"] == 1
    assert [record.message for record in caplog.records] == ["a part is lost"]


async def test_copies_beyond_the_wanted_are_removed_when_a_node_is_back(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    files = await put_some(cluster, "a", "b")
    await cluster.die(0)
    upkeep = keeper(cluster)
    await upkeep.run_once()

    await cluster.restore(0)
    await upkeep.run_once()

    for key, data in files.items():
        assert [len(nodes) for nodes in await cluster.copies(key)] == [2] * 6
        assert await get(cluster.store, key) == data
    assert await on_disk(cluster) == await stored(cluster)


async def test_a_good_copy_is_not_removed_where_the_others_are_bad(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    (data,) = (await put_some(cluster, "a", size=60_000)).values()
    (part,) = await cluster.parts("a")
    first, second = (n for n, member in enumerate(cluster.nodes) if member.id in part.copies)
    await cluster.die(first)
    upkeep = keeper(cluster)
    await upkeep.run_once()
    third = next(iter((await cluster.copies("a"))[0] - {first, second}))
    await flip(cluster.nodes[second].path(part.name))
    await flip(cluster.nodes[third].path(part.name))
    await cluster.restore(first)

    await upkeep.mender.trimmer.walk()

    assert first in (await cluster.copies("a"))[0]
    assert await get(cluster.store, "a") == data


async def test_a_file_that_is_deleted_while_it_is_copied_leaves_nothing(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(3, grace=0, upkeep_rate=200_000)
    await put_some(cluster, "a", size=400_000)
    await cluster.die(0)
    upkeep, other = keeper(cluster), keeper(cluster)

    copying = asyncio.create_task(upkeep.mender.run_once())
    before = len((await cluster.on_disks())[1])

    async def begun() -> bool:
        return sum((await cluster.catalog.nodes.counts()).values()) > 12

    await until(begun)
    await cluster.store.delete("a")
    await other.cleaner.run_once()
    await copying
    await other.cleaner.run_once()

    assert before
    assert (await cluster.on_disks())[1:] == [set(), set()]
    assert await cluster.catalog.removals.count() == 0


async def test_two_who_remove_copies_of_a_part_at_once_leave_enough(
    start_cluster: StartCluster, url: str
) -> None:
    cluster = await start_cluster(3, url=url, replicas=3)
    (data,) = (await put_some(cluster, "a", size=60_000)).values()
    (part,) = await cluster.parts("a")
    keepers = [keeper(cluster) for _ in range(3)]
    nodes = [member.id for member in cluster.nodes]
    two = replace(cluster.options, replicas=2)
    for one in keepers:
        one.means.options = two

    released = await asyncio.gather(
        *(
            one.mender.releaser.release(part, node, thorough=True)
            for one, node in zip(keepers, nodes, strict=True)
        )
    )

    assert sum(released) <= 1
    assert len((await cluster.copies("a"))[0]) >= 2
    assert await get(cluster.store, "a") == data


async def test_a_copy_that_was_never_finished_is_removed(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repairing, "_STALE", 0.0)
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    before = await on_disk(cluster)
    (other,) = (member for member in cluster.nodes if member.id not in part.copies)
    await cluster.catalog.files.place(part.file, part.number, other.id)
    await asyncio.to_thread(other.path(part.name).write_bytes, b"the first byt")

    await keeper(cluster).mender.run_once()

    assert await on_disk(cluster) == await stored(cluster) == before
    assert (await cluster.parts("a"))[0].copies.keys() == part.copies.keys()


async def test_a_last_copy_that_was_just_called_bad_is_looked_at_at_once(
    start_cluster: StartCluster, url: str
) -> None:
    cluster = await start_cluster(2, url=url, replicas=1)
    await put_some(cluster, "a", size=60_000)
    before = await stored(cluster)
    (part,) = await cluster.parts("a")
    await cluster.catalog.copies.bad(part.file, part.number, *part.copies)

    await keeper(cluster).mender.repairer.tend()

    assert await stored(cluster) == before


async def test_what_was_decided_long_ago_removes_nothing(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(means, "_DECISION", 0.1)
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    (other,) = (member for member in cluster.nodes if member.id not in part.copies)
    upkeep = keeper(cluster)
    sources = (await upkeep.means.standing()).sources(part)
    target = await cluster.node(cluster.nodes.index(other))
    await Copier(upkeep.means).copy(part, target, sources)
    before = await on_disk(cluster)

    async def standing() -> Standing:
        await asyncio.sleep(0.3 * upkeep.means.handing.locked())  # as if the process was stopped
        return Standing.of(await cluster.members.all(), 2)

    monkeypatch.setattr(upkeep.means, "standing", standing)

    assert not await upkeep.mender.releaser.release(part, other.id, thorough=False)

    assert await on_disk(cluster) == before


async def test_a_bad_copy_stays_while_a_good_one_cannot_be_seen(cluster: ClusterHere) -> None:
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    first, second = (n for n, member in enumerate(cluster.nodes) if member.id in part.copies)
    (third,) = {0, 1, 2} - {first, second}
    upkeep = keeper(cluster)
    await Copier(upkeep.means).copy(part, await cluster.node(third), [await cluster.node(first)])
    await asyncio.to_thread(cluster.nodes[second].path(part.name).unlink)
    bad = cluster.nodes[third].id
    await cluster.catalog.copies.bad(part.file, part.number, bad)

    assert not await upkeep.mender.releaser.dispose(part, bad)

    assert part.name in (await cluster.on_disks())[third]


async def test_a_copy_that_went_bad_does_not_count_again_because_it_may_not_go(
    cluster: ClusterHere,
) -> None:
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    first, second = (member for member in cluster.nodes if member.id in part.copies)
    await flip(first.path(part.name))
    releaser = keeper(cluster).mender.releaser

    assert not await releaser.release(part, first.id, thorough=False)
    assert not await releaser.release(part, second.id, thorough=False)

    (part,) = await cluster.parts("a")
    assert part.stored == [second.id]


async def test_a_part_without_sums_is_not_copied_and_its_copies_are_not_called_bad(
    cluster: ClusterHere,
) -> None:
    await put_some(cluster, "a", size=60_000)
    before = await stored(cluster)
    (part,) = await cluster.parts("a")
    (other,) = (n for n, member in enumerate(cluster.nodes) if member.id not in part.copies)
    upkeep = keeper(cluster)
    sources = (await upkeep.means.standing()).sources(part)
    target = await cluster.node(other)

    with pytest.raises(NoGoodCopy):
        await Copier(upkeep.means).copy(part._replace(blocks=b""), target, sources)

    assert await stored(cluster) == before
