"""The catalog of a cluster on each kind of database, as one or several processes have it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from sqlalchemy import Engine, Executable, delete

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog import schema as tables
from penstock.catalog.cluster import Copies, Doomed, Duties, Files, Nodes, Part, Removals, Stored
from penstock.stores.interface import ALWAYS, Condition, Facts, FileInfo

HOUR = 3600.0
FACTS = Facts(b"s" * 32, 0xFFFFFFFF, "text/plain")
TABLES = (
    tables.nodes,
    tables.cluster_files,
    tables.cluster_keys,
    tables.cluster_parts,
    tables.cluster_copies,
    tables.cluster_outbox,
    tables.cluster_duties,
)


class Catalog(NamedTuple):
    """The catalog as one process has it."""

    engine: Engine
    commits: GroupCommit
    files: Files
    nodes: Nodes
    removals: Removals
    copies: Copies
    duties: Duties

    async def execute(self, statement: Executable) -> list[Any]:
        """What no process does by itself, such as setting the clock."""

        def work() -> list[Any]:
            with self.engine.begin() as connection:
                result = connection.execute(statement)
                return list(result) if result.returns_rows else []

        return await asyncio.to_thread(work)

    async def begin(
        self, key: str = "a", *, nodes: Sequence[str] = ("n1", "n2"), parts: int = 2
    ) -> str:
        """A version of five bytes a part that is on its way."""
        file = str(uuid4())
        cuts = [Part(number, 5 * number - 5, 5, tuple(nodes)) for number in range(1, parts + 1)]
        await self.files.begin(file, key, 5 * parts, cuts, HOUR)
        return file

    async def commit(
        self,
        file: str,
        key: str = "a",
        *,
        nodes: Sequence[str] = ("n1", "n2"),
        parts: int = 2,
        condition: Condition = ALWAYS,
        grace: float = HOUR,
    ) -> tuple[FileInfo, bool]:
        """Let it be seen, with all its parts on all its nodes."""
        there = [Stored(number, number, bytes(4), tuple(nodes)) for number in range(1, parts + 1)]
        return await self.files.commit(file, key, 5 * parts, FACTS, condition, grace, there)

    async def put(self, key: str = "a", **kwargs: Any) -> str:
        """A version that is seen."""
        grace = kwargs.pop("grace", HOUR)
        file = await self.begin(key, **kwargs)
        await self.commit(file, key, grace=grace, **kwargs)
        return file

    async def removed(self, doomed: Doomed) -> bool:
        """Take down that all of it is gone from its nodes."""
        gone = await self.removals.copies(doomed.file, None, 100)
        return await self.removals.removed(doomed, gone)


OpenCatalog = Callable[[], Awaitable[Catalog]]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of database in turn."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "catalog.sqlite")
    # The same for all tests: a new one takes longer than most of them.
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A catalog without nodes and files."""
    opened = open_database(url)
    with opened.begin() as connection:
        for table in TABLES:
            connection.execute(delete(table))
    yield opened
    opened.dispose()


@pytest.fixture
async def open_catalog(engine: Engine) -> AsyncIterator[OpenCatalog]:
    """The same catalog as further processes have it."""
    opened: list[Catalog] = []

    async def open_one() -> Catalog:
        own = await asyncio.to_thread(
            open_database, engine.url.render_as_string(hide_password=False)
        )
        commits = GroupCommit(own)
        catalog = Catalog(
            own,
            commits,
            Files(own, commits),
            Nodes(own, commits, 30.0),
            Removals(own, commits),
            Copies(own, commits),
            Duties(own, commits),
        )
        opened.append(catalog)
        return catalog

    yield open_one
    for catalog in opened:
        await catalog.commits.close()
        await asyncio.to_thread(catalog.engine.dispose)


@pytest.fixture
async def catalog(open_catalog: OpenCatalog) -> Catalog:
    return await open_catalog()
