"""A node that is to go is emptied first, and nothing that is needed goes with it."""

import pytest

from penstock.errors import WrongState
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import keeper, on_disk, put_some, stored
from tests.s3.files import get


async def drain(cluster: ClusterHere, number: int) -> None:
    await cluster.catalog.nodes.drain(cluster.nodes[number].id, True)
    await cluster.members.look()


async def test_a_drained_node_has_nothing_and_nothing_is_missed(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    files = await put_some(cluster, "a", "b")
    upkeep = keeper(cluster)
    gone = cluster.nodes[0].id
    assert await upkeep.needed(gone) == len((await stored(cluster))[gone]) > 0

    await drain(cluster, 0)
    await upkeep.run_once()

    assert await upkeep.needed(gone) == 0
    assert gone not in await cluster.catalog.nodes.counts()
    assert (await cluster.on_disks())[0] == set()
    await cluster.kill(0)
    await cluster.catalog.nodes.remove(gone)
    await cluster.members.look()
    for key, data in files.items():
        assert [len(nodes) for nodes in await cluster.copies(key)] == [2] * 6
        assert await get(cluster.store, key) == data


async def test_the_last_node_is_not_emptied(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(1)
    (data,) = (await put_some(cluster, "a")).values()
    upkeep = keeper(cluster)

    await drain(cluster, 0)
    await upkeep.run_once()

    assert await upkeep.needed(cluster.nodes[0].id) == 6
    assert await get(cluster.store, "a") == data


async def test_a_node_that_takes_parts_again_keeps_what_it_has(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    before = await stored(cluster)
    await drain(cluster, 0)
    await cluster.catalog.nodes.drain(cluster.nodes[0].id, False)
    await cluster.members.look()

    await keeper(cluster).run_once()

    assert await stored(cluster) == await on_disk(cluster) == before


async def test_a_dead_node_is_missed_until_its_parts_are_elsewhere(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    await cluster.die(0)
    dead = cluster.nodes[0].id
    assert await upkeep.needed(dead) == len((await stored(cluster))[dead])

    await upkeep.run_once()

    assert await upkeep.needed(dead) == 0


async def test_a_node_that_speaks_again_is_not_forgotten(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    before = await stored(cluster)
    await cluster.silence(0, 20)

    with pytest.raises(WrongState):
        await cluster.catalog.nodes.remove(cluster.nodes[0].id, silent=30)

    assert await stored(cluster) == before


async def test_a_bad_copy_is_missed_if_it_may_be_all_that_is_left(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, replicas=1)
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    (holder,) = part.copies
    await cluster.catalog.copies.bad(part.file, part.number, holder)
    upkeep = keeper(cluster)

    assert await upkeep.needed(holder) == 1

    (other,) = (member.id for member in cluster.nodes if member.id != holder)
    await cluster.catalog.files.place(part.file, part.number, other)
    await cluster.catalog.copies.found(part.file, part.number, other)
    assert await upkeep.needed(holder) == 0
