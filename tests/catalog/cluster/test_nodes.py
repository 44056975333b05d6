"""How the nodes stand, by what was heard of them and when."""

import pytest
from sqlalchemy import update

import penstock.catalog.cluster.nodes
from penstock.catalog.cluster import Heard, Node, NodeState
from penstock.catalog.schema import nodes
from penstock.errors import NotFound
from tests.catalog.cluster.conftest import Catalog


def heard(identity: str, free: int = 60) -> Heard:
    return Heard(identity, f"{identity}.example:8001", 100, free, 40)


async def later(catalog: Catalog, seconds: float) -> None:
    """Let time pass, as the nodes' rows see it."""
    passed = {"seen": nodes.c.seen - seconds, "joined": nodes.c.joined - seconds}
    await catalog.execute(update(nodes).values(passed))


async def only(catalog: Catalog) -> Node:
    (node,) = await catalog.nodes.all()
    return node


async def live(catalog: Catalog, *identities: str) -> None:
    for _ in range(2):
        await later(catalog, 1)
        await catalog.nodes.hear([heard(identity) for identity in identities])


async def test_a_node_is_live_when_it_spoke_twice(catalog: Catalog) -> None:
    await catalog.nodes.hear([heard("n1")])
    assert (await only(catalog)).state is NodeState.JOINING

    await later(catalog, 1)
    await catalog.nodes.hear([heard("n1", free=50)])

    node = await only(catalog)
    assert (node.state, node.answers, node.draining) == (NodeState.LIVE, True, False)
    assert node[:5] == heard("n1", free=50)
    assert 0 <= node.silent < 5


@pytest.mark.parametrize(
    ("silent", "state"),
    [(3, NodeState.LIVE), (6, NodeState.SUSPECT), (29, NodeState.SUSPECT), (31, NodeState.DEAD)],
)
async def test_silence_makes_it_suspect_and_then_dead(
    catalog: Catalog, silent: float, state: NodeState
) -> None:
    await live(catalog, "n1")

    await later(catalog, silent)

    node = await only(catalog)
    assert node.state is state
    assert silent <= node.silent < silent + 2
    assert node.answers == (state is NodeState.LIVE)


async def test_a_node_that_comes_back_joins_anew_if_it_was_dead(catalog: Catalog) -> None:
    await live(catalog, "n1", "n2")
    await later(catalog, 20)
    await catalog.nodes.hear([heard("n1")])
    await later(catalog, 20)

    await catalog.nodes.hear([heard("n1"), heard("n2")])

    states = {node.id: node.state for node in await catalog.nodes.all()}
    assert states == {"n1": NodeState.LIVE, "n2": NodeState.JOINING}


async def test_a_draining_node_says_so_as_long_as_it_answers(catalog: Catalog) -> None:
    await live(catalog, "n1")

    await catalog.nodes.drain("n1", True)
    assert (await only(catalog)).state is NodeState.DRAINING
    await catalog.nodes.hear([heard("n1")])
    assert (await only(catalog)).draining
    await later(catalog, 40)
    assert (await only(catalog)).state is NodeState.DEAD
    assert (await only(catalog)).draining

    await live(catalog, "n1")
    await catalog.nodes.drain("n1", False)
    assert (await only(catalog)).state is NodeState.LIVE


async def test_the_last_word_of_a_node_counts(catalog: Catalog) -> None:
    await catalog.nodes.hear([heard("n2"), heard("n1", free=1), heard("n1", free=2)])
    await catalog.nodes.hear([])

    assert [(node.id, node.free) for node in await catalog.nodes.all()] == [("n1", 2), ("n2", 60)]


async def test_a_scrub_is_taken_down(catalog: Catalog) -> None:
    await live(catalog, "n1")
    assert (await only(catalog)).scrubbed is None

    assert await catalog.nodes.scrubbing("n1")
    assert (await only(catalog)).scrubbed is None
    await catalog.nodes.scrubbed("n1")

    scrubbed = (await only(catalog)).scrubbed
    assert scrubbed is not None
    assert abs(scrubbed - await catalog.copies.now()) < 60
    assert not await catalog.nodes.scrubbing("n1")
    assert (await only(catalog)).scrubbed == scrubbed


@pytest.mark.parametrize("was_scrubbed", [False, True])
@pytest.mark.parametrize("why", ["asked for", "moved", "back"])
async def test_a_scrub_that_is_asked_for_meanwhile_is_not_forgotten(
    catalog: Catalog, why: str, was_scrubbed: bool
) -> None:
    await live(catalog, "n1")
    if was_scrubbed:
        await catalog.nodes.scrubbing("n1")
        await catalog.nodes.scrubbed("n1")
    await catalog.nodes.scrubbing("n1")

    if why == "asked for":
        await catalog.nodes.unscrubbed("n1")
    elif why == "moved":
        await catalog.nodes.hear([heard("n1")._replace(address="elsewhere:1")])
    else:
        await later(catalog, 40)
        await catalog.nodes.hear([heard("n1")])
    await catalog.nodes.scrubbed("n1")

    assert (await only(catalog)).scrubbed is None
    assert await catalog.nodes.scrubbing("n1")
    await catalog.nodes.scrubbed("n1")
    assert (await only(catalog)).scrubbed is not None


async def test_a_node_is_removed_with_all_its_copies(catalog: Catalog) -> None:
    await live(catalog, "n1", "n2")
    file = await catalog.put("a", nodes=["n1", "n2"])
    assert await catalog.nodes.counts() == {"n1": 2, "n2": 2}

    await catalog.nodes.remove("n1")

    assert (await only(catalog)).id == "n2"
    assert await catalog.nodes.counts() == {"n2": 2}
    assert [part.stored for part in await catalog.files.parts(file)] == [["n2"], ["n2"]]


async def test_a_node_is_removed_however_many_copies_it_has(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penstock.catalog.cluster.nodes, "_FORGOTTEN", 3)
    await live(catalog, "n1")
    await catalog.put("a", nodes=["n1", "n2"], parts=6)
    await catalog.put("b", nodes=["n1", "n2"], parts=1)

    await catalog.nodes.remove("n1")

    assert await catalog.nodes.all() == []
    assert await catalog.nodes.counts() == {"n2": 7}


async def test_a_node_that_nobody_knows_is_not_found(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        await catalog.nodes.drain("n9", True)
    with pytest.raises(NotFound):
        await catalog.nodes.remove("n9")


async def test_copies_in_every_state_are_counted(catalog: Catalog) -> None:
    file = await catalog.put("a", nodes=["n1", "n2"])
    await catalog.begin("b", nodes=["n1"])

    await catalog.copies.bad(file, 1, "n1")

    assert await catalog.nodes.counts() == {"n1": 4, "n2": 2}
