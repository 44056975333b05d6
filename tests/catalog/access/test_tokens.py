"""Tokens in the catalog, on each kind of database."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, insert, select

from penstock.catalog import GroupCommit, open_database
from penstock.catalog.access import SessionBook, SessionRow, TokenBook, TokenRow
from penstock.catalog.schema import shares


def row(identity: str, **other: Any) -> TokenRow:
    made = TokenRow(
        identity, b"digest", "a name", "admin", "", 1000.0, None, None, None, None, "me"
    )
    return made._replace(**other)


@pytest.fixture
def book(engine: Engine, commits: GroupCommit) -> TokenBook:
    return TokenBook(engine, commits)


async def test_a_token_is_found_as_it_was_added(book: TokenBook) -> None:
    added = row("a", scopes="read write", prefix="x/", expires=5.5, request_rate=0.5, byte_rate=9)
    await book.add(added)

    assert await book.get("a") == added
    assert await book.get("b") is None


async def test_what_can_be_no_id_is_not_looked_for(book: TokenBook) -> None:
    for identity in ("", "a\0", "\udc80", "a" * 100):
        assert await book.get(identity) is None
        assert not await book.remove(identity, "token:a")


async def test_the_newest_come_first(book: TokenBook) -> None:
    for number in range(3):
        await book.add(row(f"t{number}", created=float(number)))

    assert [token.id for token in await book.all()] == ["t2", "t1", "t0"]


async def test_the_first_is_added_once(book: TokenBook) -> None:
    assert await book.add_first(row("a"), "admin")
    assert not await book.add_first(row("b"), "admin")


@pytest.mark.parametrize(
    "there",
    [
        row("other", scopes="read write archive"),
        row("other", prefix="x/"),
        row("other", expires=999.0),
        row("other", scopes="administrator"),
    ],
    ids=["of another scope", "of a folder", "expired", "of a longer word"],
)
async def test_one_that_is_not_good_for_everything_is_not_the_first(
    book: TokenBook, there: TokenRow
) -> None:
    await book.add(there)

    assert await book.add_first(row("first"), "admin")


async def test_of_processes_that_start_together_one_adds_the_first(url: str) -> None:
    engines = [await asyncio.to_thread(open_database, url) for _ in range(4)]
    commits = [GroupCommit(engine) for engine in engines]
    books = [TokenBook(*each) for each in zip(engines, commits, strict=True)]

    added = await asyncio.gather(
        *(book.add_first(row(f"t{n}"), "admin") for n, book in enumerate(books))
    )

    assert sorted(added) == [False, False, False, True]
    assert len(await books[0].all()) == 1
    for each in commits:
        await each.close()
    for engine in engines:
        await asyncio.to_thread(engine.dispose)


def _adding_share(maker: str) -> Callable[[Connection], object]:
    share = {
        "id": f"share {maker}", "kind": "download", "title": "", "spec": "{}",
        "maker": f"token:{maker}", "prefix": "", "created": 0.0, "count": 0, "bytes": 0,
    }  # fmt: skip
    return lambda connection: connection.execute(insert(shares), share)


async def test_with_a_token_its_logins_and_shares_are_removed(
    engine: Engine, commits: GroupCommit, book: TokenBook
) -> None:
    sessions = SessionBook(engine, commits)
    for name in ("a", "b"):
        await book.add(row(name))
        await sessions.add(SessionRow(f"login {name}".encode(), name, 0.0, 2000.0))
        await commits.run(_adding_share(name))

    assert await book.remove("a", "token:a")

    assert not await book.remove("a", "token:a")
    assert await sessions.find([b"login a"], 1000.0) is None
    assert await sessions.find([b"login b"], 1000.0) is not None
    left = await commits.run(lambda connection: list(connection.scalars(select(shares.c.id))))
    assert left == ["share b"]


async def test_it_is_written_down_when_tokens_were_used(book: TokenBook) -> None:
    await book.add(row("a"))
    await book.add(row("b"))

    await book.were_used({"b": 12.5, "gone": 13.0})

    assert {token.id: token.used for token in await book.all()} == {"a": None, "b": 12.5}


async def test_a_login_ends_when_its_time_is_over(engine: Engine, commits: GroupCommit) -> None:
    sessions = SessionBook(engine, commits)
    await sessions.add(SessionRow(b"one", "", 0.0, 10.0))

    assert await sessions.find([b"none", b"one"], 9.0) is not None
    assert await sessions.find([b"one"], 10.0) is None
    await sessions.sweep(10.0)
    assert await sessions.find([b"one"], 9.0) is None
