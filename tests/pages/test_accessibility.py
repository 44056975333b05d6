"""For every eye, hand and screen: axe, narrow screens, less motion, no strangers."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Route, expect

from tests.eventually import eventually
from tests.pages.line import Line
from tests.pages.visiting import OpenVisit, Stored, Visit, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

Scheme = Literal["light", "dark"]

LISTEN = """() => {
    window.heard = [];
    const region = document.querySelector("[role=status]");
    const listen = () => heard.push(region.textContent);
    new MutationObserver(listen).observe(region, {childList: true});
}"""
BIG = ("interrupted.bin", "paused.bin", "sending.bin")
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
    visiting: OpenVisit, line: Line, stored: Stored, tmp_path: Path, scheme: Scheme
) -> None:
    visit = await visiting(url=line.url, color_scheme=scheme)
    files = {"done.txt": b"1", "failing.txt": b"1", **dict.fromkeys(BIG, bytes(1_500_000))}
    local = made(tmp_path, files)
    await visit.go(stored({"a.txt": b"1"}))
    line.hold_after(400_000)
    await visit.add_files(local / "interrupted.bin")
    assert await eventually(lambda: line.held, 30)
    await visit.page.reload()
    await expect(visit.upload("interrupted.bin")).to_contain_text("Interrupted", timeout=30_000)

    await visit.add_files(local / "done.txt")
    await visit.uploaded(1)
    await visit.page.route("**/v1/uploads", _refused, times=1)
    await visit.add_files(local / "failing.txt")
    await expect(visit.page.get_by_role("button", name="Retry failing.txt")).to_be_visible()
    await visit.add_files(local / "paused.bin", local / "sending.bin")
    await visit.press("Pause", "paused.bin")
    await expect(visit.upload("paused.bin")).to_contain_text("Paused")
    await expect(visit.page.locator('.upload[data-state="sending"]')).to_have_count(1)
    assert await visit.axe() == []

    line.cut()
    await expect(visit.page.get_by_role("button", name="Try now sending.bin")).to_be_visible()
    assert await visit.axe() == []


async def _refused(route: Route) -> None:
    await route.fulfill(status=507, json={"code": "storage-full", "detail": "no space is left"})


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
    visiting: OpenVisit, line: Line, stored: Stored, tmp_path: Path, width: int
) -> None:
    visit = await visiting(width=width, height=740, url=line.url)
    folder = stored({LONG: b"1", f"{'folder' * 30}/x": b"2", "a.txt": b"3"})
    local = made(tmp_path, {"up.txt": b"1", f"new-{LONG[4:]}": bytes(1_500_000)})

    await visit.go(folder)
    await visit.add_files(local / "up.txt")
    await visit.uploaded(1)
    line.hold_after(100_000)
    await visit.add_files(local / f"new-{LONG[4:]}")
    assert await eventually(lambda: line.held, 30)
    line.cut()
    await expect(visit.page.get_by_role("button", name="Try now")).to_be_visible()
    await visit.tick("a.txt")

    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await visit.page.evaluate(over) == 0
    for name in ("Add files", "Download ZIP", "Delete", "Clear selection", "Pause all"):
        await visit.page.get_by_role("button", name=name).click(trial=True)
    line.release()
    await visit.page.reload()
    await expect(visit.page.get_by_role("button", name="Choose")).to_be_visible(timeout=30_000)
    assert await visit.page.evaluate(over) == 0


async def test_nothing_moves_for_those_who_want_less_motion(visiting: OpenVisit) -> None:
    visit = await visiting(reduced_motion="reduce")

    await visit.go("nobody-was-here/")

    assert await visit.page.evaluate("document.getAnimations().length") == 0


async def test_the_end_of_uploads_is_announced_once(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"1")
    await visit.go("announced/")
    await visit.page.evaluate(LISTEN)

    await visit.add_files(tmp_path / "a.txt")
    await visit.uploaded(1)
    await expect(visit.page.locator("#announce")).to_contain_text("finished")

    heard = " ".join(await visit.page.evaluate("heard"))
    assert heard.count("Uploading 1 file, 1 B.") == 1
    assert heard.count("Uploads finished: 1 file stored.") == 1


async def test_a_broken_connection_is_announced_once(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"a.bin": bytes(1_500_000), "b.bin": bytes(1_500_000)})
    await far.go("announced-loss/")
    await far.page.evaluate(LISTEN)
    line.hold_after(400_000)
    await far.add_files(local / "a.bin", local / "b.bin")
    assert await eventually(lambda: line.held, 30)

    line.cut()
    await expect(far.upload("a.bin")).to_contain_text("Trying again in 2 s", timeout=30_000)
    line.release()
    line.rate = 500_000  # slow enough to be seen
    await far.uploaded(2)
    await expect(far.page.locator("#announce")).to_contain_text("finished")

    heard = " ".join(await far.page.evaluate("heard"))
    assert heard.count("The connection is lost.") == 1
    assert heard.count("Uploads go on.") == 1
    assert heard.count("Uploads finished: 2 files stored.") == 1


async def test_pausing_keeps_the_keyboard_where_it_is(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"a.bin": bytes(1_500_000)})
    await far.go("focused/")
    line.hold_after(400_000)
    await far.add_files(local / "a.bin")
    assert await eventually(lambda: line.held, 30)

    await far.page.get_by_role("button", name="Pause a.bin").press("Enter")
    resume = far.page.get_by_role("button", name="Resume a.bin")
    await expect(resume).to_be_focused()
    line.release()
    await far.page.keyboard.press("Enter")

    await far.uploaded(1)
    await expect(far.page.locator("#uploads-list")).to_be_focused()


async def test_the_icons_are_there_when_the_connection_is_not(
    far: Visit, line: Line, tmp_path: Path
) -> None:
    local = made(tmp_path, {"a.bin": bytes(1_500_000)})
    await far.go("drawn/")
    line.hold_after(400_000)
    await far.add_files(local / "a.bin")
    assert await eventually(lambda: line.held, 30)

    line.cut()

    drawn = far.page.get_by_role("button", name="Try now a.bin").locator("use")
    await expect(drawn).to_be_attached()
    width = await drawn.evaluate("(use) => use.getBBox().width")
    assert width > 0


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
