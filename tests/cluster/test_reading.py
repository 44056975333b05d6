"""What is read is what was stored, whatever the nodes do meanwhile; or there is an error."""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from penstock.catalog.clock import NOW
from penstock.catalog.cluster import CopyState, PartRow
from penstock.catalog.cluster.selecting import parts_at
from penstock.catalog.schema import cluster_files
from penstock.cluster import fetching
from penstock.cluster.choosing import candidates
from penstock.cluster.keeping import Keeping
from penstock.cluster.node_client import NodeClient
from penstock.cluster.reading import Reads
from penstock.cluster.spans import Gap, spans
from penstock.errors import ServerUnavailable, SourceChanged
from tests.client.proxy import Proxy, proxy_to
from tests.cluster.conftest import StartCluster
from tests.cluster.here import SECRET, ClusterHere, Member
from tests.eventually import eventually
from tests.s3.files import content, get, put

MIB = 1 << 20
DATA = content(13 * MIB + 77)


async def put_data(cluster: ClusterHere, data: bytes = DATA) -> list[PartRow]:
    await put(cluster.store, "a", data, size=len(data))
    return await cluster.parts("a")


def member(cluster: ClusterHere, node: str) -> Member:
    return next(member for member in cluster.nodes if member.id == node)


def number(cluster: ClusterHere, node: str) -> int:
    return cluster.nodes.index(member(cluster, node))


async def asked_first(cluster: ClusterHere, part: PartRow) -> str:
    """The node that a part is read from while all are well."""
    return candidates(part, cluster.members)[0].id


async def gather(pieces: AsyncIterator[bytes], into: bytearray) -> None:
    async for data in pieces:
        into += data


async def damage(path: Path, at: int) -> None:
    def flip() -> None:
        with path.open("r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 0xFF]))

    await asyncio.to_thread(flip)


async def remove(path: Path) -> None:
    await asyncio.to_thread(path.unlink)


async def state_of(cluster: ClusterHere, part: PartRow, node: str) -> CopyState:
    rows = await cluster.catalog.files.parts(part.file)
    return rows[part.number - 1].copies[node]


async def becomes(cluster: ClusterHere, part: PartRow, node: str, state: CopyState) -> bool:
    for _ in range(200):
        if await state_of(cluster, part, node) is state:
            return True
        await asyncio.sleep(0.02)
    return False


@asynccontextmanager
async def behind_proxies(cluster: ClusterHere) -> AsyncIterator[list[Proxy]]:
    """Have every node asked through a proxy, in the order of the nodes."""
    async with AsyncExitStack() as stack:
        proxies = []
        for one in cluster.nodes:
            proxy = await stack.enter_async_context(proxy_to(f"http://{one.address}"))
            one.address = proxy.url
            proxies.append(proxy)
        await cluster.hear()
        yield proxies


async def test_any_range_can_be_read(cluster: ClusterHere) -> None:
    await put_data(cluster)
    part = len(DATA) // 6

    for start, stop in (
        (0, None),
        (0, 1),
        (len(DATA) - 1, None),
        (part - 1, part + 2),
        (2 * part + MIB, 2 * part + MIB + 1),
        (77, 9 * MIB + 5),
    ):
        assert await get(cluster.store, "a", start, stop) == DATA[start:stop]


async def test_pieces_have_a_mib_at_most(cluster: ClusterHere) -> None:
    await put_data(cluster)

    sizes = [len(data) async for data in cluster.store.read("a")]

    assert max(sizes) <= MIB


async def test_an_empty_range_asks_nobody(cluster: ClusterHere) -> None:
    await put_data(cluster)
    async with behind_proxies(cluster) as proxies:
        assert await get(cluster.store, "a", 5, 5) == b""

        assert not any(proxy.connections for proxy in proxies)


async def test_the_parts_of_a_file_are_read_from_several_nodes(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(3, replicas=3, parts=24, least_part=1)
    parts = await put_data(cluster, DATA[:24_000])

    assert len({await asked_first(cluster, part) for part in parts}) == 3


async def test_a_damaged_copy_is_replaced_by_its_twin_and_marked(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    part = parts[2]
    node = await asked_first(cluster, part)
    await damage(member(cluster, node).path(part.name), MIB + 3)

    assert await get(cluster.store, "a") == DATA

    assert await becomes(cluster, part, node, CopyState.BAD)


async def test_a_missing_copy_is_replaced_by_its_twin_and_marked(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    node = await asked_first(cluster, parts[0])
    await remove(member(cluster, node).path(parts[0].name))

    assert await get(cluster.store, "a") == DATA

    assert await becomes(cluster, parts[0], node, CopyState.BAD)


async def test_a_shorter_copy_is_replaced_by_its_twin_and_marked(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    node = await asked_first(cluster, parts[0])
    await asyncio.to_thread(os.truncate, member(cluster, node).path(parts[0].name), 1000)

    assert await get(cluster.store, "a") == DATA

    assert await becomes(cluster, parts[0], node, CopyState.BAD)


async def test_copies_that_are_damaged_at_different_places_make_a_whole(
    cluster: ClusterHere,
) -> None:
    parts = await put_data(cluster)
    for at, first in enumerate(candidates(parts[1], cluster.members)):
        await damage(member(cluster, first.id).path(parts[1].name), at * MIB + 3)

    assert await get(cluster.store, "a") == DATA
    for node in parts[1].stored:
        assert await becomes(cluster, parts[1], node, CopyState.BAD)

    assert await get(cluster.store, "a") == DATA


async def test_no_wrong_byte_is_given_where_every_copy_is_damaged(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    for node in parts[1].stored:
        await damage(member(cluster, node).path(parts[1].name), MIB + 3)
    got = bytearray()

    with pytest.raises(ServerUnavailable) as raised:
        await gather(cluster.store.read("a"), got)

    assert bytes(got) == DATA[: parts[1].start + MIB]
    for one in cluster.nodes:
        assert one.id not in raised.value.detail
        assert one.address not in raised.value.detail


async def test_a_killed_node_is_not_missed(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    await cluster.kill(number(cluster, await asked_first(cluster, parts[0])))

    assert await get(cluster.store, "a") == DATA


async def test_a_killed_node_is_not_blamed_for_its_copies(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    await cluster.kill(0)

    await get(cluster.store, "a")
    await cluster.store.close()

    node = cluster.nodes[0].id
    held = [part for part in parts if node in part.copies]
    assert held
    assert {await state_of(cluster, part, node) for part in held} == {CopyState.STORED}


async def test_a_node_that_is_killed_meanwhile_is_not_missed(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(2, parts=1)
    data = content(24 * MIB)
    parts = await put_data(cluster, data)
    got = bytearray()

    async for piece in cluster.store.read("a"):
        if not got:
            await cluster.kill(number(cluster, await asked_first(cluster, parts[0])))
        got += piece

    assert bytes(got) == data


async def test_nobody_has_it(start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (0.1, 0.1))
    cluster = await start_cluster(2)
    await put_data(cluster)
    await cluster.kill(0)
    await cluster.kill(1)

    with pytest.raises(ServerUnavailable) as raised:
        await get(cluster.store, "a")

    assert "127.0.0.1" not in raised.value.detail


async def test_a_node_that_comes_back_in_time_is_enough(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAUSES", (0.2,) * 100)
    cluster = await start_cluster(1)
    await put_data(cluster)
    await cluster.kill(0)

    reading = asyncio.create_task(get(cluster.store, "a"))
    assert await eventually(lambda: cluster.members.is_troubled(cluster.nodes[0].id))
    await cluster.restore(0)

    assert await reading == DATA


async def test_a_suspect_node_is_asked_if_nobody_else_has_it(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(1)
    await put_data(cluster)
    await cluster.silence(0, 10)

    assert await get(cluster.store, "a") == DATA


async def test_a_silent_node_is_not_waited_for(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(2, parts=1)
    parts = await put_data(cluster)
    async with behind_proxies(cluster) as proxies:
        node = await asked_first(cluster, parts[0])
        proxies[number(cluster, node)].stall_answers = [0] * 100
        patient = NodeClient(SECRET, silence=60.0)
        reads = Reads(replace(cluster.shared, client=patient))

        begun = asyncio.get_running_loop().time()
        got = bytearray()
        await gather(reads.read("a", parts[0].file, len(DATA), 0, 1000), got)
        took = asyncio.get_running_loop().time() - begun

        assert got == DATA[:1000]
        assert cluster.members.is_troubled(node)
        # Half a second, and what a loaded machine takes; not the four until a node is given up.
        assert took < 3.5
        await reads.close()
        await patient.close()


async def test_the_rest_of_a_part_comes_from_the_twin_if_nothing_comes_any_more(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, parts=1)
    parts = await put_data(cluster)
    async with behind_proxies(cluster) as proxies:
        slow = number(cluster, await asked_first(cluster, parts[0]))
        proxies[slow].stall_answers = [5 * MIB]

        assert await get(cluster.store, "a") == DATA

        last = len(DATA) - 1
        assert proxies[1 - slow].fields("Range") in ([f"bytes={n * MIB}-{last}"] for n in (4, 5))


async def test_a_connection_that_breaks_again_and_again_is_gone_on_with(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(1, replicas=1, parts=1)
    await put_data(cluster)
    async with behind_proxies(cluster) as [proxy]:
        proxy.cut_answers = [2 * MIB] * 5

        assert await get(cluster.store, "a") == DATA


async def test_bytes_that_change_on_their_way_are_asked_for_again(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, parts=1)
    data = DATA[: 5 * MIB]
    [part] = await put_data(cluster, data)
    async with behind_proxies(cluster) as proxies:
        for proxy in proxies:
            proxy.flip_answer = 3 * MIB

        assert await get(cluster.store, "a") == data

        await cluster.store.close()
        assert {await state_of(cluster, part, node) for node in part.copies} == {CopyState.STORED}


async def test_who_leaves_leaves_nothing_behind(cluster: ClusterHere) -> None:
    data = content(30 * MIB)
    await put_data(cluster, data)
    async with behind_proxies(cluster):
        await cluster.store.stat("a")
        before = asyncio.all_tasks()

        # Of more the first part would be read to its end, and its connection kept.
        for taken in range(2):
            async with aclosing(reading(cluster)) as pieces:
                for _ in range(taken):
                    await anext(pieces)

        assert await eventually(lambda: others(before) == [])


async def test_who_is_cancelled_leaves_nothing_behind(cluster: ClusterHere) -> None:
    await put_data(cluster, content(30 * MIB))
    async with behind_proxies(cluster) as proxies:
        before = asyncio.all_tasks()
        for proxy in proxies:
            proxy.rate = 4 * MIB

        for _ in range(5):
            task = asyncio.create_task(get(cluster.store, "a"))
            answered = sum(proxy.answered for proxy in proxies)
            assert await eventually(partial(answers_more, proxies, answered))
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert await eventually(lambda: others(before) == [])


def reading(cluster: ClusterHere) -> AsyncGenerator[bytes, None]:
    pieces = cluster.store.read("a")
    assert isinstance(pieces, AsyncGenerator)
    return pieces


def answers_more(proxies: list[Proxy], before: int) -> bool:
    return sum(proxy.answered for proxy in proxies) > before


def others(before: "set[asyncio.Task[object]]") -> list[str]:
    """What runs that did not before, but for the one task that keeps what is read."""
    names = [repr(task.get_coro()) for task in asyncio.all_tasks() - before]
    return [name for name in names if "Keeping._keep" not in name]


async def test_a_part_that_was_moved_meanwhile_is_found(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(2, replicas=1, parts=2)
    data = content(24 * MIB)
    parts = await put_data(cluster, data)
    got = bytearray()

    async for piece in cluster.store.read("a"):
        if not got:
            await move(cluster, parts[1])
        got += piece

    assert bytes(got) == data


async def move(cluster: ClusterHere, part: PartRow) -> None:
    [node] = part.stored
    old = member(cluster, node)
    [new] = [one for one in cluster.nodes if one is not old]
    await asyncio.to_thread(os.rename, old.path(part.name), new.path(part.name))
    await cluster.catalog.files.place(part.file, part.number, new.id)
    await cluster.catalog.copies.found(part.file, part.number, new.id)
    await cluster.catalog.copies.drop(part.file, part.number, old.id)


async def test_a_version_that_is_gone_is_told(cluster: ClusterHere) -> None:
    reads = Reads(cluster.shared)

    with pytest.raises(SourceChanged):
        async for _ in reads.read("a", "no-such-version", 5, 0, 5):
            pass

    await reads.close()


async def test_the_last_block_waits_for_the_sha256(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    reads = Reads(cluster.shared)
    got = bytearray()

    with pytest.raises(ServerUnavailable):
        await gather(reads.read("a", parts[0].file, len(DATA), 0, len(DATA), bytes(32)), got)

    assert 0 < len(got) < len(DATA)
    right = hashlib.sha256(DATA).digest()
    whole = [data async for data in reads.read("a", parts[0].file, len(DATA), 0, len(DATA), right)]
    assert b"".join(whole) == DATA
    await reads.close()


async def test_a_version_that_is_read_for_long_is_kept(cluster: ClusterHere) -> None:
    parts = await put_data(cluster)
    keeping = Keeping(cluster.catalog.files, grace=0.0)

    with keeping.during(parts[0].file):
        assert await held(cluster, parts[0].file) or await comes(cluster, parts[0].file)

    await keeping.close()


async def test_a_version_that_is_read_for_a_moment_is_not_written_down(
    cluster: ClusterHere,
) -> None:
    parts = await put_data(cluster)

    await get(cluster.store, "a")

    assert not await held(cluster, parts[0].file)


async def held(cluster: ClusterHere, file: str) -> bool:
    def look() -> bool:
        query = select(cluster_files.c.read_until > NOW).where(cluster_files.c.id == file)
        with cluster.catalog.engine.begin() as connection:
            return bool(connection.scalar(query))

    return await asyncio.to_thread(look)


async def comes(cluster: ClusterHere, file: str) -> bool:
    for _ in range(1000):
        if await held(cluster, file):
            return True
        await asyncio.sleep(0.02)
    return False


async def test_what_can_be_had_is_assured(cluster: ClusterHere) -> None:
    await put_data(cluster)
    info = await cluster.store.stat("a")
    await cluster.store.assure(info)

    await cluster.die(0)

    await cluster.store.assure(info)


async def test_what_cannot_be_had_is_told_before(cluster: ClusterHere) -> None:
    await put_data(cluster)
    info = await cluster.store.stat("a")
    for at in range(2):
        await cluster.die(at)

    with pytest.raises(ServerUnavailable) as raised:
        await cluster.store.assure(info)

    assert "127.0.0.1" not in raised.value.detail


async def test_a_file_of_many_parts_is_assured_without_looking_them_all_up(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start_cluster(parts=101, least_part=1)
    parts = await put_data(cluster, DATA[:10_100])
    assert len(parts) == 101
    info = await cluster.store.stat("a")
    looked_up: list[PartRow] = []

    def counting(*asked: Any) -> list[PartRow]:
        looked_up.extend(found := parts_at(*asked))
        return found

    monkeypatch.setattr("penstock.catalog.cluster.files.parts_at", counting)
    monkeypatch.delattr("penstock.catalog.cluster.files.parts_of")
    await cluster.store.assure(info)
    assert looked_up == []

    for at in range(2):
        await cluster.die(at)

    with pytest.raises(ServerUnavailable):
        await cluster.store.assure(info)
    assert 0 < len(looked_up) < len(parts)


async def test_what_only_silent_nodes_have_is_assured_if_they_answer(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(1)
    await put_data(cluster)
    info = await cluster.store.stat("a")
    await cluster.silence(0, 10)
    await cluster.store.assure(info)

    await cluster.kill(0)

    with pytest.raises(ServerUnavailable):
        await cluster.store.assure(info)


async def test_a_node_that_failed_once_but_answers_is_no_reason_to_refuse(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(1)
    await put_data(cluster)
    cluster.members.trouble(cluster.nodes[0].id)

    await cluster.store.assure(await cluster.store.stat("a"))


async def test_an_empty_file_can_always_be_had(cluster: ClusterHere) -> None:
    await put_data(cluster, b"")
    for at in range(3):
        await cluster.die(at)

    await cluster.store.assure(await cluster.store.stat("a"))
    assert await get(cluster.store, "a") == b""


def row(number: int, start: int, size: int) -> PartRow:
    return PartRow("f", number, start, size, 0, bytes(4 * -(-size // MIB)), {})


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [row(1, 0, MIB)],
        [row(1, 0, MIB), row(2, MIB + 1, MIB)],
        [row(1, 0, MIB), row(2, MIB, MIB)._replace(blocks=None)],
        [row(1, 0, MIB), row(2, MIB, MIB)._replace(blocks=b"")],
    ],
)
def test_a_gap_between_parts_is_seen(parts: list[PartRow]) -> None:
    with pytest.raises(Gap):
        list(spans(parts, 10, 2 * MIB))
