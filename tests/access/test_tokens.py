"""Tokens as the server asks for them."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from penstock.access import Access, AccessOptions, Grant, Scope, open_access
from penstock.access.recent import Recent
from penstock.access.tokens import Wish
from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.schema import sessions, tokens
from penstock.errors import BadRequest, NotFound


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    opened = await asyncio.to_thread(open_database, sqlite_url(tmp_path / "catalog.sqlite"))
    yield opened
    await asyncio.to_thread(opened.dispose)


Opens = Callable[..., Access]


@pytest.fixture
async def opens(engine: Engine) -> AsyncIterator[Opens]:
    """Opens access as each process of an installation does."""
    commits = GroupCommit(engine)

    def open_one(**options: Any) -> Access:
        chosen = {"is_on": True, "session_expiry": 60.0, "audit_keep": 60.0, **options}
        return open_access(engine, commits, AccessOptions(**chosen))

    yield open_one
    await commits.close()


@pytest.fixture
def access(opens: Opens) -> Access:
    return opens()


async def test_the_text_of_a_token_gives_its_grant(access: Access) -> None:
    wish = Wish("a name", ["write", "read"], "x/", request_rate=0.5, byte_rate=100)
    token, text = await access.tokens.add(wish, "login")

    assert re.fullmatch(r"pst_[a-z0-9]{12}_[A-Za-z0-9_-]{43}", text)
    assert token.maker == "login"
    assert await access.grant_of(text) == Grant(
        f"token:{token.id}", "a name", frozenset({Scope.READ, Scope.WRITE}), "x/",
        request_rate=0.5, byte_rate=100,
    )  # fmt: skip


async def test_any_other_text_gives_none(access: Access) -> None:
    _, text = await access.tokens.add(Wish("a", ["read"]), "login")
    last = "A" if text[-1] != "A" else "B"

    for wrong in ("", "pst_", text[:-1], text[:-1] + last, text + "A", text.upper(), "x" * 5000):
        assert await access.grant_of(wrong) is None
    for strange in ("pst_\0", "pst_\udc80", text + "\n", f" {text}"):
        assert await access.grant_of(strange) is None


async def test_the_catalog_does_not_have_the_text(access: Access, engine: Engine) -> None:
    token, text = await access.tokens.add(Wish("a", ["read"]), "login")
    cookie, _ = await access.sessions.begin(token)

    def kept() -> str:
        with engine.connect() as connection:
            return str([connection.execute(select(table)).all() for table in (tokens, sessions)])

    everything = await asyncio.to_thread(kept)
    assert token.id in everything
    assert text.rpartition("_")[2][:8] not in everything
    assert cookie not in everything


async def test_one_that_has_expired_is_none(
    access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, text = await access.tokens.add(Wish("a", ["read"], lifetime=50.0), "login")
    cookie, ends = await access.sessions.begin(token)
    assert await access.grant_of(text) is not None
    assert ends == token.expires

    monkeypatch.setattr(time, "time", lambda: ends)

    assert await access.grant_of(text) is None
    assert await access.tokens.find(text) is None
    assert await access.session_of(cookie, b"mark", "admin") is None
    assert [each.id for each in await access.tokens.all()] == [token.id]


async def test_a_removed_one_is_out_at_once_with_its_logins(access: Access) -> None:
    token, text = await access.tokens.add(Wish("a", ["read"]), "login")
    cookie, _ = await access.sessions.begin(token)
    assert await access.grant_of(text) is not None
    assert await access.session_of(cookie, b"mark", "admin") is not None

    await access.remove_token(token.id)

    assert await access.grant_of(text) is None
    assert await access.session_of(cookie, b"mark", "admin") is None
    with pytest.raises(NotFound):
        await access.remove_token(token.id)


async def test_a_removed_one_is_out_in_other_processes_soon(opens: Opens) -> None:
    here, there = opens(), opens()
    token, text = await here.tokens.add(Wish("a", ["read"]), "login")
    assert await there.grant_of(text) is not None

    await here.remove_token(token.id)

    until = time.monotonic() + 20
    while await there.grant_of(text) is not None:
        assert time.monotonic() < until
        await asyncio.sleep(0.1)


async def test_a_look_that_began_before_a_change_is_not_kept() -> None:
    recent, go_on = Recent(), asyncio.Event()
    old, new = (Grant(name, name, frozenset()) for name in ("old", "new"))

    async def slowly() -> Grant:
        await go_on.wait()
        return old

    async def quickly() -> Grant:
        return new

    first = asyncio.create_task(recent.find(b"x", slowly))
    await asyncio.sleep(0)
    recent.forget()
    assert await recent.find(b"x", quickly) is new
    go_on.set()

    assert await first is old
    assert recent.get(b"x") == (True, new)


async def test_who_ask_together_have_it_looked_up_once() -> None:
    recent, looks = Recent(), []

    async def look() -> None:
        looks.append(1)
        await asyncio.sleep(0)

    await asyncio.gather(*(recent.find(b"x", look) for _ in range(50)))

    assert len(looks) == 1


async def test_what_was_found_is_looked_up_again_after_two_seconds() -> None:
    now, looks = [100.0], []
    recent = Recent(lambda: now[0])

    async def look() -> None:
        looks.append(now[0])

    for now[0] in (100.0, 101.9, 102.1, 103.0):
        await recent.find(b"x", look)

    assert looks == [100.0, 102.1]


async def test_no_more_than_1024_are_remembered() -> None:
    recent = Recent()

    async def look() -> None:
        return None

    for number in range(1100):
        await recent.find(str(number).encode(), look)

    known = sum(recent.get(str(number).encode())[0] for number in range(1100))
    assert known == 1024


@pytest.mark.parametrize(
    "wish",
    [
        {"name": ""},
        {"name": " "},
        {"name": "a\nb"},
        {"name": "\udc80"},
        {"name": "x" * 201},
        {"scopes": []},
        {"scopes": ["read", "all"]},
        {"prefix": "x"},
        {"prefix": "/x/"},
        {"prefix": "../"},
        {"lifetime": 0.0},
        {"lifetime": float("inf")},
        {"lifetime": float("nan")},
        {"request_rate": 0.0},
        {"request_rate": float("nan")},
        {"byte_rate": 0},
        {"byte_rate": 1 << 60},
    ],
    ids=str,
)
def test_a_token_that_cannot_be_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        Wish(**{"name": "a", "scopes": ["read"], **wish})


async def test_an_operators_login_ends_with_the_password(access: Access) -> None:
    text, _ = await access.sessions.begin_operator(b"mark")

    found = await access.session_of(text, b"mark", "admin")
    assert found is not None
    assert (found.actor, found.name, found.scopes) == ("login", "admin", frozenset({Scope.ADMIN}))
    assert await access.session_of(text, b"another", "admin") is None


async def test_a_login_that_was_ended_is_good_for_nothing(opens: Opens) -> None:
    access = opens()
    text, _ = await access.sessions.begin_operator(b"mark")
    assert await access.session_of(text, b"mark", "admin") is not None

    await access.log_out(text, b"mark")

    assert await access.session_of(text, b"mark", "admin") is None
    assert await opens().session_of(text, b"mark", "admin") is None


async def test_keys_come_from_the_secret_if_there_is_one(opens: Opens) -> None:
    kept, derived = opens(), opens(secret="of all gateways")

    assert await kept.key("shares") == await opens().key("shares")
    assert await derived.key("shares") == await opens(secret="of all gateways").key("shares")
    keys = {
        await kept.key("shares"),
        await derived.key("shares"),
        await derived.key("others"),
        await opens(secret="another").key("shares"),
    }
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 4


async def test_others_may_know_tokens_of_their_own(access: Access) -> None:
    grant = Grant("share:x", "", frozenset({Scope.WRITE}))

    async def find(text: str) -> Grant | None:
        return grant if text == "shr_x" else None

    access.recognise("shr_", find)

    assert access.is_token("shr_y")
    assert await access.grant_of("shr_x") is grant
    assert await access.grant_of("shr_y") is None


async def test_it_is_written_down_when_a_token_was_used(access: Access) -> None:
    token, text = await access.tokens.add(Wish("a", ["read"]), "login")
    access.start()
    before = time.time()

    await access.grant_of(text)
    await access.close()

    found = await access.tokens.get(token.id)
    assert found is not None
    assert found.used is not None
    assert found.used >= before - 1
