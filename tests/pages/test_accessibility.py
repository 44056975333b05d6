"""For every eye, hand and screen: axe, narrow screens, less motion, no strangers."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.pages.visiting import OpenVisit, Stored, Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scheme = Literal["light", "dark"]

LONG = f"{'a-name-without-end-' * 9}{'x' * 60}.tar.gz"


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return "dark" if request.param == "dark" else "light"


async def test_axe_finds_nothing_wrong_with_a_folder(
    visiting: OpenVisit, stored: Stored, scheme: Scheme
) -> None:
    visit = await visiting(color_scheme=scheme)
    folder = stored({"a.txt": b"1", LONG: b"2", "deep/er/x.txt": b"3"})

    await visit.go(folder)
    assert await visit.axe() == []

    await visit.tick("a.txt", "deep")
    assert await visit.axe() == []

    await visit.page.get_by_role("button", name="Delete").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert await visit.axe() == []


async def test_axe_finds_nothing_wrong_with_uploads(
    visiting: OpenVisit, stored: Stored, tmp_path: Path, scheme: Scheme
) -> None:
    visit = await visiting(color_scheme=scheme)
    folder = stored({"a.txt": b"1"})
    await visit.go(folder)
    await visit.page.route("**/failing.txt", _refused)
    for name in ("done.txt", "failing.txt"):
        (tmp_path / name).write_bytes(b"1")

    await visit.add_files(tmp_path / "done.txt", tmp_path / "failing.txt")
    await visit.uploaded(1)
    await expect(visit.page.get_by_role("button", name="Retry failing.txt")).to_be_visible()

    assert await visit.axe() == []


async def _refused(route: Route) -> None:
    await route.abort()


@pytest.mark.parametrize("prefix", ["nobody-was-here/", "up/../here/"], ids=["empty", "error"])
async def test_axe_finds_nothing_wrong_with_the_other_states(
    visiting: OpenVisit, scheme: Scheme, prefix: str
) -> None:
    visit = await visiting(color_scheme=scheme)

    await visit.go(prefix)

    assert await visit.axe() == []


async def test_axe_finds_nothing_wrong_around_swagger_ui(
    visiting: OpenVisit, scheme: Scheme
) -> None:
    visit = await visiting(color_scheme=scheme)

    await visit.page.goto(f"{visit.server.url}/docs")
    await expect(visit.page.get_by_role("heading", name="Penstock")).to_be_visible()

    assert await visit.axe(exclude="#swagger") == []


@pytest.mark.parametrize("width", [320, 360, 390, 768, 1024])
async def test_no_width_needs_sideways_scrolling(
    visiting: OpenVisit, stored: Stored, tmp_path: Path, width: int
) -> None:
    visit = await visiting(width=width, height=740)
    folder = stored({LONG: b"1", f"{'folder' * 30}/x": b"2", "a.txt": b"3"})
    (tmp_path / "up.txt").write_bytes(b"1")

    await visit.go(folder)
    await visit.add_files(tmp_path / "up.txt")
    await visit.uploaded(1)
    await visit.tick("a.txt")

    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await visit.page.evaluate(over) == 0
    for name in ("Add files", "Download ZIP", "Delete", "Clear selection"):
        await visit.page.get_by_role("button", name=name).click(trial=True)


async def test_nothing_moves_for_those_who_want_less_motion(visiting: OpenVisit) -> None:
    visit = await visiting(reduced_motion="reduce")

    await visit.go("nobody-was-here/")

    assert await visit.page.evaluate("document.getAnimations().length") == 0


async def test_the_end_of_uploads_is_announced_once(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"1")
    await visit.go("announced/")
    await visit.page.evaluate("""() => {
        window.heard = [];
        const region = document.querySelector("[role=status]");
        const listen = () => heard.push(region.textContent);
        new MutationObserver(listen).observe(region, {childList: true});
    }""")

    await visit.add_files(tmp_path / "a.txt")
    await visit.uploaded(1)
    await expect(visit.page.locator("#announce")).to_contain_text("finished")

    heard = " ".join(await visit.page.evaluate("heard"))
    assert heard.count("Uploading 1 file, 1 B.") == 1
    assert heard.count("Uploads finished: 1 file stored.") == 1


async def test_no_page_asks_anything_of_another_host(
    visit: Visit, stored: Stored, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(b"1")
    await visit.go(stored({"b.txt": b"1"}))
    await visit.add_files(tmp_path / "a.txt")
    await visit.uploaded(1)
    await visit.page.goto(f"{visit.server.url}/docs")
    await expect(visit.page.get_by_text("/v1/files/{key}").first).to_be_visible()

    hosts = {urlsplit(url).netloc for url in visit.requested if not url.startswith("data:")}
    assert hosts == {urlsplit(visit.server.url).netloc}


async def test_the_pages_give_the_browser_no_reason_to_complain(
    visit: Visit, stored: Stored
) -> None:
    await visit.go(stored({"a.txt": b"1"}))
    await visit.tick("a.txt")
    await visit.page.goto(f"{visit.server.url}/docs")
    await visit.page.get_by_role("button", name="get /v1/files", exact=True).click()
    await expect(visit.page.get_by_text("Only keys that start with this")).to_be_visible()

    assert visit.complaints == []
