"""The audit log in the catalog, on each kind of database."""

import pytest
from sqlalchemy import Engine

from penstock.catalog import GroupCommit
from penstock.catalog.access import AuditBook, AuditRow, KeyBook


def line(action: str, time: float = 0.0, actor: str = "login") -> AuditRow:
    return AuditRow(0, time, actor, "", action, "a.txt", 200, "192.0.2.1", "id")


@pytest.fixture
def book(engine: Engine, commits: GroupCommit) -> AuditBook:
    return AuditBook(engine, commits)


async def test_pages_go_back_from_the_newest_line(book: AuditBook) -> None:
    await book.add([line(f"a{number}") for number in range(5)])

    first = await book.page(2)
    second = await book.page(2, first[-1].sequence)
    third = await book.page(2, second[-1].sequence)

    assert [row.action for row in first + second + third] == ["a4", "a3", "a2", "a1", "a0"]


async def test_lines_of_one_action_are_found_by_its_first_words(book: AuditBook) -> None:
    await book.add([line("token.add"), line("tokens"), line("token"), line("login")])

    assert [row.action for row in await book.page(9, action="token")] == ["token", "token.add"]
    assert [row.action for row in await book.page(9, action="token.add")] == ["token.add"]
    assert await book.page(9, action="%") == []


async def test_lines_of_one_actor_are_found(book: AuditBook) -> None:
    await book.add([line("a", actor="token:x"), line("b")])

    assert [row.action for row in await book.page(9, actor="token:x")] == ["a"]


async def test_old_lines_are_removed(book: AuditBook) -> None:
    await book.add([line("old", 9.0), line("new", 10.0)])

    assert await book.sweep(10.0) == 1
    assert [row.action for row in await book.page(9)] == ["new"]


async def test_a_key_is_made_once(engine: Engine, commits: GroupCommit) -> None:
    made = await KeyBook(engine, commits).get("shares")

    assert len(made) == 32
    assert await KeyBook(engine, commits).get("shares") == made
    assert await KeyBook(engine, commits).get("others") != made
