"""The login, what a login may see, and the page that gives access to others."""

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Expect

from tests.eventually import eventually
from tests.pages.entering import GUARDED, as_operator, log_in, logged_in, new_token
from tests.pages.line import Line
from tests.pages.visiting import OpenVisit, made
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

expect = Expect()
expect.set_options(timeout=30_000)  # of a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that asks who comes."""
    running = RunningServer(tmp_path_factory.mktemp("guarded") / "data", **GUARDED)
    for name in ("press/2026/release.txt", "press/2026/pictures/a.jpg", "secret.txt"):
        path = running.data / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of the tests")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def operator(server: RunningServer) -> dict[str, Any]:
    """The login of the operator."""
    return logged_in(server.url)


async def token(server: RunningServer, *scopes: str, **wish: Any) -> str:
    made = await asyncio.to_thread(partial(new_token, server.url, *scopes, **wish))
    return str(made["token"])


async def test_a_login_leads_back_to_where_one_was(
    visiting: OpenVisit, server: RunningServer
) -> None:
    visit = await visiting()
    page = visit.page
    await page.goto(f"{server.url}/?prefix=press/#here")
    await expect(page).to_have_title("Log in · Penstock")
    field = page.get_by_label("Token or password")
    await expect(field).to_be_focused()

    await field.fill("a wrong one")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("is not known")
    assert await visit.axe() == []
    await field.fill(await token(server, "read", name="Press office"))
    await page.get_by_role("button", name="Show what is typed").click()
    await expect(field).to_have_attribute("type", "text")
    await page.get_by_role("button", name="Log in").click()

    await visit.lists("2026")
    assert page.url == f"{server.url}/?prefix=press/#here"
    await expect(page.locator(".user-name")).to_have_text("Logged in as Press office")
    await page.get_by_role("button", name="Log out").click()
    await expect(page).to_have_title("Log in · Penstock")
    await page.goto(f"{server.url}/")
    await expect(page).to_have_title("Log in · Penstock")


async def test_the_login_needs_no_script(visiting: OpenVisit, server: RunningServer) -> None:
    visit = await visiting(java_script_enabled=False)

    await log_in(visit.page, server.url, await token(server, "read"), "/streaming.html")

    assert urlsplit(visit.page.url).path == "/streaming.html"


async def test_a_login_sees_what_it_is_good_for(visiting: OpenVisit, server: RunningServer) -> None:
    visit = await visiting()
    bound = await token(server, "read", prefix="press/2026/")

    await log_in(visit.page, server.url, bound)

    await visit.lists("pictures", "release.txt")
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("2026")
    await expect(visit.page.locator("#crumbs")).to_be_hidden()
    assert await visit.page.locator(".site-nav a").all_inner_texts() == ["Files", "API"]
    await expect(visit.page.get_by_role("button", name="Add files")).to_be_hidden()
    await expect(visit.page.get_by_text("Read only")).to_be_visible()
    await visit.tick("release.txt")
    await expect(visit.page.get_by_role("button", name="Delete")).to_be_hidden()
    await visit.page.get_by_role("link", name="pictures").click()
    await visit.lists("a.jpg")
    crumbs = visit.page.locator("#crumbs a")
    await expect(crumbs).to_have_text(["2026"])
    assert visit.complaints[1:] == []  # after the 401 that the login came with

    await visit.page.goto(f"{server.url}/access")
    await expect(visit.page.get_by_role("alert")).to_contain_text("scope admin")


async def test_uploads_outlive_a_login_that_ends(
    visiting: OpenVisit, server: RunningServer, line: Line, tmp_path: Path
) -> None:
    visit = await visiting(url=line.url)
    made_token = await asyncio.to_thread(new_token, server.url, "read", "write")
    page = visit.page
    await log_in(page, line.url, made_token["token"])
    await visit.shown()
    local = made(tmp_path, {"first.bin": bytes(2_000_000)})
    line.hold_after(400_000)
    await visit.add_files(local / "first.bin")
    assert await eventually(lambda: line.held, 30)

    await as_removed(server, str(made_token["id"]))
    line.cut()
    line.release()

    await expect(page.locator(".notice", has_text="Your login has ended")).to_be_visible()
    await expect(visit.upload("first.bin")).to_contain_text("Paused")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Log in in another tab").click()
    other = await opened.value
    secret = await token(server, "read", "write")
    await other.get_by_label("Token or password").fill(secret)
    await other.get_by_role("button", name="Log in").click()
    await other.wait_for_selector(".user-name")
    await visit.press("Resume", "first.bin")
    await visit.uploaded(1)

    stored = server.data / "files" / "first.bin"
    assert await asyncio.to_thread(stored.read_bytes) == bytes(2_000_000)


async def as_removed(server: RunningServer, identity: str) -> None:
    await asyncio.to_thread(as_operator, server.url, "DELETE", f"/v1/tokens/{identity}")


async def test_who_only_looks_is_led_to_the_login(
    visiting: OpenVisit, server: RunningServer
) -> None:
    visit = await visiting()
    made_token = await asyncio.to_thread(new_token, server.url, "read")
    await log_in(visit.page, server.url, made_token["token"], "/?prefix=press/")
    await visit.lists("2026")

    await as_removed(server, str(made_token["id"]))
    await visit.page.get_by_role("link", name="2026").click()

    await expect(visit.page).to_have_title("Log in · Penstock")
    await expect(visit.page.locator("#next")).to_have_value("/?prefix=press/2026/")


async def test_a_token_that_is_made_works_until_it_is_removed(
    visiting: OpenVisit, server: RunningServer, operator: dict[str, Any]
) -> None:
    visit = await visiting(storage_state=operator)
    page = visit.page
    await page.goto(f"{server.url}/access")

    await page.get_by_role("button", name="Make a token").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Backup")
    await dialog.get_by_label("read").uncheck()
    await dialog.get_by_role("button", name="Make the token").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Choose at least one")
    await dialog.get_by_label("read").check()
    await dialog.get_by_label("Folder").fill("press/2026")
    await dialog.get_by_label("MB / s").fill("20")
    assert await visit.axe() == []
    await dialog.get_by_role("button", name="Make the token").click()
    text = await page.get_by_role("textbox", name="Token").input_value()
    assert await visit.axe() == []
    await page.get_by_role("button", name="Done").click()

    row = page.get_by_role("row").filter(has_text="Backup")
    await expect(row).to_contain_text("press/2026/")
    await expect(row).to_contain_text("20.0 MB/s")
    assert await reached(server, text, "press/2026/release.txt") == 200
    assert await reached(server, text, "secret.txt") == 403
    await row.get_by_role("button", name="Remove the token Backup").click()
    await page.get_by_role("button", name="Remove the token", exact=True).click()
    await expect(row).to_have_count(0)
    assert await reached(server, text, "press/2026/release.txt") == 401


async def reached(server: RunningServer, token: str, key: str) -> int:
    """The status of a download with this token."""

    def ask() -> int:
        url = f"{server.url}/v1/files/{key}"
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    return await asyncio.to_thread(ask)


async def test_share_links_are_listed_and_ended(
    visiting: OpenVisit, server: RunningServer, operator: dict[str, Any]
) -> None:
    wish = {"kind": "download", "keys": ["press/2026/release.txt"]}
    await asyncio.to_thread(as_operator, server.url, "POST", "/v1/shares", wish)
    visit = await visiting(storage_state=operator)
    page = visit.page
    await page.goto(f"{server.url}/access")
    await page.get_by_role("link", name="Share links").click()
    row = page.get_by_role("row").filter(has_text="release.txt")
    await expect(row).to_contain_text("0 downloads")
    assert await visit.axe() == []

    await row.get_by_role("button", name="Copy the link").click()
    await row.get_by_role("button", name="End the link").click()
    await page.get_by_role("button", name="End the link", exact=True).click()

    await expect(page.get_by_text("No share link")).to_be_visible()


async def test_the_audit_log_is_filtered_and_read_on(
    visiting: OpenVisit, server: RunningServer, operator: dict[str, Any]
) -> None:
    for number in range(55):
        await asyncio.to_thread(new_token, server.url, "read", name=f"audited {number}")
    visit = await visiting(storage_state=operator)
    page = visit.page
    await page.goto(f"{server.url}/access")
    await page.get_by_role("link", name="Audit log").click()
    rows = page.locator("#audit-list tbody tr")
    await expect(rows).to_have_count(50)

    await page.get_by_label("Action").fill("token.add")
    await page.get_by_role("button", name="Filter").click()
    await expect(rows.first).to_contain_text("audited 54")
    await page.get_by_role("button", name="Load more").click()
    await expect(rows.filter(has_text="audited 0")).to_have_count(1)
    await page.get_by_label("Actor").fill("token:nobody")
    await page.get_by_role("button", name="Filter").click()

    await expect(page.get_by_text("No such lines")).to_be_visible()


async def test_a_login_goes_nowhere_else(visiting: OpenVisit, server: RunningServer) -> None:
    visit = await visiting()

    await visit.page.goto(f"{server.url}/login?next=https://example.org/")
    await visit.page.get_by_label("Token or password").fill(await token(server, "read"))
    await visit.page.get_by_role("button", name="Log in").click()
    await visit.page.wait_for_selector(".user-name")

    await expect(visit.page).to_have_url(re.compile(rf"^{re.escape(server.url)}/$"))
