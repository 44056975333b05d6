"""Guessing passwords, tokens and links.

If one of these failed, somebody who tries long enough would have everything, or the tries
themselves would fill the catalog and keep the others waiting.
"""

import asyncio
import secrets
import time

import pytest

from tests.server.conftest import Api, StartApi
from tests.server.entering import FORM, basic, bearer, guarded, log_in, status_of, token_for
from tests.server.sharing import page_of, share


@pytest.fixture
async def guard(start_api: StartApi) -> Api:
    return await guarded(start_api)


async def refused_soon(api: Api, count: int, *, spoofed: bool) -> int:
    """How many of so many guesses at once are looked at within two seconds."""

    async def guess(number: int) -> int:
        headers = basic("admin", f"guess {number}")
        if spoofed:
            address = f"198.51.100.{number}"
            headers |= {"X-Forwarded-For": address, "X-Real-IP": address}
            headers |= {"Forwarded": f"for={address}"}
        return await status_of(api, "GET", "/v1/files", headers)

    tries = [asyncio.create_task(guess(number)) for number in range(count)]
    done, waiting = await asyncio.wait(tries, timeout=2.0)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    return sum(each.result() == 401 for each in done)


@pytest.mark.parametrize("spoofed", [False, True])
async def test_few_of_many_passwords_are_looked_at(guard: Api, spoofed: bool) -> None:
    """Fields that say where a request comes from are the guesser's to choose."""
    assert await refused_soon(guard, 60, spoofed=spoofed) < 30


async def test_every_door_counts_the_same_tries(guard: Api) -> None:
    """Who is refused at one is not let try at the next."""
    await refused_soon(guard, 30, spoofed=False)

    doors = [
        status_of(guard, "GET", "/v1/files", basic("admin", "more")),
        status_of(guard, "GET", "/dashboard", basic("admin", "more")),
        log_in(guard, "more"),
    ]
    tasks = [asyncio.ensure_future(door) for door in doors]
    done, waiting = await asyncio.wait(tasks, timeout=1.0)

    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    told = [each.result() for each in done]
    assert all(one == 429 or getattr(one, "status", one) == 429 for one in told)


async def test_tokens_that_nobody_has_cost_little_and_leave_little(guard: Api) -> None:
    """No slow hash, no row for each; and who has a token is served meanwhile."""
    good = await token_for(guard, "read")
    before = time.process_time()

    for number in range(300):
        wrong = f"pst_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
        assert await status_of(guard, "GET", "/v1/files", bearer(wrong)) == 401
        if number % 50 == 0:
            assert await status_of(guard, "GET", "/v1/files", bearer(good)) == 200

    assert time.process_time() - before < 10  # of a slow hash each would be 15 to 30
    audit = guard.services.access.audit
    assert audit is not None
    rows = await audit._book.page(1000)
    assert len([row for row in rows if row.action == "login.failed"]) <= 10


async def test_sessions_that_nobody_began_leave_nothing(guard: Api) -> None:
    for _ in range(100):
        cookie = {"Cookie": f"penstock_session={secrets.token_urlsafe(32)}"}
        assert await status_of(guard, "GET", "/v1/files", cookie) == 401

    assert (await log_in(guard, "pst_" + "a" * 56)).cookie == ""


async def test_a_cookie_of_ones_own_choice_is_not_taken(guard: Api) -> None:
    """Who plants a cookie in a browser would else be logged in with its user."""
    chosen = "A" * 43
    login = await log_in(
        guard, "of the operator", Cookie=f"penstock_session={chosen}", **{"Content-Type": FORM}
    )

    assert login.status == 303
    assert chosen not in login.cookie
    assert (
        await status_of(guard, "GET", "/v1/files", {"Cookie": f"penstock_session={chosen}"}) == 401
    )


async def test_links_that_nobody_made_are_all_the_same(api: Api) -> None:
    """Whether a share exists is not told to who has its id without its signature."""
    await api.put("a", b"x")
    page = page_of(await share(api, keys=["a"], password="pw"))
    identity, _, signature = page.removeprefix("/s/").partition(".")
    other = ("a" if identity[0] != "a" else "b") + identity[1:]
    flipped = ("a" if signature[0] != "a" else "b") + signature[1:]

    answers = set()
    for link in (
        f"{identity}.{flipped}",
        f"{other}.{signature}",
        f"{other}.{flipped}",
        f"{identity}.",
        f"{identity}",
        f"{identity}.{signature}a",
        f"{identity}.{signature[:-1]}",
    ):
        for path in (f"/s/{link}", f"/s/{link}/info", f"/s/{link}/file"):
            response, body = await api.call("GET", path)
            answers.add((path.rpartition("/")[2] in ("info", "file"), response.status))
            assert b"password" not in body.lower()

    assert {status for _, status in answers} == {404}
