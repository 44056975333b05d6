"""Listings, held against a sorted list of the keys."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, insert, text

from penstock.catalog import open_database
from penstock.catalog.cluster import listing
from penstock.catalog.schema import cluster_files, cluster_keys
from tests.catalog.cluster.test_plans import listening

# Few, so that keys have common prefixes; of every length in UTF-8, and on both sides of the
# surrogates, where the order of UTF-16 is another one.
LETTERS = st.sampled_from("aAb/-.0é\ud7ff\ue000\uffee\U0001f600\U0010ffff")
KEYS = st.sets(st.text(LETTERS, min_size=1, max_size=6), max_size=25)
PREFIXES = st.text(LETTERS, max_size=2)
AFTERS = st.text(st.one_of(LETTERS, st.sampled_from("\x00\x01~")), max_size=4)
DELIMITERS = st.sampled_from(["", "/", "a/", "-", "\U0010ffff", "é"])


def fill(connection: Connection, keys: set[str]) -> None:
    connection.execute(delete(cluster_keys))
    connection.execute(delete(cluster_files))
    # Versions that nobody sees are not listed.
    files = [
        {"id": f"{seen}{key}", "key": key, "size": len(key), "created": 0.0, "read_until": 0.0}
        for key in keys
        for seen in ("seen", "old")
    ]
    if keys:
        connection.execute(insert(cluster_files), files)
        seen = [{"key": key, "file": f"seen{key}"} for key in keys]
        connection.execute(insert(cluster_keys), seen)


def items(keys: set[str], prefix: str, after: str, delimiter: str) -> list[str]:
    """What should be listed, files and common prefixes in one order."""
    rolled = set()
    for key in keys:
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter or "\x00")
            rolled.add(prefix + head + found)
    return sorted((item for item in rolled if item > after), key=str.encode)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection
        connection.rollback()


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example({"a/a", "a/b", "a0", "b"}, "", "a/a", "/", 1)
@example({"a\U0010ffffa", "a\U0010ffff\U0010ffff", "b"}, "", "", "\U0010ffff", 1)
@example({"\U0010ffffa", "\U0010ffff"}, "\U0010ffff", "", "/", 1)
@example({"\U0010ffff0"}, "", "\U0010ffff", "\U0010ffff", 1)
@example({"\ud7ff/a", "\ue000"}, "\ud7ff", "", "", 5)
@given(KEYS, PREFIXES, AFTERS, DELIMITERS, st.integers(1, 6))
def test_pages_join_to_the_sorted_list(
    connection: Connection, keys: set[str], prefix: str, after: str, delimiter: str, limit: int
) -> None:
    fill(connection, keys)
    expected = items(keys, prefix, after, delimiter)

    found: list[str] = []
    following: str | None = after
    while following is not None:
        page = listing.page(connection, prefix, following, limit, delimiter)
        told = [info.key for info in page.files] + list(page.prefixes)
        assert len(told) <= limit
        assert all(info.etag == f"seen{info.key}" for info in page.files)
        found += sorted(told, key=str.encode)
        following = page.next

    assert found == expected
    files = [info.key for info in listing.batch(connection, prefix, after, 1000)]
    assert files == items(keys, prefix, after, "")


def test_half_of_a_surrogate_pair_breaks_nothing(connection: Connection) -> None:
    fill(connection, {"a", "b"})

    assert [info.key for info in listing.batch(connection, "", "a\ud800", 10)] == ["b"]


def keys_read(connection: Connection, statement: str, given: Any) -> int:
    """How many rows PostgreSQL reads of the keys."""
    # As if they were many: few it reads as a whole.
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    explained = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", given)
    waiting = [explained.scalar_one()[0]["Plan"]]
    count = 0
    while waiting:
        plan = waiting.pop()
        waiting += plan.get("Plans", [])
        if plan.get("Relation Name") == "cluster_keys":
            count += plan["Actual Rows"] * plan["Actual Loops"]
    return count


def steps_of(connection: Connection, statement: str, given: Any) -> int:
    """How many hundred steps SQLite's machine takes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.set_progress_handler(count, 100)
    connection.exec_driver_sql(statement, given).all()
    raw.set_progress_handler(None, 0)
    return steps


def test_what_is_rolled_up_is_not_read_key_by_key(connection: Connection, engine: Engine) -> None:
    folders = {f"{letter}/{number:05}" for letter in "abcdefgh" for number in range(1000)}
    fill(connection, {*folders, "file", "z"})
    connection.execute(text("ANALYZE"))

    with listening(engine) as asked:
        page = listing.page(connection, "", "", 100, "/")

    assert list(page.prefixes) == [f"{letter}/" for letter in "abcdefgh"]
    assert [info.key for info in page.files] == ["file", "z"]
    ((statement, given),) = asked
    # Ten items; to read every key takes more than ten steps, or a row, for each.
    if connection.dialect.name == "sqlite":
        assert steps_of(connection, statement, given) < 20
    else:
        assert keys_read(connection, statement, given) < 50


def test_the_language_of_the_database_does_not_matter(postgres: str, tmp_path: Path) -> None:
    name = f"i{abs(hash(str(tmp_path))):x}"
    create = (
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' "
        "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    )
    with closing(psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True)) as server:
        try:
            server.execute(create.encode())
        except psycopg.Error as error:
            pytest.skip(f"this PostgreSQL has no languages: {error}")
    engine = open_database(postgres.rpartition("/")[0] + f"/{name}")
    keys = {"a", "B", "a-b", "ab", "a/b", "a.b", "Z/z", "é", "z"}

    with engine.begin() as connection:
        fill(connection, keys)
        listed = [info.key for info in listing.batch(connection, "", "", 100)]
        page = listing.page(connection, "", "", 100, "/")
    engine.dispose()

    assert listed == sorted(keys, key=str.encode)
    assert list(page.prefixes) == ["Z/", "a/"]
