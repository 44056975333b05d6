"""Changes that are committed together."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, Text, select, update
from sqlalchemy.exc import DBAPIError

from penstock.catalog import GroupCommit


@pytest.mark.parametrize("head_start", [0.0, 0.05])
def test_a_loop_that_is_torn_down_ends_whoever_waits(engine: Engine, head_start: float) -> None:
    commits = GroupCommit(engine)

    async def crash() -> None:
        waiting = [
            asyncio.create_task(commits.run(lambda connection: time.sleep(0.2))) for _ in range(2)
        ]
        await asyncio.sleep(head_start)
        raise RuntimeError(f"{len(waiting)} wait")

    with pytest.raises(RuntimeError, match="2 wait"):
        asyncio.run(crash())
    asyncio.run(commits.close())


_VALUES = Table("commits_test", MetaData(), Column("name", Text), Column("value", Integer))


@pytest.fixture
def table(engine: Engine) -> Iterator[Table]:
    """With the rows "a" and "b", whose values are 0."""
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time, so no two wait for each other")
    with engine.begin() as connection:
        _VALUES.drop(connection, checkfirst=True)
        _VALUES.create(connection)
        connection.execute(_VALUES.insert(), [{"name": "a", "value": 0}, {"name": "b", "value": 0}])
    yield _VALUES
    _VALUES.drop(engine)


async def test_a_change_that_the_database_ends_for_a_deadlock_is_made_once_more(
    engine: Engine, table: Table
) -> None:
    processes = [GroupCommit(engine) for _ in range(2)]
    met = threading.Barrier(2)
    tries: list[str] = []

    def adding(first: str, second: str) -> Callable[[Connection], str]:
        def change(connection: Connection) -> str:
            tries.append(first)
            for name in (first, second):
                row = update(table).where(table.c.name == name)
                connection.execute(row.values(value=table.c.value + 1))
                if name == first and tries.count(first) == 1:
                    met.wait(30)
            return first

        return change

    answers = await asyncio.gather(
        processes[0].run(adding("a", "b")), processes[1].run(adding("b", "a"))
    )

    assert list(answers) == ["a", "b"]
    # Each may be the one that sees the circle, and on a busy machine both do at once.
    assert len(tries) in (3, 4)
    rows = await processes[0].run(lambda connection: connection.execute(select(table)).all())
    assert sorted(rows) == [("a", 2), ("b", 2)]
    for process in processes:
        await process.close()


async def test_a_change_that_is_always_ended_fails(engine: Engine, table: Table) -> None:
    commits = GroupCommit(engine)
    tries = 0

    def change(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        connection.exec_driver_sql(
            "DO $$ BEGIN RAISE 'not now' USING ERRCODE = 'serialization_failure'; END $$"
        )

    with pytest.raises(DBAPIError, match="not now"):
        await commits.run(change)

    assert tries == 2
    await commits.close()
