"""A change whose answer is lost with the connection is made again, and answers the same."""

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, Engine, select

from penstock.catalog import GroupCommit
from penstock.catalog.cluster import (
    Copies,
    Duties,
    Files,
    Heard,
    Nodes,
    NodeState,
    Part,
    Removals,
    Stored,
)
from penstock.catalog.schema import cluster_copies, cluster_outbox
from penstock.stores.interface import ALWAYS, Condition
from tests.catalog.cluster.conftest import FACTS, HOUR, TABLES, Catalog

T = TypeVar("T")


class Forgetful(GroupCommit):
    """Loses the first answer to each change."""

    async def run(self, change: Callable[[Connection], T]) -> T:
        await super().run(change)
        return await super().run(change)


@pytest.fixture
async def forgetful(engine: Engine) -> AsyncIterator[Catalog]:
    commits = Forgetful(engine)
    yield Catalog(
        engine,
        commits,
        Files(engine, commits),
        Nodes(engine, commits, 30.0),
        Removals(engine, commits),
        Copies(engine, commits),
        Duties(engine, commits),
    )
    await commits.close()


async def test_a_file_is_made_replaced_and_removed(forgetful: Catalog, catalog: Catalog) -> None:
    files, only_new = forgetful.files, Condition(absent=True)
    await files.begin("f", "a", None, [Part(1, 0, 5, ("n1", "n2"))], HOUR)
    await files.add("f", [Part(2, 5, 5, ("n1",))], HOUR)
    await files.place("f", 2, "n3")
    await files.stored("f", [Stored(1, 1, bytes(4), ("n1", "n2"))], HOUR)
    second = [Stored(2, 1, bytes(4), ("n1", "n3"))]

    _, replaced = await files.commit("f", "a", 10, FACTS, only_new, HOUR, second)
    assert not replaced
    assert [part.stored for part in await files.parts("f")] == [["n1", "n2"], ["n1", "n3"]]
    assert await catalog.removals.next_due() is None

    await files.delete("a", Condition(etags=("f",)), 0.0)
    await files.reading(["f"], 0.0)
    (doomed,) = await catalog.removals.claim(10, HOUR)
    assert len(await catalog.removals.copies("f", None, 10)) == 4
    assert await forgetful.removed(doomed)
    for table in TABLES:
        assert await catalog.execute(select(table)) == []


async def test_a_file_that_is_given_up_is_claimed_once(
    forgetful: Catalog, catalog: Catalog
) -> None:
    file = await forgetful.begin("a")
    await forgetful.files.abort(file)

    assert [doomed.file for doomed in await catalog.removals.claim(10, HOUR)] == [file]


async def test_a_node_is_heard_of_drained_and_removed(forgetful: Catalog) -> None:
    nodes = forgetful.nodes
    await forgetful.put("a", nodes=["n1"])
    await nodes.hear([Heard("n1", "n1:1", 1, 1, 1)])
    await nodes.drain("n1", True)
    assert await nodes.scrubbing("n1")
    await nodes.scrubbed("n1")
    assert [node.state for node in await nodes.all()] == [NodeState.DRAINING]

    await nodes.remove("n1")

    assert await nodes.all() == []
    assert await forgetful.execute(select(cluster_copies)) == []


async def test_copies_are_found_and_dropped(forgetful: Catalog) -> None:
    file = await forgetful.put("a", nodes=["n1", "n2"], parts=1)

    await forgetful.copies.bad(file, 1, "n2")
    await forgetful.copies.drop(file, 1, "n2")
    await forgetful.copies.found(file, 1, "n1")

    (part,) = await forgetful.files.parts(file)
    assert part.stored == ["n1"]


async def test_a_duty_is_taken_saved_and_released(forgetful: Catalog, catalog: Catalog) -> None:
    assert await forgetful.duties.take("scrub", "a", HOUR) == ""
    assert await forgetful.duties.save("scrub", "a", HOUR, "at 5")
    assert await catalog.duties.take("scrub", "b", HOUR) is None

    await forgetful.duties.release("scrub", "a")

    assert await forgetful.duties.take("scrub", "b", HOUR) == "at 5"


async def test_what_is_replaced_is_told_so(forgetful: Catalog) -> None:
    old = await forgetful.put("a")
    file = await forgetful.begin("a")

    told, replaced = await forgetful.commit(file, "a", condition=Condition(etags=(old,)))

    assert (told.etag, replaced) == (file, True)
    await forgetful.files.delete("a", ALWAYS, HOUR)
    assert len(await forgetful.execute(select(cluster_outbox))) == 2
