"""Parts move from full nodes to empty ones, and then they stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from penstock.catalog.cluster import Heard, Node, NodeState
from penstock.cluster import balancing
from penstock.cluster.balancing import APART, plan_move, used_share
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere
from tests.cluster.imposters import full, imposter
from tests.cluster.keeping import keeper, on_disk, put_some, stored
from tests.s3.files import get

GIB = 1 << 30


def node(identity: str, used: int, free: int) -> Node:
    state = NodeState.LIVE
    return Node(identity, identity, used + free, free, used, state, 0.0, False, None)


nodes = st.lists(
    st.tuples(st.integers(0, 100 * GIB), st.integers(GIB, 100 * GIB)), min_size=2, max_size=6
).map(lambda rooms: [node(str(at), used, free) for at, (used, free) in enumerate(rooms)])


@given(nodes)
def test_a_move_never_makes_the_target_the_fuller(given_nodes: list[Node]) -> None:
    move = plan_move(given_nodes)

    if move is None:
        shares = [used_share(one) for one in given_nodes]
        assert max(shares) - min(shares) <= APART
    else:
        source, target = moved(move.source, -move.size), moved(move.target, move.size)
        assert 0 < move.size <= move.source.used
        assert used_share(source) >= used_share(target)


@given(nodes)
def test_moves_come_to_an_end(given_nodes: list[Node]) -> None:
    known = {one.id: one for one in given_nodes}
    for _ in range(5000):
        move = plan_move(known.values())
        if move is None:
            return
        for one, size in ((move.source, -move.size), (move.target, move.size)):
            known[one.id] = moved(one, size)
    pytest.fail("they go on and on")


def moved(one: Node, size: int) -> Node:
    return one._replace(used=one.used + size, free=one.free - size)


async def test_parts_move_from_the_fullest_node_to_the_emptiest(cluster: ClusterHere) -> None:
    files = await put_some(cluster, *"abcdefgh")
    await cluster.add()
    upkeep = keeper(cluster)

    async def balance() -> int:
        """As if the disks were small."""
        await hear_sizes(cluster)
        return await upkeep.mender.balancer.run_once()

    rounds = 0
    while await balance():
        rounds += 1
        assert rounds < 50

    sizes = [len(names) for names in await cluster.on_disks()]
    assert sum(sizes) == 96
    assert max(sizes) - min(sizes) <= 6
    assert upkeep.status()["moved"] >= 16
    assert await on_disk(cluster) == await stored(cluster)
    for key, data in files.items():
        assert [len(there) for there in await cluster.copies(key)] == [2] * 6
        assert await get(cluster.store, key) == data


async def test_nodes_that_are_alike_are_left_alone(cluster: ClusterHere) -> None:
    await put_some(cluster, "a", "b")
    before = await stored(cluster)
    upkeep = keeper(cluster)

    await upkeep.run_once()

    assert upkeep.status()["moved"] == 0
    assert await stored(cluster) == before


async def hear_sizes(cluster: ClusterHere) -> None:
    """Announce nodes with room for 50 parts of what ``put_some`` puts, beside what must stay
    free."""
    for member in cluster.nodes:
        member.speaks = False
    disks = await cluster.on_disks()
    room = 50 * 100_000
    heard = [
        Heard(member.id, member.address, room, room - len(disk) * 100_000, len(disk) * 100_000)
        for member, disk in zip(cluster.nodes, disks, strict=True)
    ]
    await cluster.catalog.nodes.hear(heard)
    await cluster.members.look()


@pytest.fixture(autouse=True)
def no_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disks of these tests are smaller than what nodes keep free."""
    monkeypatch.setattr(balancing, "has_room", lambda one, size: one.free >= size)


async def test_a_node_that_takes_nothing_is_not_asked_for_each_part(cluster: ClusterHere) -> None:
    await put_some(cluster, *"abcdefgh")
    await cluster.add()
    upkeep = keeper(cluster)
    async with imposter(cluster, 3, full):
        await hear_sizes(cluster)
        before = len(cluster.client.puts)

        assert await upkeep.mender.balancer.run_once() == 0

        assert len(cluster.client.puts) == before + 1


async def test_nodes_that_cannot_be_balanced_are_left_alone_after_one_look(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancing, "_PAGE", 5)
    monkeypatch.setattr(balancing, "_MOST_PAGES", 2)
    cluster = await start_cluster(2)
    await put_some(cluster, *"abcd")  # each part is on both
    await hear_unlike(cluster)
    balancer = keeper(cluster).mender.balancer
    queries = 0

    def count(*args: object) -> None:
        nonlocal queries
        queries += "cluster_copies" in str(args[2])

    event.listen(cluster.catalog.engine, "before_cursor_execute", count)
    rounds: list[int] = []
    for _ in range(6):
        queries = 0
        assert await balancer.run_once() == 0
        rounds.append(queries)

    # Of 24 copies ten in a round, by two queries for five; one more sees that there are no more.
    assert rounds == [4, 4, 3, 0, 0, 0]


async def hear_unlike(cluster: ClusterHere) -> None:
    """Announce two nodes that have as much, but not as much room."""
    for member in cluster.nodes:
        member.speaks = False
    heard = [
        Heard(member.id, member.address, room, room - 2_400_000, 2_400_000)
        for member, room in zip(cluster.nodes, (3_000_000, 30_000_000), strict=True)
    ]
    await cluster.catalog.nodes.hear(heard)
    await cluster.members.look()
