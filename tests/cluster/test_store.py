"""What is stored in a cluster is in parts on its nodes, and nowhere else."""

import asyncio
import zlib
from dataclasses import replace
from hashlib import sha256

import pytest

from penstock.cluster.store import ClusterStore
from penstock.errors import NotFound, SourceChanged
from penstock.stores import ALWAYS, Facts
from penstock.stores.interface import Admits, Assures
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere, second_gateway
from tests.s3.files import MIB, content, get, keys, put


async def test_a_file_is_in_parts_with_two_copies_each(cluster: ClusterHere) -> None:
    data = content(5_000_003)

    await put(cluster.store, "a", data, size=len(data))

    parts = await cluster.parts("a")
    assert [part.size for part in parts] == [833_334] * 5 + [833_333]
    assert [len(nodes) for nodes in await cluster.copies("a")] == [2] * 6
    for part in parts:
        there = data[part.start : part.start + part.size]
        for member in cluster.nodes:
            if member.id in part.copies:
                assert await asyncio.to_thread(member.path(part.name).read_bytes) == there


async def test_all_nodes_have_parts_of_a_file(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=6, replicas=1)

    await put(cluster.store, "a", content(6 * MIB), size=6 * MIB)

    assert sorted(next(iter(nodes)) for nodes in await cluster.copies("a")) == [0, 1, 2, 3, 4, 5]


async def test_the_catalog_knows_the_crc32_of_each_part_and_of_each_mib_of_it(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(parts=1)
    data = content(2 * MIB + 5)

    await put(cluster.store, "a", data, size=len(data))

    (part,) = await cluster.parts("a")
    blocks = [data[:MIB], data[MIB : 2 * MIB], data[2 * MIB :]]
    assert part.crc32 == zlib.crc32(data)
    assert part.blocks == b"".join(zlib.crc32(one).to_bytes(4, "little") for one in blocks)


def test_a_cluster_knows_beforehand_what_it_can_take_and_give(store: ClusterStore) -> None:
    assert isinstance(store, Admits)
    assert isinstance(store, Assures)


async def test_what_is_put_can_be_got(store: ClusterStore) -> None:
    data = content(3_500_001)

    await put(store, "a", data, size=len(data))

    assert await get(store, "a") == data
    assert await get(store, "a", 1_000_000, 2_000_001) == data[1_000_000:2_000_001]


async def test_an_empty_file_is_on_no_node(cluster: ClusterHere) -> None:
    await put(cluster.store, "a", b"", size=0)

    assert await get(cluster.store, "a") == b""
    assert await cluster.on_disks() == [set(), set(), set()]


async def test_another_gateway_sees_what_is_stored(cluster: ClusterHere) -> None:
    written = await put(cluster.store, "a", b"x")

    async with second_gateway(cluster) as second:
        assert await second.stat("a") == written
        assert await get(second, "a") == b"x"


async def test_a_replaced_version_is_kept_for_a_while(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(grace=300.0)
    await put(cluster.store, "a", b"old")

    await put(cluster.store, "a", b"new")

    assert await get(cluster.store, "a") == b"new"
    due = await cluster.catalog.removals.next_due()
    assert due is not None
    assert 200 < due <= 300


async def test_who_reads_a_file_that_is_replaced_gets_the_old_one_to_its_end(
    cluster: ClusterHere,
) -> None:
    old = content(5 * MIB, seed=1)
    await put(cluster.store, "a", old, size=len(old))
    pieces = cluster.store.read("a")
    first = await anext(pieces)

    await put(cluster.store, "a", b"new")

    assert first + b"".join([data async for data in pieces]) == old


@pytest.mark.parametrize("change", ["replaced", "deleted"])
async def test_a_version_that_is_kept_is_read_by_who_asks_for_it(
    store: ClusterStore, change: str
) -> None:
    old = await put(store, "a", b"old")
    await (put(store, "a", b"new") if change == "replaced" else store.delete("a"))

    assert [data async for data in store.read("a", etag=old.etag)] == [b"old"]


async def test_a_version_of_another_file_is_not_read(store: ClusterStore) -> None:
    await put(store, "a", b"x")
    other = await put(store, "b", b"y")

    with pytest.raises(SourceChanged):
        await anext(aiter(store.read("a", etag=other.etag)))


async def test_who_goes_on_with_another_version_is_told(store: ClusterStore) -> None:
    old = await put(store, "a", b"old")
    await put(store, "a", b"new")

    with pytest.raises(SourceChanged, match="start it again"):
        await store.checksum("a", etag=old.etag)


async def test_a_deleted_file_is_to_be_removed(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(grace=0.0)
    written = await put(cluster.store, "a", b"x")

    await cluster.store.delete("a")

    assert [one.file for one in await cluster.catalog.removals.claim(9, 60.0)] == [written.etag]
    with pytest.raises(NotFound):
        await cluster.store.stat("a")


async def test_a_scan_gives_every_file_once_in_key_order(cluster: ClusterHere) -> None:
    names = [f"d/{number:05}" for number in range(1100)]
    files = cluster.catalog.files

    async def store_empty(name: str) -> None:
        await files.begin(f"file {name}", name, 0, (), 60.0)
        await files.commit(f"file {name}", name, 0, Facts(None, 0), ALWAYS, 60.0)

    await asyncio.gather(*map(store_empty, [*names, "c", "e"]))

    scanned = [info.key async for batch in cluster.store.scan("d/") for info in batch]

    assert scanned == names


async def test_digests_that_were_not_taken_are_found_out_once(cluster: ClusterHere) -> None:
    data = content(3 * MIB)
    thrifty = ClusterStore(replace(cluster.shared, sha256=False))
    written = await put(thrifty, "a", data, size=len(data))
    assert written.sha256 is None

    found = await asyncio.gather(*(cluster.store.checksum("a") for _ in range(5)))

    assert {info.sha256 for info in found} == {sha256(data).digest()}
    assert await cluster.store.stat("a") == found[0]


async def test_a_store_that_is_closed_leaves_no_task_behind(start_cluster: StartCluster) -> None:
    cluster = await start_cluster()
    before = asyncio.all_tasks()
    async with second_gateway(cluster) as second:
        await put(second, "a", content(MIB))
        assert len(await get(second, "a", 0, 100)) == 100

    ours = [task for task in asyncio.all_tasks() - before if "penstock/cluster" in repr(task)]
    assert ours == []
    assert await keys(cluster.store) == ["a"]
