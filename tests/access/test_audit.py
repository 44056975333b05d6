"""The audit log: batches, bounds, and what is kept."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from penstock.access import Grant
from penstock.access.audit import Audit
from penstock.catalog import GroupCommit, open_database
from penstock.catalog.access import AuditBook, AuditRow

WHO = Grant("token:x", "a name", frozenset())


class Book:
    """Keeps lines in memory, and can be away."""

    def __init__(self) -> None:
        self.rows: list[AuditRow] = []
        self.batches: list[int] = []
        self.is_away = False
        self.gate: asyncio.Event | None = None
        """What a write waits for."""

    async def add(self, lines: Sequence[AuditRow]) -> None:
        if self.is_away:
            raise ConnectionError
        if self.gate is not None:
            await self.gate.wait()
        self.batches.append(len(lines))
        self.rows += lines

    async def page(self, limit: int, *_: object) -> list[AuditRow]:
        return self.rows[::-1][:limit]


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def audit(book: Book, clock: Clock) -> Audit:
    return Audit(cast("AuditBook", book), 60.0, clock)


async def test_what_is_noted_is_written_on_return(audit: Audit, book: Book) -> None:
    await audit.note("login", "", WHO, status=303, remote="192.0.2.1", request_id="r")

    assert book.rows == [
        AuditRow(0, 1000.0, "token:x", "a name", "login", "", 303, "192.0.2.1", "r")
    ]


async def test_other_lines_are_written_together(audit: Audit, book: Book) -> None:
    for number in range(1200):
        audit.add("file.put", str(number), WHO)
    assert book.rows == []

    await audit.flush()

    assert book.batches == [500, 500, 200]
    assert [row.subject for row in book.rows] == [str(number) for number in range(1200)]


async def test_a_page_has_what_was_just_added(audit: Audit) -> None:
    audit.add("file.put", "a.txt", WHO)

    assert [row.subject for row in await audit.page(10)] == ["a.txt"]


async def test_while_the_catalog_is_away_lines_wait_but_not_more_than_10_000(
    audit: Audit, book: Book, caplog: pytest.LogCaptureFixture
) -> None:
    book.is_away = True
    for number in range(10_050):
        audit.add("file.put", str(number), WHO)
    with pytest.raises(ConnectionError):
        await audit.flush()
    book.is_away = False

    await audit.flush()

    assert len(book.rows) == 10_000
    assert [row.subject for row in book.rows[:3]] == ["0", "1", "2"]
    assert "50 lost" in caplog.text


async def test_a_flood_of_refusals_is_two_lines(audit: Audit, book: Book, clock: Clock) -> None:
    for _ in range(5000):
        audit.refused("access.denied", "PUT /v1/files/a", WHO, status=403, remote="192.0.2.1")
    clock.now += 61
    audit.refused("access.denied", "GET /v1/files/b", WHO, status=403, remote="192.0.2.1")
    await audit.flush()

    assert [row.subject for row in book.rows] == [
        "PUT /v1/files/a",
        "4999 more requests within 60 seconds",
        "GET /v1/files/b",
    ]


async def test_so_is_one_from_everywhere(audit: Audit, book: Book, clock: Clock) -> None:
    for number in range(5000):
        audit.refused("login.failed", "GET /", WHO, status=401, remote=f"192.0.2.{number}")
    clock.now += 61
    audit.refused("login.failed", "GET /", WHO, status=401, remote="192.0.2.1")
    await audit.flush()

    assert len(book.rows) == 258
    assert book.rows[-2].subject == "4744 more requests within 60 seconds"


async def test_every_database_can_keep_what_is_noted(audit: Audit, book: Book) -> None:
    audit.add("file.put", "a\0b\udc80" + "x" * 5000, WHO)
    await audit.flush()

    subject = book.rows[0].subject
    assert subject.startswith("a\ufffdb?xxx")
    assert len(subject) == 1024
    assert subject.endswith("…")


async def test_nothing_is_noted_where_nothing_is_kept(book: Book) -> None:
    audit = Audit(cast("AuditBook", book), 0.0)

    await audit.note("login", "", WHO)
    audit.add("file.put", "a", WHO)
    audit.refused("access.denied", "GET /", WHO, status=403)
    await audit.flush()

    assert book.rows == []


async def test_lines_that_are_being_written_are_in_the_next_page(audit: Audit, book: Book) -> None:
    book.gate = asyncio.Event()
    audit.add("file.put", "a", WHO)
    writing = asyncio.create_task(audit.flush())
    await asyncio.sleep(0)
    reading = asyncio.create_task(audit.page(10))
    await asyncio.sleep(0)
    book.gate.set()

    assert [line.subject for line in await reading] == ["a"]
    await writing


async def test_who_leaves_while_lines_are_written_has_none_written_twice(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(open_database, f"sqlite:///{tmp_path}/catalog.sqlite")
    commits = GroupCommit(engine)
    audit = Audit(AuditBook(engine, commits), 60.0)
    audit.add("file.put", "a", WHO)

    reading = asyncio.create_task(audit.page(10))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    found = await audit.page(10)

    await commits.close()
    await asyncio.to_thread(engine.dispose)
    assert reading.cancelled()
    assert [line.subject for line in found] == ["a"]
