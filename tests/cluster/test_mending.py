"""What is wrong with some parts does not wait until all of them were looked at."""

from collections.abc import Collection

import pytest

from penstock.catalog.cluster import PartRow
from penstock.cluster import mending
from penstock.cluster.means import Between
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.keeping import Copies, keeper, put_some, stored


async def test_what_is_found_bad_during_a_walk_does_not_wait_for_its_end(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "_LOOK", 0.0)
    cluster = await start_cluster(4)
    await put_some(cluster, "a", "b")
    await cluster.die(0)
    copies = cluster.catalog.copies
    short = copies.short
    pages = 0
    behind: list[PartRow] = []
    seen: list[Copies] = []

    async def page_of_one(
        replicas: int, usable: Collection[str], after: tuple[str, int], most: int
    ) -> list[PartRow]:
        nonlocal pages
        pages += 1
        if pages == 2:
            (part,) = behind
            alive = set(part.stored) - {cluster.nodes[0].id}
            await copies.bad(part.file, part.number, min(alive))
        if pages == 3:
            seen.append(await stored(cluster))
        page = await short(replicas, usable, after, 1)
        if pages == 1:
            behind.extend(page)
        return page

    monkeypatch.setattr(copies, "short", page_of_one)

    await keeper(cluster).mender.round()

    (part,) = behind
    assert sum(part.name in seen[0][member.id] for member in cluster.nodes[1:]) == 2


async def test_who_asks_for_a_look_during_a_walk_has_another(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    mender = keeper(cluster).mender
    walks = count_walks(monkeypatch, cluster)
    walk = mender.trimmer.walk

    async def asked(between: Between) -> bool:
        if len(walks) == 1:
            mender.look_at_all()
        return await walk(between)

    monkeypatch.setattr(mender.trimmer, "walk", asked)

    for _ in range(4):
        await mender.round()

    assert len(walks) == 2


async def test_a_node_that_went_and_came_during_a_walk_has_all_looked_at_again(
    cluster: ClusterHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mending, "_LOOK", 0.0)
    mender = keeper(cluster).mender
    walks = count_walks(monkeypatch, cluster)
    walk = mender.trimmer.walk

    async def meanwhile(between: Between) -> bool:
        if len(walks) == 1:
            for counts_no_more in (True, False):
                await cluster.catalog.nodes.drain(cluster.nodes[0].id, counts_no_more)
                await cluster.members.look()
                await between()
        return await walk(between)

    monkeypatch.setattr(mender.trimmer, "walk", meanwhile)

    for _ in range(4):
        await mender.round()

    assert len(walks) == 2


def count_walks(monkeypatch: pytest.MonkeyPatch, cluster: ClusterHere) -> list[str]:
    """One entry for each walk through all parts, which are in one page."""
    walks: list[str] = []
    copies = cluster.catalog.copies
    short = copies.short

    async def counted(
        replicas: int, usable: Collection[str], after: tuple[str, int], most: int
    ) -> list[PartRow]:
        if after == ("", 0):
            walks.append("walk")
        return await short(replicas, usable, after, most)

    monkeypatch.setattr(copies, "short", counted)
    return walks
