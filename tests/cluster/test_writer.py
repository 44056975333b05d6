"""A file on its way into a cluster, whatever its nodes do."""

import asyncio
import os
import random
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import web
from isal.isal_zlib import crc32
from sqlalchemy import select, update

from penstock.catalog.cluster import CopyState
from penstock.catalog.schema import cluster_outbox
from penstock.cluster.node_client import NodeClient
from penstock.cluster.store import ClusterStore
from penstock.cluster.writer import ClusterWriter
from penstock.errors import (
    BodyIncomplete,
    Busy,
    NotFound,
    PreconditionFailed,
    StorageFull,
)
from penstock.stores import Condition
from penstock.stores.interface import Writer
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.imposters import (
    Answer,
    cutting,
    full,
    imposter,
    lying,
    refusing,
    silent,
)
from tests.eventually import eventually
from tests.s3.files import MIB, content, get, keys, put

DATA = content(6 * MIB, seed=7)
"""Six parts."""


async def doomed(cluster: ClusterHere) -> list[str]:
    """What is to be removed now; a cleaner would claim it."""
    return [one.file for one in await cluster.catalog.removals.claim(100, 60.0)]


@pytest.mark.parametrize("bad", [full, refusing, lying, cutting, silent])
async def test_a_node_that_fails_in_the_middle_of_a_write_is_replaced(
    start_cluster: StartCluster, bad: Answer
) -> None:
    cluster = await start_cluster(nodes=4, silence=2.0)

    async with imposter(cluster, 1, bad):
        await put(cluster.store, "a", DATA, size=len(DATA))

    copies = await cluster.copies("a")
    assert [len(nodes) for nodes in copies] == [2] * 6
    assert not any(1 in nodes for nodes in copies)
    assert await get(cluster.store, "a") == DATA


@pytest.mark.parametrize("bad", [full, cutting])
async def test_where_no_other_node_takes_a_second_copy_the_file_has_one(
    start_cluster: StartCluster, bad: Answer
) -> None:
    cluster = await start_cluster(nodes=2)

    async with imposter(cluster, 1, bad):
        await put(cluster.store, "a", DATA[:MIB], size=MIB)

    assert set(map(frozenset, await cluster.copies("a"))) == {frozenset({0})}
    assert await get(cluster.store, "a") == DATA[:MIB]


async def test_a_killed_node_is_replaced_although_it_is_thought_to_live(
    cluster: ClusterHere,
) -> None:
    await cluster.kill(2)

    await put(cluster.store, "a", DATA, size=len(DATA))

    assert await cluster.copies("a") == [{0, 1}] * 6


async def test_a_node_that_failed_is_asked_last_for_a_while(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=3, replicas=1)
    bad = cluster.nodes[0].id

    for number in range(10):
        cluster.members.trouble(bad)
        await put(cluster.store, f"{number}", b"x")

    assert bad not in {node for node, _ in cluster.client.puts}


@pytest.mark.parametrize(
    ("bad", "error"), [(full, StorageFull), (refusing, Busy), (cutting, Busy), (lying, Busy)]
)
async def test_where_no_node_takes_it_nothing_is_stored_and_what_was_sent_is_to_be_removed(
    start_cluster: StartCluster, bad: Answer, error: type[Exception]
) -> None:
    cluster = await start_cluster(nodes=2)

    async with imposter(cluster, 0, bad), imposter(cluster, 1, bad):
        with pytest.raises(error, match="nothing was stored"):
            await put(cluster.store, "a", DATA, size=len(DATA))

    assert await keys(cluster.store) == []
    assert len(await doomed(cluster)) == 1


async def test_without_any_node_a_write_is_refused_before_it_begins(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(nodes=0)

    with pytest.raises(Busy, match="0 of 1"):
        await cluster.store.write("a")


async def test_with_too_few_nodes_a_write_is_refused_with_their_count(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(nodes=2, min_nodes=6)

    with pytest.raises(Busy, match="2 of 6"):
        await cluster.store.write("a")
    with pytest.raises(Busy, match="2 of 6"):
        await cluster.store.check()


async def test_what_cannot_fit_is_refused_before_it_begins(cluster: ClusterHere) -> None:
    with pytest.raises(StorageFull):
        await cluster.store.write("a", size=1 << 50)


async def test_where_no_node_has_room_the_write_fails(cluster: ClusterHere) -> None:
    for member in cluster.nodes:
        member.free = MIB
    await cluster.hear()

    with pytest.raises(StorageFull, match="add a node"):
        await put(cluster.store, "a", b"x")

    assert await keys(cluster.store) == []


async def test_a_node_without_room_is_not_asked(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=3)
    cluster.nodes[0].free = 0
    await cluster.hear()

    await put(cluster.store, "a", DATA, size=len(DATA))

    assert await cluster.copies("a") == [{1, 2}] * 6


async def test_of_one_node_there_is_one_copy(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=1)

    await put(cluster.store, "a", DATA, size=len(DATA))

    assert await cluster.copies("a") == [{0}] * 6


async def test_a_copy_is_written_down_before_a_byte_of_it_is_sent(
    start_cluster: StartCluster,
) -> None:
    """Those too that take the place of others."""
    cluster = await start_cluster(nodes=3)
    states: list[CopyState | None] = []

    async def looking(request: web.Request) -> web.StreamResponse:
        name = request.path.rpartition("/")[2]
        found = await cluster.catalog.copies.of([name], cluster.nodes[0].id)
        states.append(found.get(name))
        return await full(request)

    async with imposter(cluster, 0, looking), imposter(cluster, 1, full):
        await put(cluster.store, "a", DATA, size=len(DATA))

    assert states
    assert set(states) == {CopyState.WRITING}


async def test_parts_and_their_copies_are_sent_side_by_side(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=2)
    gate = asyncio.Event()
    under_way: Counter[str] = Counter()

    async def waiting(request: web.Request) -> web.StreamResponse:
        under_way[request.path] += 1
        await gate.wait()
        return await full(request)

    async with imposter(cluster, 0, waiting), imposter(cluster, 1, waiting):
        writing = asyncio.create_task(put(cluster.store, "a", DATA, size=len(DATA)))
        assert await eventually(lambda: len(under_way) == 3, 30)
        assert await eventually(lambda: set(under_way.values()) == {2}, 30)
        gate.set()
        with pytest.raises(StorageFull):
            await writing


async def test_whole_parts_are_on_nodes_before_the_end(cluster: ClusterHere) -> None:
    async with await cluster.store.write("a", size=len(DATA)) as writer:
        await writer.write(DATA[: 3 * MIB + 1])

        disks: list[set[str]] = []
        for _ in range(200):
            disks = await cluster.on_disks()
            if sum(map(len, disks)) == 6:
                break
            await asyncio.sleep(0.05)
        assert sum(map(len, disks)) == 6  # three parts, twice
        assert await keys(cluster.store) == []


async def test_of_unknown_length_parts_have_a_fixed_size(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cluster.cutting.UNKNOWN_PART", MIB)

    await put(cluster.store, "a", DATA[: 3 * MIB + 7])

    assert [part.size for part in await cluster.parts("a")] == [MIB, MIB, MIB, 7]
    assert await get(cluster.store, "a") == DATA[: 3 * MIB + 7]


async def test_a_file_that_ends_with_its_first_part_is_cut_as_one_of_known_length(
    cluster: ClusterHere,
) -> None:
    await put(cluster.store, "a", DATA)

    assert [part.size for part in await cluster.parts("a")] == [MIB] * 6


@pytest.mark.parametrize("told", [1, 100_000, 6 * MIB - 1])
async def test_more_bytes_than_were_told_are_stored(cluster: ClusterHere, told: int) -> None:
    await put(cluster.store, "a", DATA, size=told)

    assert await get(cluster.store, "a") == DATA


async def test_more_bytes_than_were_told_are_cut_as_of_an_unknown_length(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cluster.cutting.UNKNOWN_PART", 2 * MIB)

    await put(cluster.store, "a", DATA, size=100_000)

    assert [part.size for part in await cluster.parts("a")] == [
        100_000, 2 * MIB, 2 * MIB, 2 * MIB - 100_000,
    ]  # fmt: skip


async def test_fewer_bytes_than_were_told_are_no_file(cluster: ClusterHere) -> None:
    with pytest.raises(BodyIncomplete):
        await put(cluster.store, "a", DATA[:-1], size=len(DATA))

    assert await keys(cluster.store) == []


@pytest.mark.parametrize("memory", [0, 3 * MIB, 1 << 30])
@pytest.mark.parametrize("size", [None, len(DATA)])
async def test_writers_keep_within_the_memory_they_have(
    start_cluster: StartCluster, memory: int, size: int | None
) -> None:
    cluster = await start_cluster(memory=memory)
    most = 0

    def watch(used: int) -> None:
        nonlocal most
        most = max(most, used)

    cluster.shared.budget.watchers.append(watch)
    names = [f"{number}" for number in range(4)]

    await asyncio.gather(*(put(cluster.store, name, DATA, size=size) for name in names))

    assert most <= memory
    assert cluster.store.waiting_bytes == 0
    for name in names:
        assert await get(cluster.store, name) == DATA


async def test_nothing_is_left_of_a_write_that_is_cancelled(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(nodes=2)
    before = asyncio.all_tasks()
    arrived = asyncio.Event()

    async def waiting(request: web.Request) -> web.StreamResponse:
        arrived.set()
        return await silent(request)

    async with imposter(cluster, 0, waiting):
        writing = asyncio.create_task(put(cluster.store, "a", DATA, size=len(DATA)))
        await arrived.wait()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

        ours = [t for t in asyncio.all_tasks() - before if "penstock/cluster" in repr(t)]
        assert ours == []
        assert cluster.store.waiting_bytes == 0
        assert len(await doomed(cluster)) == 1


async def test_an_aborted_write_is_to_be_removed(cluster: ClusterHere) -> None:
    async with await cluster.store.write("a", size=len(DATA)) as writer:
        await writer.write(DATA[: 2 * MIB + 1])

    assert len(await doomed(cluster)) == 1


async def test_a_write_whose_condition_fails_is_to_be_removed(cluster: ClusterHere) -> None:
    await put(cluster.store, "a", b"x")

    with pytest.raises(PreconditionFailed):
        await put(cluster.store, "a", b"y", condition=Condition(absent=True))

    assert len(await doomed(cluster)) == 1
    assert await get(cluster.store, "a") == b"x"


async def lease_end(cluster: ClusterHere) -> float:
    """When the only write under way is given up."""

    def look() -> float:
        with cluster.catalog.engine.connect() as connection:
            return float(connection.execute(select(cluster_outbox.c.due)).scalar_one())

    return await asyncio.to_thread(look)


async def test_a_write_is_renewed_however_slowly_its_bytes_come(cluster: ClusterHere) -> None:
    writer = ClusterWriter(cluster.shared, "a", len(DATA), sha256=True, lease=4.0)
    async with writer:
        await writer.write(DATA[: 2 * MIB])
        first = await lease_end(cluster)

        for _ in range(300):
            if await lease_end(cluster) > first:
                break
            await asyncio.sleep(0.05)
        assert await lease_end(cluster) > first

        await writer.write(DATA[2 * MIB :])
        await writer.commit()

    assert await get(cluster.store, "a") == DATA


async def test_a_write_that_was_given_up_meanwhile_is_no_file(cluster: ClusterHere) -> None:
    """As that of a process that was stopped for minutes: a cleaner removes what it sent."""
    async with await cluster.store.write("a", size=len(DATA)) as writer:
        await writer.write(DATA)
        over = update(cluster_outbox).values(due=0.0)
        await cluster.catalog.commits.run(lambda connection: connection.execute(over))
        assert len(await doomed(cluster)) == 1

        with pytest.raises(Busy, match="send the file again"):
            await writer.commit()

    with pytest.raises(NotFound):
        await cluster.store.stat("a")


async def write_and_commit(writer: Writer) -> None:
    await writer.write(DATA)
    await writer.commit()


@pytest.mark.parametrize("size", [None, len(DATA)])
async def test_a_commit_that_failed_is_not_made_again(
    start_cluster: StartCluster, size: int | None
) -> None:
    """Some of its parts are sent, and some are not."""
    cluster = await start_cluster(nodes=1)

    async def full_for_one(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("-1"):
            return await full(request)
        data = await request.read()
        kept = {"fullSize": 1, "success": True, "size": len(data), "crc32": f"{crc32(data):08x}"}
        return web.json_response(kept)

    async with await cluster.store.write("a", size=size) as writer:
        async with imposter(cluster, 0, full_for_one):
            with pytest.raises(StorageFull):
                await write_and_commit(writer)

        with pytest.raises(StorageFull):
            await writer.commit()

    assert len(await doomed(cluster)) == 1


async def test_a_file_whose_nodes_died_while_it_came_is_not_stored(
    start_cluster: StartCluster,
) -> None:
    """It came for so long that they are dead by then, and its bytes are nowhere else."""
    cluster = await start_cluster(nodes=3, replicas=1)
    async with await cluster.store.write("a", size=len(DATA)) as writer:
        await writer.write(DATA[: MIB + 1])
        assert await eventually(lambda: bool(cluster.client.puts), 30)
        while not any(await cluster.on_disks()):
            await asyncio.sleep(0.05)
        ((holder, _),) = cluster.client.puts
        await cluster.die([member.id for member in cluster.nodes].index(holder))
        await writer.write(DATA[MIB + 1 :])

        with pytest.raises(Busy, match="send the file again"):
            await writer.commit()

    assert await keys(cluster.store) == []
    assert len(await doomed(cluster)) == 1


async def test_a_node_that_takes_next_to_nothing_does_not_hold_a_file_up(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never silent for long, and would take an hour."""
    monkeypatch.setattr("penstock.cluster.racing._LEAST_PATIENCE", 1.0)
    cluster = await start_cluster(nodes=3, silence=100.0)
    begun: list[str] = []

    async def slow(request: web.Request) -> web.StreamResponse:
        begun.append(request.path)
        while await request.content.read(100):
            await asyncio.sleep(0.5)
        raise AssertionError

    async with imposter(cluster, 1, slow), asyncio.timeout(60):
        await put(cluster.store, "a", DATA, size=len(DATA))

    assert begun
    assert await cluster.copies("a") == [{0, 2}] * 6


async def test_a_slow_node_is_waited_for_where_there_is_no_other(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cluster.racing._LEAST_PATIENCE", 0.1)
    cluster = await start_cluster(nodes=2)
    slow_id = cluster.nodes[1].id
    put_at_once = NodeClient.put

    async def put_slowly(self: NodeClient, node, *args):  # type: ignore[no-untyped-def]
        if node.id == slow_id:
            await asyncio.sleep(3.0)
        return await put_at_once(self, node, *args)

    monkeypatch.setattr(NodeClient, "put", put_slowly)

    await put(cluster.store, "a", DATA[:1000])

    assert await cluster.copies("a") == [{0, 1}]


async def test_bytes_that_a_node_lost_on_the_way_are_never_stored(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The node holds the CRC-32 of the part against what arrives."""
    cluster = await start_cluster(nodes=2)
    put_rightly = NodeClient.put
    hurt = cluster.nodes[0].id

    async def put_wrongly(self: NodeClient, node, name, size, crc32, body):  # type: ignore[no-untyped-def]
        async def wrong():  # type: ignore[no-untyped-def]
            async for data in body():
                yield bytes(len(data))

        return await put_rightly(self, node, name, size, crc32, wrong if node.id == hurt else body)

    monkeypatch.setattr(NodeClient, "put", put_wrongly)

    await put(cluster.store, "a", DATA, size=len(DATA))

    assert await cluster.copies("a") == [{1}] * 6
    assert (await cluster.on_disks())[0] == set()


async def test_a_spool_folder_holds_nothing_afterwards(
    start_cluster: StartCluster, tmp_path: Path
) -> None:
    cluster = await start_cluster(memory=0)

    await put(cluster.store, "a", DATA, size=len(DATA))

    assert await asyncio.to_thread(os.listdir, cluster.shared.folder) == []


async def test_the_first_bytes_tell_the_type_of_a_file_in_parts(store: ClusterStore) -> None:
    data = b"\x89PNG\r\n\x1a\n" + DATA

    written = await put(store, "a", data, size=len(data))

    assert written.content_type == "image/png"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_sizes_what_is_got_is_what_was_put(
    start_cluster: StartCluster, seed: int
) -> None:
    draw = random.Random(seed)
    cluster = await start_cluster(
        nodes=draw.randint(1, 4),
        replicas=draw.randint(1, 3),
        parts=draw.randint(1, 9),
        part_size=draw.choice([0, 0, 1000, 70_001]),
        least_part=draw.choice([1, 1000, 64 << 10]),
        memory=draw.choice([0, MIB, 1 << 28]),
    )

    for number in range(8):
        size = draw.choice([0, 1, 999, 1000, 1001, draw.randint(0, 300_000)])
        data = content(size, seed=number)
        told = draw.choice([None, size, draw.randint(0, size)])
        async with await cluster.store.write("a", size=told) as writer:
            left = data
            while left:
                step = draw.choice([1, 500, 1000, 64 << 10, MIB])
                await writer.write(left[:step] if size < 2000 else left[: step + 10_000])
                left = left[step:] if size < 2000 else left[step + 10_000 :]
            written = await writer.commit()

        assert written.size == size
        assert await get(cluster.store, "a") == data
        start = draw.randint(0, size)
        assert await get(cluster.store, "a", start, size) == data[start:]
