"""Which nodes get which parts."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.catalog.cluster import Node, NodeState
from penstock.cluster.placement import RESERVE, choose, spread

GIB = 1 << 30


def node(name: str, free: int = 100 * GIB) -> Node:
    return Node(name, "127.0.0.1:1", 200 * GIB, free, 0, NodeState.LIVE, 0.0, False, None)


def nodes_with(*free: int) -> list[Node]:
    return [node(f"n{number}", one) for number, one in enumerate(free)]


def ids(nodes: list[Node]) -> list[str]:
    return [node.id for node in nodes]


clusters = st.lists(st.integers(0, 1 << 42), max_size=12).map(lambda free: nodes_with(*free))
names = st.text(max_size=40)
unhurried = settings(deadline=None, max_examples=60)


@unhurried
@given(names, clusters, st.integers(0, 5), st.integers(0, 1 << 41))
def test_distinct_nodes_with_room_are_chosen_as_many_as_there_are(
    name: str, nodes: list[Node], count: int, size: int
) -> None:
    fitting = [node.id for node in nodes if node.free >= size + RESERVE]

    chosen = ids(choose(name, nodes, count, size))

    assert len(chosen) == len(set(chosen)) == min(count, len(fitting))
    assert set(chosen) <= set(fitting)


@unhurried
@given(names, clusters, st.integers(0, 5), st.randoms())
def test_the_order_in_which_nodes_are_known_does_not_matter(
    name: str, nodes: list[Node], count: int, random: Random
) -> None:
    shuffled = random.sample(nodes, len(nodes))

    assert choose(name, shuffled, count, 0) == choose(name, nodes, count, 0)


@unhurried
@given(names, clusters, st.data())
def test_a_node_that_goes_moves_only_its_own_parts(
    name: str, nodes: list[Node], data: st.DataObject
) -> None:
    order = ids(choose(name, nodes, len(nodes), 0))
    gone = data.draw(st.sampled_from(order)) if order else ""

    assert ids(choose(name, nodes, len(nodes), 0, {gone})) == [one for one in order if one != gone]


def test_a_node_gets_parts_as_it_has_free_bytes() -> None:
    nodes = nodes_with(100 * GIB, 200 * GIB, 700 * GIB)

    first = Counter(choose(f"part-{number}", nodes, 1, 0)[0].id for number in range(5_000))

    assert 400 < first["n0"] < 600
    assert 850 < first["n1"] < 1150
    assert 3300 < first["n2"] < 3700


def test_parts_of_a_file_go_to_all_nodes() -> None:
    parts = [(f"file-{number}", 1000) for number in range(1, 7)]
    nodes = nodes_with(*[100 * GIB] * 6)

    alone = Counter(node.id for chosen in spread(parts, nodes, 1) for node in chosen)
    twice = Counter(node.id for chosen in spread(parts, nodes, 2) for node in chosen)

    assert set(alone.values()) == {1}
    assert len(alone) == 6
    assert max(twice.values()) <= 3
    assert len(twice) == 6


@unhurried
@given(
    st.lists(st.integers(0, 1 << 40), max_size=20).map(
        lambda sizes: [(f"f-{number}", size) for number, size in enumerate(sizes, 1)]
    ),
    clusters,
    st.integers(1, 4),
)
def test_each_part_gets_as_many_distinct_nodes_as_have_room(
    parts: list[tuple[str, int]], nodes: list[Node], count: int
) -> None:
    left = {node.id: node.free for node in nodes}

    for (_, size), chosen in zip(parts, spread(parts, nodes, count), strict=True):
        fitting = [name for name, free in left.items() if free >= size + RESERVE]
        assert len({node.id for node in chosen}) == len(chosen) == min(count, len(fitting))
        assert {node.id for node in chosen} <= set(fitting)
        for node in chosen:
            left[node.id] -= size


def test_a_node_with_little_room_gets_little_of_a_file() -> None:
    parts = [(f"file-{number}", GIB) for number in range(1, 13)]
    nodes = nodes_with(100 * GIB, 100 * GIB, 100 * GIB, 2 * GIB)

    given = Counter(node.id for chosen in spread(parts, nodes, 2) for node in chosen)

    assert given["n3"] <= 1
