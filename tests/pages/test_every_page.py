"""What holds for all pages: for every eye, hand and screen, and nothing but this server."""

import asyncio
import re
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Expect, Page

from tests.eventually import eventually
from tests.pages.entering import GUARDED, as_operator, logged_in
from tests.pages.visiting import OpenVisit, Visit
from tests.serving import RunningNode, RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scheme = Literal["light", "dark"]

SECRET = "only-for-the-nodes-of-these-tests"
LOOKS: list[tuple[int, Scheme, list[str] | None]] = [
    (360, "dark", None),
    (1280, "light", None),
    (1280, "dark", ["color-contrast"]),  # the other rules do not go by colours
]
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG_AGO = re.compile(r"([7-9]|\d\d) s ago")
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4')].map((one) => Number(one.tagName[1]))"

expect = Expect()
expect.set_options(timeout=30_000)  # of a busy machine


class Shown(NamedTuple):
    """A page, and what is there when it is done."""

    title: str
    nav: str | None
    done: str
    """A selector."""


PAGES = {
    "/": Shown("Files", "Files", '#listing[aria-busy="false"]'),
    "/dashboard": Shown("Jobs", "Jobs", ".lane"),
    "/nodes": Shown("Nodes", "Nodes", ".node"),
    "/monitor": Shown("Memory monitor", "Monitor", ".u-legend"),
    "/streaming.html": Shown("Streaming ZIP test", None, "#way:not(:empty)"),
    "/access": Shown("Access", "Access", '#tokens-list[aria-busy="false"]'),
    "/access#shares": Shown("Share links", "Access", '#shares-list[aria-busy="false"]'),
    "/access#audit": Shown("Audit log", "Access", '#audit-list[aria-busy="false"]'),
    "/docs": Shown("HTTP interface", "API", ".opblock"),
}
OURS = [path for path in PAGES if path != "/docs"]
"""What is not made by Swagger UI."""
NAV = ["Files", "Jobs", "Nodes", "Monitor", "Access", "API"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway that asks who comes."""
    folder = tmp_path_factory.mktemp("gateway")
    settings = {"store": "cluster://", "cluster_secret": SECRET, "cluster_dead_after": 2.0}
    running = RunningServer(folder / "data", **GUARDED, **settings)
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def nodes(server: RunningServer) -> Iterator[list[RunningNode]]:
    """Two live nodes of it."""
    folder = server.data.parent
    running = [
        RunningNode(folder / f"node{number}", locator=server.url, secret=SECRET)
        for number in range(2)
    ]
    yield running
    for node in running:
        node.kill()


@pytest.fixture(scope="module")
def operator(server: RunningServer) -> dict[str, Any]:
    """The login of the operator."""
    return logged_in(server.url)


@pytest.fixture
def entered(visiting: OpenVisit, nodes: list[RunningNode], operator: dict[str, Any]) -> OpenVisit:
    """Opens tabs that are logged in as the operator."""
    return partial(visiting, storage_state=operator)


async def show(visit: Visit, path: str) -> Page:
    """Open a page and wait until it is done."""
    await visit.page.goto("about:blank")  # another fragment alone would load nothing
    await visit.page.goto(f"{visit.url}{path}")
    await expect(visit.page.locator(PAGES[path].done).first).to_be_visible()
    return visit.page


async def test_axe_finds_nothing_wrong_and_nothing_sticks_out(entered: OpenVisit) -> None:
    visit = await entered(reduced_motion="reduce")  # colours change at once

    for path in OURS:
        page = await show(visit, path)
        for width, scheme, rules in LOOKS:
            await page.set_viewport_size({"width": width, "height": 900})
            await page.emulate_media(color_scheme=scheme)
            assert await visit.axe(rules=rules) == [], (path, width, scheme)
            assert await page.evaluate(OVER) == 0, (path, width)

    assert visit.complaints == []


async def test_pages_say_what_they_are_and_ask_nobody_else(entered: OpenVisit) -> None:
    visit = await entered()

    descriptions = set()
    for path, shown in PAGES.items():
        page = await show(visit, path)
        assert await page.title() == f"{shown.title} · Penstock"
        assert await page.locator("html").get_attribute("lang") == "en"
        description = page.locator("meta[name=description]")
        descriptions.add(await description.get_attribute("content"))
        current = page.locator(".site-nav [aria-current=page]")
        assert await current.all_inner_texts() == ([shown.nav] if shown.nav else [])
        if path == "/docs":
            continue  # Swagger UI's own
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await expect(page.get_by_role("main")).to_have_count(1)
        await expect(page.get_by_role("banner")).to_have_count(1)
        await expect(page.get_by_role("contentinfo")).to_have_count(1)
        levels = await page.evaluate(HEADINGS)
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))

    assert len(descriptions) == len({path.partition("#")[0] for path in PAGES})
    hosts = {urlsplit(url).netloc for url in visit.requested if url.startswith("http")}
    assert hosts == {urlsplit(visit.server.url).netloc}
    assert visit.complaints == []


async def test_the_keyboard_reaches_everything_in_the_masthead(entered: OpenVisit) -> None:
    visit = await entered(width=360, height=740)
    page = await show(visit, "/nodes")

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the nodes")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Penstock, all files")).to_be_focused()
    for name in NAV:
        await page.keyboard.press("Tab")
        link = page.get_by_role("link", name=name, exact=True)
        await expect(link).to_be_focused()
        await expect(link).to_be_in_viewport()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Log out")).to_be_focused()

    await page.get_by_role("link", name="Monitor", exact=True).press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Memory monitor")


async def test_the_masthead_is_there_before_any_script_runs(entered: OpenVisit) -> None:
    visit = await entered(java_script_enabled=False)

    await visit.page.goto(f"{visit.url}/nodes")

    assert await visit.page.locator(".site-nav a").all_inner_texts() == NAV
    await expect(visit.page.locator(".user-name")).to_contain_text("admin")


async def test_a_page_is_not_sent_again_to_who_has_it(entered: OpenVisit) -> None:
    visit = await entered()
    page = visit.page
    first = await page.request.get(f"{visit.url}/monitor")

    again = await page.request.get(
        f"{visit.url}/monitor", headers={"If-None-Match": first.headers["etag"]}
    )

    assert (first.status, again.status, await again.body()) == (200, 304, b"")
    assert again.headers["cache-control"] == "private, no-cache"


async def test_a_node_is_emptied_taken_back_and_verified(
    entered: OpenVisit, nodes: list[RunningNode]
) -> None:
    visit = await entered()
    page = await show(visit, "/nodes")
    address = nodes[0].address
    card = page.locator(".node").filter(has=page.get_by_role("heading", name=address))
    await expect(page.locator(".node")).to_have_count(2)
    await expect(card.locator(".badge")).to_have_text("Live")
    await expect(page.locator('[data-name="Live nodes"]')).to_contain_text("2 of 2")

    await page.get_by_role("button", name=f"Drain {address}", exact=True).click()
    await page.get_by_role("button", name="Leave it").click()
    await expect(card.locator(".badge")).to_have_text("Live")
    await page.get_by_role("button", name=f"Drain {address}", exact=True).click()
    await page.get_by_role("button", name="Drain the node").click()
    await expect(card.locator(".badge")).to_have_text("Draining")

    await page.get_by_role("button", name=f"Stop draining {address}").click()
    await expect(card.locator(".badge")).to_have_text("Live")
    await page.get_by_role("button", name=f"Scrub {address}").click()
    await expect(
        page.locator(".notice", has_text=f"{address} is read and verified now")
    ).to_be_visible()
    await page.get_by_role("button", name=f"Remove {address}").click()
    await page.get_by_role("button", name="Remove the node").click()
    await expect(page.locator(".notice", has_text="The node could not be removed")).to_be_visible()
    await expect(page.locator(".node")).to_have_count(2)


async def test_a_node_that_dies_is_seen_and_can_be_removed(
    entered: OpenVisit, server: RunningServer, nodes: list[RunningNode]
) -> None:
    visit = await entered()
    page = await show(visit, "/nodes")
    third = await asyncio.to_thread(
        RunningNode, server.data.parent / "third", locator=server.url, secret=SECRET
    )
    card = page.locator(".node").filter(has=page.get_by_role("heading", name=third.address))
    await expect(card.locator(".badge")).to_have_text("Live")

    await asyncio.to_thread(third.kill)
    await expect(card.locator(".badge")).to_have_text("Dead")
    await expect(card.get_by_role("button", name="Scrub")).to_have_count(0)
    # A node that was heard of some seconds ago is not removed.
    await expect(card.locator('[data-name="Heard of"]')).to_contain_text(LONG_AGO)
    await page.get_by_role("button", name=f"Remove {third.address}").click()
    await page.get_by_role("button", name="Remove the node").click()

    await expect(page.locator(".notice", has_text=f"{third.address} is removed")).to_be_visible()
    await expect(card).to_have_count(0)
    left = await asyncio.to_thread(as_operator, server.url, "GET", "/v1/nodes")
    assert third.address.encode() not in left


async def test_the_page_of_nodes_asks_nothing_while_nobody_looks(entered: OpenVisit) -> None:
    visit = await entered()
    await visit.page.clock.install()
    page = await show(visit, "/nodes")

    await page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {configurable: true, get: () => window.away});
            window.away = true;
            document.dispatchEvent(new Event("visibilitychange"));
        }"""
    )
    asked = await asked_so_far(visit)
    await page.clock.run_for(60_000)
    assert await asked_so_far(visit) == asked

    await page.evaluate(
        "() => { window.away = false; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    assert await eventually(lambda: polls(visit) > asked, 30)


def polls(visit: Visit) -> int:
    return len([url for url in visit.requested if url.endswith("/v1/nodes")])


async def asked_so_far(visit: Visit) -> int:
    """How often the page has asked, once all that it asked before now is known here too."""
    async with visit.page.expect_request("**/v1/server?last"):
        await visit.page.evaluate("fetch('/v1/server?last').then(() => null)")
    return polls(visit)
