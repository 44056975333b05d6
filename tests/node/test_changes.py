"""Changes that come at the same time share what they cost, and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from penstock.catalog import open_database, sqlite_url
from penstock.node.book import Book
from penstock.node.changes import Change, Changes
from penstock.stores.interface import FileInfo


@dataclass
class Bench:
    """Changes of a folder, and how many transactions they took."""

    folder: Path
    changes: Changes
    book: Book
    engine: Engine
    commits: list[int] = field(default_factory=list)

    def put(self, name: str, data: bytes) -> Change:
        """A finished file that is to be at ``name``."""
        temporary = f"{len(os.listdir(self.folder / 'incoming'))}-{name}"
        (self.folder / "incoming" / temporary).write_bytes(data)
        info = FileInfo(name, len(data), 0, f"{data!r}", crc32=len(data))
        return Change(name, temporary, info)

    @property
    def files(self) -> dict[str, bytes]:
        folder = self.folder / "files"
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def opened(folder: Path) -> tuple[Engine, list[int]]:
    folders = []
    for name in ("files", "incoming"):
        (folder / name).mkdir()
        folders.append(os.open(folder / name, os.O_RDONLY | os.O_DIRECTORY))
    return open_database(sqlite_url(folder / "catalog.sqlite")), folders


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    engine, (files, incoming) = await asyncio.to_thread(opened, tmp_path)
    book = Book(engine)
    made = Bench(tmp_path, Changes(files, incoming, book), book, engine)
    event.listen(engine, "commit", lambda _: made.commits.append(1))
    yield made
    await made.changes.close()
    os.close(files)
    os.close(incoming)
    await asyncio.to_thread(engine.dispose)


async def test_changes_at_the_same_time_share_a_transaction(bench: Bench) -> None:
    wanted = {f"part-{number}": bytes(number) for number in range(50)}
    changes = [bench.put(name, data) for name, data in wanted.items()]

    await asyncio.gather(*map(bench.changes.make, changes))

    assert bench.files == wanted
    assert bench.changes.used == sum(map(len, wanted.values()))
    assert len(bench.commits) <= 2
    known = await asyncio.to_thread(
        bench.book.get_many, [(name, f"{data!r}") for name, data in wanted.items()]
    )
    assert {name: facts.crc32 for name, facts in known.items()} == {
        name: len(data) for name, data in wanted.items()
    }


async def test_changes_of_one_name_are_made_in_their_order(bench: Bench) -> None:
    changes = [
        bench.put("part-1", b"first"),
        bench.put("part-2", b"other"),
        Change("part-1"),
        bench.put("part-1", b"last one"),
        Change("part-2"),
    ]

    await asyncio.gather(*map(bench.changes.make, changes))

    assert bench.files == {"part-1": b"last one"}
    assert bench.changes.used == len(b"last one")
    facts = await asyncio.to_thread(bench.book.get, "part-1", f"{b'last one'!r}")
    assert facts.crc32 == len(b"last one")


async def test_a_change_that_fails_harms_no_other(bench: Bench) -> None:
    (bench.folder / "files" / "folder").mkdir()
    changes = [
        bench.put("part-1", b"one"),
        bench.put("folder", b"in the way"),
        Change("folder"),
        bench.put("part-2", b"two"),
    ]

    results = await asyncio.gather(*map(bench.changes.make, changes), return_exceptions=True)

    assert [isinstance(result, OSError) for result in results] == [False, True, True, False]
    assert bench.files == {"part-1": b"one", "part-2": b"two"}
    assert bench.changes.used == 6


async def test_what_appeared_is_there_whatever_becomes_of_what_is_removed(bench: Bench) -> None:
    await bench.changes.make(bench.put("part-1", b"one"))
    with bench.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE DELETE ON checksums BEGIN SELECT RAISE(FAIL, 'no'); END"
        )

    # The first one does not wait for others, so the other two go together.
    changes = [Change("part-0"), Change("part-1"), bench.put("part-2", b"two")]
    results = await asyncio.gather(*map(bench.changes.make, changes), return_exceptions=True)

    assert [isinstance(result, Exception) for result in results] == [False, True, False]
    assert bench.files == {"part-2": b"two"}
    assert bench.changes.used == 3


async def test_a_version_that_the_catalog_refuses_harms_no_other(bench: Bench) -> None:
    bad = bench.put("part-1", b"one")
    assert bad.info is not None
    bad = Change(bad.name, bad.temporary, bad.info._replace(etag=None))  # type: ignore[arg-type]

    results = await asyncio.gather(
        *map(bench.changes.make, [bad, bench.put("part-2", b"two"), Change("part-3")]),
        return_exceptions=True,
    )

    assert [isinstance(result, Exception) for result in results] == [True, False, False]
    assert bench.files == {"part-2": b"two"}
    assert bench.changes.used == 3
