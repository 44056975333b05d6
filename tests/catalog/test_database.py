"""The catalog's schema and migrations."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import penstock.catalog
from penstock.catalog import SqlChecksums, open_database
from penstock.catalog.database import HEAD
from penstock.catalog.schema import metadata
from penstock.errors import BadRequest
from penstock.stores import Checksum, Facts

FACTS = Facts(Checksum(b"s" * 32, 0xFFFFFFFF), "text/plain")


def test_the_migrations_make_the_schema_of_the_code(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/catalog.sqlite")

    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)

    assert difference == []


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    folder = Path(penstock.catalog.__file__).with_name("migrations")

    assert ScriptDirectory(str(folder)).get_current_head() == HEAD


def test_an_existing_catalog_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/catalog.sqlite"
    SqlChecksums(open_database(url)).put("a", "v1", FACTS)

    assert SqlChecksums(open_database(url)).get("a", "v1") == FACTS


def test_facts_are_of_one_version_only(tmp_path: Path) -> None:
    book = SqlChecksums(open_database(f"sqlite:///{tmp_path}/c.sqlite"))
    book.put("a", "v1", FACTS)

    assert book.get("a", "v2") is None
    assert book.get_many([("a", "v2"), ("b", "v1")]) == {}
    assert book.get_many([("a", "v1")]) == {"a": FACTS}


def test_a_replacement_keeps_the_version_it_replaces_until_the_next(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/c.sqlite"
    book = SqlChecksums(open_database(url))
    book.put("a", "v1", FACTS)
    book.put("a", "v2", FACTS, replaces="v1")
    book.put("a", "v3", FACTS, replaces="v2")
    fresh = SqlChecksums(open_database(url))

    assert [fresh.get("a", f"v{n}") for n in (1, 2, 3)] == [None, FACTS, FACTS]


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "file:///x"])
def test_an_unknown_database_is_named(url: str) -> None:
    with pytest.raises(BadRequest, match="sqlite:///"):
        open_database(url)
