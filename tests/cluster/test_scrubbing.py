"""What is on the nodes and what the catalog says are made one, without harm to what is coming."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from penstock.catalog.cluster import CopyState, Node, NodeState
from penstock.cluster import means, scrubbing
from penstock.cluster.node_client import NodePart
from penstock.cluster.trouble import NodeFailed
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere, Member
from tests.cluster.keeping import flip, keeper, on_disk, put_some, stored, until
from tests.s3.files import content, get


def holder(cluster: ClusterHere, name: str, copies: dict[str, set[str]]) -> Member:
    """A node that has a part."""
    return next(member for member in cluster.nodes if name in copies[member.id])


async def test_a_flipped_byte_is_found_and_repaired(cluster: ClusterHere) -> None:
    (data,) = (await put_some(cluster, "a")).values()
    part = (await cluster.parts("a"))[2]
    path = holder(cluster, part.name, await stored(cluster)).path(part.name)
    await flip(path, 1000)
    upkeep = keeper(cluster)

    await upkeep.run_once()

    assert upkeep.status()["bad"] == 1
    assert upkeep.status()["repaired"] == 1
    assert [len(nodes) for nodes in await cluster.copies("a")] == [2] * 6
    for member in cluster.nodes:
        if part.name in (await stored(cluster))[member.id]:
            there = await asyncio.to_thread(member.path(part.name).read_bytes)
            assert there == data[part.start : part.start + part.size]


async def test_a_node_that_lost_its_files_is_given_them_again(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "_PAGE", 7)
    files = await put_some(cluster, "a", "b", "c")

    def empty() -> None:
        for name in cluster.nodes[1].files:
            cluster.nodes[1].path(name).unlink()

    await asyncio.to_thread(empty)

    await keeper(cluster).run_once()

    assert await on_disk(cluster) == await stored(cluster)
    for key, data in files.items():
        assert [len(nodes) for nodes in await cluster.copies(key)] == [2] * 6
        assert await get(cluster.store, key) == data


async def test_what_nobody_knows_is_removed_and_nothing_else(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "_PAGE", 7)
    await put_some(cluster, "a", "b")
    before = await on_disk(cluster)
    client = cluster.shared.client
    for name in ("!first", "7-1", "zzz-3"):

        async def body(name: str = name) -> AsyncIterator[bytes]:
            yield name.encode()

        await client.put(await cluster.node(0), name, len(name), None, body)
    upkeep = keeper(cluster)

    await upkeep.run_once()

    assert await on_disk(cluster) == before
    assert upkeep.status()["orphans"] == 3


async def test_an_upload_under_way_is_not_touched(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(3, part_size=100_000)
    data = content(500_000)
    upkeep = keeper(cluster)

    async with await cluster.store.write("a", size=len(data)) as writer:
        await writer.write(data[:300_000])

        async def some_are_there() -> bool:
            return sum(map(len, await cluster.on_disks())) > 2

        await until(some_are_there)
        await upkeep.run_once()
        await writer.write(data[300_000:])
        await writer.commit()

    assert upkeep.status()["orphans"] == upkeep.status()["bad"] == 0
    assert await get(cluster.store, "a") == data
    assert await on_disk(cluster) == await stored(cluster)


async def test_a_copy_that_was_never_counted_counts_if_it_is_whole(
    cluster: ClusterHere,
) -> None:
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    before = await stored(cluster)
    lagging = holder(cluster, part.name, before)
    await cluster.catalog.copies.bad(part.file, part.number, lagging.id)
    await cluster.catalog.files.place(part.file, part.number, lagging.id)
    assert await stored(cluster) != before

    await keeper(cluster).scrubber.run_once()

    assert await stored(cluster) == before


async def test_a_node_is_scrubbed_when_it_joins_and_then_not_for_long(
    cluster: ClusterHere,
) -> None:
    await put_some(cluster, "a")
    upkeep = keeper(cluster)

    await upkeep.run_once()
    checked = upkeep.status()["checked"]
    await cluster.members.look()
    await upkeep.run_once()

    assert checked == 12
    assert upkeep.status()["checked"] == checked


async def test_a_node_that_comes_back_is_scrubbed_again(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    await upkeep.run_once()
    await cluster.die(0)
    assert (await cluster.node(0)).state is NodeState.DEAD

    await cluster.restore(0)

    assert (await cluster.node(0)).scrubbed is None
    await upkeep.run_once()
    assert (await cluster.node(0)).scrubbed is not None


async def test_a_scrub_that_is_asked_for_during_another_is_done(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "_MOST_READ", 1)
    cluster = await start_cluster(1)
    await put_some(cluster, "a")
    names, upkeep = (await stored(cluster))[cluster.nodes[0].id], keeper(cluster)
    assert not await upkeep.scrubber.run_once(at_most=0)

    await cluster.catalog.nodes.unscrubbed(cluster.nodes[0].id)
    await cluster.members.look()
    assert await upkeep.scrubber.run_once()
    assert (await cluster.node(0)).scrubbed is None
    assert await upkeep.scrubber.run_once()

    assert (await cluster.node(0)).scrubbed is not None
    assert upkeep.status()["checked"] == 2 * len(names)


async def test_who_takes_over_reads_on_where_the_other_stopped(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    node = await cluster.node(0)
    names = sorted((await stored(cluster))[node.id])
    one, other = keeper(cluster), keeper(cluster)
    assert await one.run_once()
    one.scrubber.cursors = {node.id: names[0]}
    assert await one.run_once()  # says so as it goes on holding the duty
    await one.close()
    assert await other.run_once()

    await other.scrubber.scrub(node)

    assert other.status()["checked"] == len(names) - 1


async def test_a_scrub_that_breaks_off_is_not_counted(cluster: ClusterHere) -> None:
    await put_some(cluster, "a")
    node = await cluster.node(0)
    await cluster.kill(0)

    with pytest.raises(NodeFailed):
        await keeper(cluster).scrubber.scrub(node)

    assert (await cluster.node(0)).scrubbed is None


async def test_what_is_being_removed_is_not_taken_for_bad(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(3, grace=0)
    await put_some(cluster, "a")
    await cluster.kill(0)
    upkeep = keeper(cluster)
    await cluster.store.delete("a")
    await upkeep.cleaner.run_once()
    assert await cluster.catalog.removals.count() == 1
    assert (await cluster.on_disks())[1:] == [set(), set()]

    await upkeep.run_once()

    assert upkeep.status()["bad"] == upkeep.status()["lost"] == 0


async def test_the_last_copy_counts_again_although_its_node_was_forgotten(
    start_cluster: StartCluster, url: str
) -> None:
    cluster = await start_cluster(2, url=url, replicas=1)
    (data,) = (await put_some(cluster, "a")).values()
    before = await on_disk(cluster)
    await cluster.die(0)
    await cluster.catalog.nodes.remove(cluster.nodes[0].id)
    await cluster.restore(0)

    await keeper(cluster).run_once()

    assert await stored(cluster) == await on_disk(cluster) == before
    assert await get(cluster.store, "a") == data


async def test_what_has_enough_copies_is_removed_from_a_node_that_was_forgotten(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    files = await put_some(cluster, "a")
    await cluster.die(0)
    upkeep = keeper(cluster)
    await upkeep.run_once()
    await cluster.catalog.nodes.remove(cluster.nodes[0].id)
    await cluster.restore(0)

    await upkeep.run_once()

    assert (await cluster.on_disks())[0] == set()
    assert await get(cluster.store, "a") == files["a"]


async def test_a_strange_file_that_cannot_be_removed_keeps_nothing_waiting(
    cluster: ClusterHere,
) -> None:
    def put_by_hand() -> None:
        strange = cluster.nodes[0].path("a")
        strange.mkdir()
        (strange / "b").write_bytes(b"x")
        cluster.nodes[0].path("z-1").write_bytes(b"x")

    await asyncio.to_thread(put_by_hand)
    upkeep = keeper(cluster)

    await upkeep.run_once()

    assert upkeep.status()["orphans"] == 1
    assert (await cluster.node(0)).scrubbed is not None


async def test_what_was_looked_up_long_ago_removes_nothing(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = cluster.nodes[0].path("z-1")
    await asyncio.to_thread(orphan.write_bytes, b"x")
    monkeypatch.setattr(means, "_DECISION", 0.1)
    copies = cluster.catalog.copies
    look_up = copies.of

    async def slow(names: Iterable[str], node: str) -> dict[str, CopyState]:
        found = await look_up(names, node)
        await asyncio.sleep(0.3)  # as if the process was stopped here
        return found

    monkeypatch.setattr(copies, "of", slow)

    with pytest.raises(NodeFailed):
        await keeper(cluster).scrubber.scrub(await cluster.node(0))

    assert await asyncio.to_thread(orphan.exists)


async def test_a_node_that_falls_silent_while_it_lists_its_parts_is_left(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listing(node: Node, after: str = "") -> AsyncIterator[NodePart]:
        await cluster.silence(0, 10)
        await asyncio.Event().wait()
        yield NodePart("", 0, None)

    monkeypatch.setattr(scrubbing, "_LOOK", 0.05)
    monkeypatch.setattr(cluster.shared.client, "parts", listing)

    async with asyncio.timeout(60):
        with pytest.raises(NodeFailed, match="silent"):
            await keeper(cluster).scrubber.scrub(await cluster.node(0))


async def test_a_node_that_is_somewhere_else_is_scrubbed_again(cluster: ClusterHere) -> None:
    await keeper(cluster).run_once()
    assert (await cluster.node(0)).scrubbed is not None

    cluster.nodes[0].address = "127.0.0.1:1"
    await cluster.hear()

    assert (await cluster.node(0)).scrubbed is None


async def test_a_part_counts_where_it_is_if_it_is_not_where_it_should_be(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, replicas=1)
    files = await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    should = holder(cluster, part.name, await stored(cluster))
    (other,) = (member for member in cluster.nodes if member is not should)
    await asyncio.to_thread(should.path(part.name).rename, other.path(part.name))
    upkeep = keeper(cluster)

    await upkeep.scrubber.scrub(await cluster.node(cluster.nodes.index(other)))

    assert await get(cluster.store, "a") == files["a"]
    assert part.name in (await stored(cluster))[other.id]


async def test_nothing_is_removed_where_another_node_answers(cluster: ClusterHere) -> None:
    orphan = cluster.nodes[1].path("z-1")
    await asyncio.to_thread(orphan.write_bytes, b"x")
    cluster.nodes[0].address = cluster.nodes[1].address
    await cluster.hear()

    with pytest.raises(NodeFailed, match="another node"):
        await keeper(cluster).scrubber.scrub(await cluster.node(0))

    assert await asyncio.to_thread(orphan.exists)
