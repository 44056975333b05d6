"""The nodes as one process sees them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, update

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.cluster import Heard, Node, Nodes, NodeState
from penstock.catalog.schema import nodes as table
from penstock.cluster.members import Members
from penstock.cluster.options import ClusterOptions
from penstock.errors import Busy, WrongState

ONE = Heard("one", "127.0.0.1:8201", 1000, 900, 100)
TWO = Heard("two", "127.0.0.1:8202", 1000, 800, 200)

StartMembers = Callable[..., Members]


class Counted(Nodes):
    """Nodes that count what they are asked, and fail as often as they are told to."""

    hears = 0
    looks = 0
    failing = 0

    async def hear(self, heard: Sequence[Heard]) -> None:
        self.hears += 1
        if self.failing:
            self.failing -= 1
            raise ConnectionError("the database is away")
        await super().hear(heard)

    async def all(self) -> list[Node]:
        self.looks += 1
        return await super().all()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(sqlite_url(tmp_path / "catalog.sqlite"))
    yield opened
    opened.dispose()


@pytest.fixture
async def nodes(engine: Engine) -> AsyncIterator[Counted]:
    commits = GroupCommit(engine)
    yield Counted(engine, commits, 30.0)
    await commits.close()


@pytest.fixture
async def start(nodes: Counted) -> AsyncIterator[StartMembers]:
    """Begin to listen, as a server of its own would."""
    async with AsyncExitStack() as stack:

        def start(**options: Any) -> Members:
            members = Members(nodes, ClusterOptions(**options))
            stack.push_async_callback(members.close)
            return members

        yield start


async def seen(members: Members) -> dict[str, NodeState]:
    return {node.id: node.state for node in await members.all()}


async def until_live(members: Members, *heard: Heard) -> None:
    """Have nodes announce themselves, several times a second, until all are live."""
    async with asyncio.timeout(30):
        while True:
            await members.all()
            for one in heard:
                members.hear(one)
            states = await seen(members)
            if all(states.get(one.id) is NodeState.LIVE for one in heard):
                return
            await asyncio.sleep(0.1)


async def age(engine: Engine, seconds: float) -> None:
    """Have all nodes be silent for so long."""

    def change() -> None:
        with engine.begin() as connection:
            connection.execute(update(table).values(seen=table.c.seen - seconds))

    await asyncio.to_thread(change)


async def test_a_node_joins_and_is_live_with_its_second_announcement(start: StartMembers) -> None:
    members = start()
    members.hear(ONE)
    async with asyncio.timeout(10):
        while (await seen(members)).get("one") is not NodeState.JOINING:
            await asyncio.sleep(0.02)

    await until_live(members, ONE)

    known = members.get("one")
    assert known is not None
    assert (known.address, known.capacity, known.free, known.used) == ONE[1:]


async def test_what_one_process_hears_the_others_see(start: StartMembers) -> None:
    here, there = start(), start()

    await until_live(here, ONE, TWO)

    await there.look()
    assert await seen(there) == {"one": NodeState.LIVE, "two": NodeState.LIVE}


async def test_many_announcements_are_few_transactions_and_many_looks_are_one(
    start: StartMembers, nodes: Counted
) -> None:
    members = start()
    many = [Heard(f"n{number:03}", f"h:{number + 1}", 1, 1, 0) for number in range(500)]

    for one in many:
        members.hear(one)
    await members.close()
    await asyncio.gather(*(members.all() for _ in range(100)))

    assert len(await members.all()) == 500
    assert nodes.hears == 1
    assert nodes.looks <= 2


async def test_an_id_is_that_of_one_address_as_long_as_it_lives(
    start: StartMembers, engine: Engine
) -> None:
    members = start()
    await until_live(members, ONE)
    moved = ONE._replace(address="127.0.0.1:9999")

    with pytest.raises(WrongState, match="live at another address"):
        members.hear(moved)
    await members.close()  # so that nothing it heard comes after
    await age(engine, 6)
    members = start()
    await members.all()
    members.hear(moved)
    await members.close()

    await members.look()
    known = members.get("one")
    assert known is not None
    assert known.address == "127.0.0.1:9999"


async def test_two_that_begin_with_one_id_at_once_are_told_apart(start: StartMembers) -> None:
    members = start()
    members.hear(ONE)

    with pytest.raises(WrongState):
        members.hear(ONE._replace(address="127.0.0.1:9999"))


async def test_too_few_live_nodes_are_told_by_number(start: StartMembers, engine: Engine) -> None:
    members = start(min_nodes=3)
    with pytest.raises(Busy, match="0 of 3 storage nodes are live"):
        await members.writable()

    await until_live(members, ONE, TWO)

    with pytest.raises(Busy, match="2 of 3 storage nodes are live"):
        await members.writable()


async def test_only_live_nodes_take_parts(
    start: StartMembers, nodes: Counted, engine: Engine
) -> None:
    members = start()
    with pytest.raises(Busy, match="0 of 1 storage node is live"):
        await members.writable()
    await until_live(members, ONE, TWO)
    await nodes.drain("one", True)
    await members.look()

    assert [node.id for node in await members.writable()] == ["two"]

    await members.close()
    await age(engine, 6)
    await members.look()
    with pytest.raises(Busy, match="0 of 1"):
        await members.writable()


async def test_what_was_heard_is_written_down_at_the_end(start: StartMembers) -> None:
    members, others = start(), start()
    members.hear(ONE)

    await members.close()

    assert list(await seen(others)) == ["one"]


async def test_a_catalog_that_is_away_is_told_the_next_time(
    start: StartMembers, nodes: Counted, caplog: pytest.LogCaptureFixture
) -> None:
    members = start()
    nodes.failing = 2

    await until_live(members, ONE)

    assert [message.partition(";")[0] for message in caplog.messages] == [
        "the catalog is away",
        "the catalog is back",
    ]


async def test_a_node_in_trouble_is_so_for_three_seconds(nodes: Counted) -> None:
    now = 100.0
    members = Members(nodes, ClusterOptions(), clock=lambda: now)

    members.trouble("one")
    now += 2.9
    soon = members.is_troubled("one"), members.is_troubled("two")
    now += 0.2

    assert soon == (True, False)
    assert not members.is_troubled("one")
