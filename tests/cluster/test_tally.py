"""Copies are counted seldom, however many ask."""

import asyncio

import pytest

from penstock.cluster.tally import Tally
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import put_some


async def test_all_who_ask_at_the_same_time_share_one_count(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_some(cluster, "a")
    nodes = cluster.catalog.nodes
    count, counted = nodes.counts, 0

    async def counts() -> dict[str, int]:
        nonlocal counted
        counted += 1
        await asyncio.sleep(0.1)
        return await count()

    monkeypatch.setattr(nodes, "counts", counts)
    tally = Tally(nodes, cluster.catalog.removals)

    told = await asyncio.gather(*(tally.now() for _ in range(20)))

    assert counted == 1
    assert {sum(one.copies.values()) for one in told} == {12}


async def test_it_is_counted_again_after_a_while(cluster: ClusterHere) -> None:
    tally = Tally(cluster.catalog.nodes, cluster.catalog.removals)
    assert (await tally.now()).copies == {}
    await put_some(cluster, "a")

    async with asyncio.timeout(60):
        while sum((await tally.now()).copies.values()) != 12:
            await asyncio.sleep(0.1)
