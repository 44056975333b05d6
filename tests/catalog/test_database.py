"""The catalog's schema and migrations."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text

import penstock.catalog
from penstock.catalog import Selections, SqlChecksums, open_database
from penstock.catalog.database import HEAD, _upgrade
from penstock.catalog.looking import shown
from penstock.catalog.schema import metadata
from penstock.errors import BadRequest, MissingExtra, NotFound
from penstock.stores import NOTHING_KNOWN, Facts

FACTS = Facts(b"s" * 32, 0xFFFFFFFF, "text/plain")


def difference(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        found: list[object] = compare_metadata(MigrationContext.configure(connection), metadata)
    return found


def test_a_new_catalog_has_the_schema_of_the_code(engine: Engine) -> None:
    assert difference(engine) == []


def test_the_migrations_make_the_same_schema(engine: Engine) -> None:
    metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        _upgrade(connection)

    assert difference(engine) == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    folder = Path(penstock.catalog.__file__).with_name("migrations")

    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


def test_an_existing_catalog_is_opened_again(engine: Engine) -> None:
    SqlChecksums(engine).put("a", "v1", FACTS)
    again = open_database(engine.url.render_as_string(hide_password=False))

    assert SqlChecksums(again).get("a", "v1") == FACTS
    again.dispose()


@pytest.mark.parametrize("before", [None, "0004"])
def test_processes_that_start_together_do_not_disturb_each_other(
    engine: Engine, before: str | None
) -> None:
    metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        if before is not None:
            _upgrade(connection, before)
    url, at_once = engine.url.render_as_string(hide_password=False), Barrier(6)

    def start(_number: int) -> None:
        at_once.wait()
        open_database(url).dispose()

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(start, range(6)))

    assert difference(engine) == []


def test_facts_are_of_one_version_only(engine: Engine) -> None:
    book = SqlChecksums(engine)
    book.put("a", "v1", FACTS)

    assert book.get("a", "v2") == NOTHING_KNOWN
    assert book.get_many([("a", "v2"), ("b", "v1")]) == {}
    assert book.get_many([("a", "v1")]) == {"a": FACTS}


def test_a_replacement_keeps_the_version_it_replaces_until_the_next(engine: Engine) -> None:
    book = SqlChecksums(engine)
    book.put("a", "v1", FACTS)
    book.put("a", "v2", FACTS, replaces="v1")
    book.put("a", "v3", FACTS, replaces="v2")
    fresh = SqlChecksums(engine)

    assert [fresh.get("a", f"v{n}") for n in (1, 2, 3)] == [NOTHING_KNOWN, FACTS, FACTS]


def test_a_selection_is_kept_until_it_expires(engine: Engine) -> None:
    selections = Selections(engine)

    kept, _ = selections.add("spec", 60)
    expired, _ = selections.add("spec", -1)

    assert selections.get(kept) == "spec"
    with pytest.raises(NotFound):
        selections.get(expired)


def test_an_absent_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtra, match=r"penstock\[postgres\]"):
        open_database("postgresql+psycopg://localhost/x")


@pytest.mark.parametrize("unknown", ["nonsense", "mysql://host/db", "file:///x"])
def test_an_unknown_database_is_named(unknown: str) -> None:
    with pytest.raises(BadRequest, match="sqlite:///"):
        open_database(unknown)


def test_no_password_is_shown_wherever_it_stands() -> None:
    told = shown("postgresql+psycopg://ann:secret@host/base?password=secret&sslpassword=secret")

    assert told == "postgresql+psycopg://ann:***@host/base"
