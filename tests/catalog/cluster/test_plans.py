"""What is asked often is found by an index, however much there is."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, select, text

from penstock.catalog.cluster import Heard, Part, Stored
from penstock.catalog.schema import cluster_files
from penstock.stores.interface import ALWAYS
from tests.catalog.cluster.conftest import FACTS, HOUR, Catalog

# Of each of 2,000 numbers "i" a row.
_FILL = {
    "files (id, key, size, created, processed, read_until)": "'x' || i, 'k' || i, 5, 0, 1, 0",
    "keys (key, file)": "'k' || i, 'x' || i",
    "parts (file, number, start, size, crc32)": "'x' || i, 1, 0, 5, 1",
    "copies (name, node, file, number, state, changed)": (
        "'x' || i || '-1', 'n' || i % 10, 'x' || i, 1, 'stored', 0"
    ),
    "outbox (file, due, attempts)": "'y' || i, 4e9, 0",
}
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)"

Asked = list[tuple[str, Any]]

_EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN "}
# "walk" and what has no table are made by the query itself.
_READS_ALL = {
    "sqlite": re.compile(r"SCAN (?!walk|CONSTANT|\d|\(|SUBQUERY|VALUES)(\w+)(?! USING)"),
    "postgresql": re.compile(r"Seq Scan on \w+|Index (Only )?Scan [^\n]*(\n(?!\s*Index Cond)|$)"),
}


@contextmanager
def listening(engine: Engine) -> Iterator[Asked]:
    """The statements that are executed meanwhile."""
    asked: Asked = []

    def take(_c: object, _cursor: object, statement: str, given: Any, _x: object, _y: bool) -> None:
        asked.append((statement, given[0] if isinstance(given, list) else given))

    event.listen(engine, "before_cursor_execute", take)
    yield asked
    event.remove(engine, "before_cursor_execute", take)


def explain(connection: Connection, statement: str, given: Any) -> str:
    dialect = connection.dialect.name
    rows = connection.exec_driver_sql(_EXPLAIN[dialect] + statement, given)
    return "\n".join(str(row[-1]) for row in rows)


def tables_read_whole(engine: Engine, asked: Asked) -> dict[str, str]:
    """The statements that read all of a table, with how."""
    found = {}
    with engine.connect() as connection:
        dialect = connection.dialect.name
        if dialect == "postgresql":
            # It reads small tables as a whole, unless there is no need to.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, given in asked:
            plan = explain(connection, statement, given)
            if _READS_ALL[dialect].search(plan):
                found[statement] = plan
    return found


async def fill(catalog: Catalog) -> None:
    """Many rows, of which the databases know that they are many."""
    for table, row in _FILL.items():
        statement = f"INSERT INTO cluster_{table} {_NUMBERS} SELECT {row} FROM n"
        await catalog.execute(text(statement))
    await catalog.execute(text("ANALYZE"))


async def everything(catalog: Catalog) -> None:
    """What is asked with every file, part, page and second."""
    await catalog.nodes.hear([Heard("n1", "n1:1", 1, 1, 1)])
    files = catalog.files
    for number in (1, 2):
        file = f"f{number}"
        await files.begin(file, "a", 10, [Part(1, 0, 5, ("n1",))], HOUR)
        await files.add(file, [Part(2, 5, 5, ("n1",))], HOUR)
        await files.place(file, 2, "n2")
        await files.stored(file, [Stored(1, 1, bytes(4), ("n1",))], HOUR)
        await files.renew([file, "other"], HOUR)
        await files.commit(file, "a", 10, FACTS, ALWAYS, 0.0, [Stored(2, 1, bytes(4), ("n2",))])
    await files.stat("a")
    await files.parts("f2")
    assert [part.number for part in await files.parts("f2", 5, 7)] == [2]
    assert await files.part("f2", 1)
    assert await files.few_parts("f2", 1) is None
    assert len(await files.few_parts("f2", 2) or []) == 2
    assert await files.made("f2")
    await files.page("a", "a", 10)
    await files.page("a", "a", 10, "/")
    await files.batches("", "", 10)
    await catalog.copies.on("n1", "f1", 10)
    await catalog.copies.of(["f1-1", "f1-2"], "n1")
    await catalog.copies.stale(60.0, 10)
    assert len(await catalog.copies.short(2, ["n1", "n30"], ("f1", 1), 2)) == 2
    await catalog.copies.drop("f2", 2, "n1")
    (doomed,) = await catalog.removals.claim(10, HOUR)
    await catalog.removals.next_due()
    (first, *_) = await catalog.removals.copies(doomed.file, None, 10)
    assert await catalog.removals.copies(doomed.file, first, 10)
    assert await catalog.removals.forget(doomed, [first])
    assert await catalog.removed(doomed)
    await files.reading(["f2"], HOUR)
    await files.delete("a", ALWAYS, HOUR)
    await files.abort("f2")
    await catalog.duties.take("scrub", "a", HOUR)


async def test_no_question_reads_a_whole_table(catalog: Catalog) -> None:
    await fill(catalog)

    with listening(catalog.engine) as asked:
        await everything(catalog)

    assert len(asked) > 40
    assert await asyncio.to_thread(tables_read_whole, catalog.engine, asked) == {}


async def test_the_test_sees_a_whole_table_that_is_read(catalog: Catalog) -> None:
    with listening(catalog.engine) as asked:
        await catalog.execute(select(cluster_files).where(cluster_files.c.size == 1))

    assert len(await asyncio.to_thread(tables_read_whole, catalog.engine, asked)) == 1


@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_a_page_is_one_query(catalog: Catalog, delimiter: str) -> None:
    for key in ("a", "b/1", "b/2", "c"):
        await catalog.put(key, parts=0)

    with listening(catalog.engine) as asked:
        page = await catalog.files.page("", "", 2, delimiter)

    assert page.next in ("b/", "b/1")
    assert sum("cluster" in statement for statement, _ in asked) == 1
