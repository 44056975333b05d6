"""What the upkeep reads passes at its rate, and nobody waits long for what others read."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest
from pydantic import ByteSize, ValidationError

from penstock.cluster.judging import Expected, judge, wrong
from penstock.cluster.node_client import Addressed, Checked
from penstock.settings import Settings
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import flip, keeper, put_some

MIB = 1 << 20


async def test_who_passes_little_does_not_wait_for_who_passes_much(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(1, upkeep_rate=8 * MIB)
    means = keeper(cluster).means
    passed: list[str] = []

    async def passing(name: str, *sizes: int) -> None:
        for size in sizes:
            await means.pace(size)
        passed.append(name)

    await asyncio.gather(passing("much", 24 * MIB), passing("little", 1, 10_000, 1))

    assert passed == ["little", "much"]


async def test_what_a_node_is_to_read_is_paid_for_before(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_some(cluster, "a", size=60_000)
    (part,) = await cluster.parts("a")
    number = next(n for n, member in enumerate(cluster.nodes) if member.id in part.copies)
    await flip(cluster.nodes[number].path(part.name))  # it is read all the same
    means = keeper(cluster).means
    check = means.client.check
    done: list[object] = []

    async def pace(size: int) -> None:
        done.append(size)

    def checked(node: Addressed, names: Sequence[str]) -> AsyncGenerator[Checked, None]:
        done.append("read")
        return check(node, names)

    monkeypatch.setattr(means, "pace", pace)
    monkeypatch.setattr(means.client, "check", checked)
    node = await cluster.node(number)

    assert await wrong(means, node, [Expected.of(part)])
    await judge(means, node, [Expected.of(part)])

    assert done == [60_000, "read"] * 2


async def test_what_is_not_there_costs_nothing_to_be_found_missing(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, upkeep_rate=1000)  # to read what is there takes hours
    await put_some(cluster, "a", size=6_000_000)
    disk = cluster.nodes[0]

    def lose_all() -> None:
        for name in disk.files:
            disk.path(name).unlink()

    await asyncio.to_thread(lose_all)
    scrubber = keeper(cluster).scrubber

    async with asyncio.timeout(60):
        await scrubber._begin(await cluster.node(0))

    assert all(part.stored == [cluster.nodes[1].id] for part in await cluster.parts("a"))


def test_a_rate_at_which_a_part_takes_for_ever_is_refused() -> None:
    with pytest.raises(ValidationError, match="cluster_upkeep_rate"):
        Settings(cluster_upkeep_rate=ByteSize(MIB - 1))
