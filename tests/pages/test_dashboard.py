"""``/dashboard``: lanes, the list of jobs, one job, and the form that has a folder archived."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Literal
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Error, Expect, Locator, Route

from tests.conftest import StartServer
from tests.faults import Fault, Source, faulty, throttle
from tests.pages.line import Line
from tests.pages.visiting import OpenVisit, Stored, Visit
from tests.pulls.pulling import Far, PullJson, begin, ended, standing
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILM = bytes(range(256)) * 8000
LOGIN = {"username": "admin", "password": "of the tests"}
SETTINGS: dict[str, object] = {
    "remote_allow": "127.0.0.1",
    "remote_tries": 1,
    "pulls": 32,
    "dashboard_password": LOGIN["password"],
}

expect = Expect()
expect.set_options(timeout=30_000)  # of a busy machine; jobs take their time as well

OpenBoard = Callable[..., Awaitable[Visit]]
Scheme = Literal["light", "dark"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("board") / "data", **SETTINGS)
    yield running
    assert running.stop() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def jobs(server: RunningServer) -> AsyncIterator[Far]:
    """The server's interface, without the page."""
    async with aiohttp.ClientSession(server.url) as session:
        yield Far(session)


@pytest_asyncio.fixture(loop_scope="module")
async def board(visiting: OpenVisit) -> OpenBoard:
    """Open the dashboard in a tab that is logged in."""

    async def open_board(route: str = "#/", **options: object) -> Visit:
        visit = await visiting(http_credentials=LOGIN, **options)
        await visit.page.goto(f"{visit.url}/dashboard{route}")
        return visit

    return open_board


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return "dark" if request.param == "dark" else "light"


def row(visit: Visit, key: str) -> Locator:
    """The row of the job that makes the file at ``key``."""
    return visit.page.locator("#rows tr").filter(has_text=f"→ {key}")


def lane(visit: Visit, name: str) -> Locator:
    return visit.page.locator(f'.lane[data-lane="{name}"]')


def fact(visit: Visit, name: str) -> Locator:
    """What stands behind a name in one of the lists of the page."""
    return visit.page.locator(f'dl div[data-name="{name}"] dd:visible')


def button(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("button", name=name, exact=True)


async def slow_pull(jobs: Far, source: Source, key: str) -> PullJson:
    """A pull that runs, and takes longer than any test; if it is tried again it does not."""
    url = source.serve(f"/{key}", FILM, etag='"v1"', faults=[throttle(20_000)])
    pull = await begin(jobs, url, key)
    return await standing(jobs, pull, lambda now: now["received"] > 0)


async def failed_pull(jobs: Far, source: Source, key: str) -> PullJson:
    """A pull of what is not there."""
    return await ended(jobs, await begin(jobs, f"{source.url}/{key}", key))


async def test_nobody_sees_it_without_the_password(visiting: OpenVisit) -> None:
    visit = await visiting()

    with pytest.raises(Error, match="INVALID_AUTH_CREDENTIALS"):  # what a browser asks for
        await visit.page.goto(f"{visit.url}/dashboard")


async def test_the_pages_lead_to_each_other(visiting: OpenVisit) -> None:
    visit = await visiting(http_credentials=LOGIN)
    await visit.go()

    await visit.page.get_by_role("link", name="Jobs", exact=True).click()
    await expect(visit.page.get_by_role("heading", level=1)).to_have_text("Jobs")
    await visit.page.get_by_role("link", name="Files", exact=True).click()

    await visit.shown()


async def test_a_server_without_jobs_says_so(
    visiting: OpenVisit, start_server: StartServer
) -> None:
    server = await asyncio.to_thread(start_server, **SETTINGS)
    visit = await visiting(url=server.url, http_credentials=LOGIN)

    await visit.page.goto(f"{server.url}/dashboard")

    await expect(visit.page.get_by_text("No jobs yet")).to_be_visible()
    await expect(visit.page.get_by_role("table")).to_be_hidden()
    await expect(lane(visit, "pull")).to_contain_text("Pulls")
    await visit.page.get_by_role("link", name="Failed", exact=True).click()
    await expect(visit.page.get_by_text("No such jobs")).to_be_visible()


async def test_a_job_appears_runs_and_ends_before_ones_eyes(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    visit = await board()

    pull = await slow_pull(jobs, source, "seen.bin")

    await expect(row(visit, "seen.bin")).to_contain_text("Running, ")
    await expect(row(visit, "seen.bin").get_by_role("progressbar")).to_be_visible()
    await expect(row(visit, "seen.bin")).to_contain_text("B/s")
    await jobs.call("DELETE", f"/v1/jobs/{pull['id']}")
    await expect(row(visit, "seen.bin")).to_contain_text("Cancelled")
    await jobs.call("POST", f"/v1/jobs/{pull['id']}/retry")
    await expect(row(visit, "seen.bin")).to_contain_text("Done 2.05 MB")
    await expect(row(visit, "seen.bin").get_by_role("progressbar")).to_be_hidden()


async def test_jobs_are_filtered_by_state_and_kind(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    await failed_pull(jobs, source, "filtered-failed.bin")
    await ended(jobs, await begin(jobs, source.serve("/d", FILM), "filtered-done.bin"))
    visit = await board()
    await expect(row(visit, "filtered-done.bin")).to_be_visible()

    await visit.page.get_by_role("link", name="Failed", exact=True).click()
    await expect(row(visit, "filtered-done.bin")).to_be_hidden()
    await expect(row(visit, "filtered-failed.bin")).to_contain_text("HTTP 404")
    await visit.page.get_by_label("Kind").select_option("Archives")
    await expect(row(visit, "filtered-failed.bin")).to_be_hidden()
    assert visit.page.url.endswith("#/?state=failed&kind=archive")

    await visit.page.go_back()
    await expect(row(visit, "filtered-failed.bin")).to_be_visible()


async def test_a_job_that_is_no_longer_of_the_state_leaves_the_list(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await slow_pull(jobs, source, "leaving.bin")
    visit = await board("#/?state=running")
    await row(visit, "leaving.bin").get_by_role("link").focus()

    await jobs.call("DELETE", f"/v1/jobs/{pull['id']}")

    await expect(row(visit, "leaving.bin")).to_be_hidden()
    await expect(visit.page.get_by_role("heading", level=1)).to_be_focused()


async def test_many_jobs_are_shown_page_by_page(
    visiting: OpenVisit, start_server: StartServer
) -> None:
    server = await asyncio.to_thread(start_server, **SETTINGS)
    async with aiohttp.ClientSession(server.url) as session:
        far = Far(session)
        await session.put("/v1/lanes/pull", json={"paused": True})
        for number in range(53):
            await begin(far, "http://127.0.0.1:1/x", f"{number:02}")
        visit = await visiting(url=server.url, http_credentials=LOGIN)
        await visit.page.goto(f"{server.url}/dashboard")
        rows = visit.page.locator("#rows tr")
        await expect(rows).to_have_count(50)
        await expect(rows.first).to_contain_text("→ 52")

        await begin(far, "http://127.0.0.1:1/x", "new")
        await expect(rows.first).to_contain_text("→ new")
        await expect(rows).to_have_count(50)
        await button(visit, "Load more").click()

        await expect(rows).to_have_count(54)
        await expect(rows.nth(50).get_by_role("link")).to_be_focused()
        await expect(rows.last).to_contain_text("→ 00")
        await expect(button(visit, "Load more")).to_be_hidden()


async def test_a_lane_is_paused_and_resumed(
    visiting: OpenVisit, start_server: StartServer, source: Source
) -> None:
    server = await asyncio.to_thread(start_server, **SETTINGS)
    visit = await visiting(url=server.url, http_credentials=LOGIN)
    await visit.page.goto(f"{server.url}/dashboard")

    await button(visit, "Pause Pulls").click()
    await expect(lane(visit, "pull").get_by_text("Paused")).to_be_visible()
    async with aiohttp.ClientSession(server.url) as session:
        await begin(Far(session), source.serve("/held", FILM), "held.bin")
    await expect(row(visit, "held.bin")).to_contain_text("Waiting its lane is paused")
    await expect(lane(visit, "pull").locator(".waiting dd")).to_have_text("1")

    await button(visit, "Resume Pulls").click()
    await expect(row(visit, "held.bin")).to_contain_text("Done")
    await expect(lane(visit, "pull").get_by_text("Paused")).to_be_hidden()
    await expect(lane(visit, "pull").locator(".done dd")).to_have_text("1")


async def test_a_job_that_runs_has_a_page_of_its_own(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await slow_pull(jobs, source, "page.bin")

    visit = await board(f"#/jobs/{pull['id']}")

    await expect(visit.page.get_by_role("heading", level=1)).to_contain_text("→ page.bin")
    await expect(visit.page.get_by_role("heading", name="Running, ")).to_be_visible()
    await expect(visit.page.get_by_role("progressbar", name="Progress")).to_be_visible()
    await expect(visit.page.locator("#job-rate")).to_contain_text("B/s")
    await expect(visit.page.locator("#job-note")).to_contain_text("left")
    await expect(visit.page.locator("#log")).to_contain_text("attempt 1 begun")
    await expect(fact(visit, "Lane")).to_have_text("Pulls")


async def test_a_job_that_is_done_tells_what_it_has_made(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await ended(jobs, await begin(jobs, source.serve("/made", FILM), "made.bin"))

    visit = await board(f"#/jobs/{pull['id']}")

    await expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()
    await expect(fact(visit, "Size")).to_have_text("2.05 MB (2,048,000 bytes)")
    await expect(fact(visit, "CRC-32")).to_have_text(pull["file"]["crc32"])
    await expect(visit.page.get_by_role("link", name="Download")).to_be_visible()
    await expect(visit.page.locator("#log")).to_contain_text("done")


async def test_a_job_is_cancelled_only_after_asking(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await slow_pull(jobs, source, "cancelled.bin")
    visit = await board(f"#/jobs/{pull['id']}")

    await button(visit, "Cancel").click()
    await button(visit, "Let it go on").click()
    await expect(visit.page.get_by_role("heading", name="Running, ")).to_be_visible()
    await button(visit, "Cancel").click()
    await button(visit, "Cancel the job").click()

    await expect(visit.page.get_by_role("heading", name="Cancelled")).to_be_visible()
    assert (await ended(jobs, pull))["state"] == "cancelled"
    await button(visit, "Try again").click()
    await expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()


async def test_a_late_answer_does_not_bring_back_the_job_that_was_left(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await slow_pull(jobs, source, "left.bin")
    visit = await board(f"#/jobs/{pull['id']}")
    left = asyncio.Event()

    async def hold(route: Route) -> None:
        response = await route.fetch()
        if route.request.method == "DELETE":
            await left.wait()
        await route.fulfill(response=response)

    await visit.page.route(f"**/v1/jobs/{pull['id']}", hold)
    await button(visit, "Cancel").click()
    await button(visit, "Cancel the job").click()
    await visit.page.get_by_role("link", name="Jobs").last.click()
    async with visit.page.expect_response(lambda answer: answer.request.method == "DELETE"):
        left.set()
    await visit.page.evaluate("fetch('/livez')")  # so that the page has dealt with the answer

    await expect(row(visit, "left.bin")).to_contain_text("Cancelled")
    await expect(visit.page).to_have_title("Jobs · Penstock")


async def test_a_failed_job_says_why_and_can_be_tried_again(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    pull = await failed_pull(jobs, source, "late.bin")
    visit = await board(f"#/jobs/{pull['id']}")
    await expect(visit.page.locator("#job-error")).to_contain_text("HTTP 404")
    await expect(visit.page.locator("#job-error")).to_contain_text("source-failed")

    source.serve("/late.bin", FILM)
    await button(visit, "Try again").click()

    await expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()
    await expect(visit.page.locator("#job-error")).to_be_hidden()


async def test_a_job_that_waits_for_its_next_try_need_not(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    busy = Fault(answer=(503, b""), headers={"Retry-After": "600"})
    url = source.serve("/later.bin", FILM, faults=[busy])
    pull = await begin(jobs, url, "later.bin")
    await standing(jobs, pull, lambda now: bool(now["next_try"]))
    visit = await board(f"#/jobs/{pull['id']}")
    await expect(visit.page.locator("#job-note")).to_contain_text("next try in")
    await expect(visit.page.locator("#job-error")).to_contain_text("The last attempt broke off")

    await button(visit, "Try now").click()

    await expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()


async def test_a_job_that_is_not_there_is_told(board: OpenBoard) -> None:
    visit = await board("#/jobs/nobody")

    await expect(visit.page.locator("#job-missing")).to_be_visible()
    await visit.page.get_by_role("link", name="Jobs").last.click()
    await expect(visit.page.locator("#view-jobs")).to_be_visible()


async def test_a_folder_is_archived_after_its_plan(board: OpenBoard, stored: Stored) -> None:
    folder = stored({"a.txt": b"a" * 1500, "deep/b.txt": b"b", "c.txt": b""})
    visit = await board()
    await visit.page.get_by_role("link", name="Archive a folder").click()

    await visit.page.get_by_label("Folder", exact=True).fill(folder)
    await visit.page.get_by_label("Folder", exact=True).press("Enter")
    await expect(fact(visit, "Files")).to_have_text("3\u00a0files · 1.50\u00a0kB")
    await expect(fact(visit, "Stored as")).to_have_text(f"exports/{folder.rstrip('/')}.zip")
    await expect(fact(visit, "Lane")).to_have_text("Small archives")
    await button(visit, "Make the archive").click()

    await expect(visit.page.get_by_role("heading", name="Done")).to_be_visible()
    await expect(fact(visit, "Members")).to_have_text("3")
    async with visit.page.expect_download() as started:
        await visit.page.get_by_role("link", name="Download").click()
    data = (await (await started.value).path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 3


async def test_a_plan_is_only_of_what_stands_in_the_form(board: OpenBoard, stored: Stored) -> None:
    folder = stored({"a.txt": b"a"})
    visit = await board(f"#/archive?prefix={folder}")
    await button(visit, "Show the plan").click()
    await expect(button(visit, "Make the archive")).to_be_visible()

    await visit.page.get_by_label("Name of the archive").fill("elsewhere.zip")

    await expect(button(visit, "Make the archive")).to_be_hidden()


async def test_a_plan_that_is_asked_for_twice_is_shown(board: OpenBoard, stored: Stored) -> None:
    visit = await board(f"#/archive?prefix={stored({'a.txt': b'a'})}")

    twice = "form => { form.requestSubmit(); form.requestSubmit(); }"
    await visit.page.locator("#archive-form").evaluate(twice)

    await expect(button(visit, "Make the archive")).to_be_visible()


async def test_a_folder_with_nothing_in_it_is_told(board: OpenBoard) -> None:
    visit = await board("#/archive?prefix=nobody-was-here/")

    await button(visit, "Show the plan").click()

    await expect(visit.page.get_by_role("alert")).to_be_visible()
    await expect(button(visit, "Make the archive")).to_be_hidden()


async def test_a_lost_connection_is_shown_and_comes_back(
    board: OpenBoard, line: Line, jobs: Far, source: Source
) -> None:
    visit = await board(url=line.url)
    await expect(lane(visit, "pull")).to_be_visible()

    line.cut()
    await expect(visit.page.get_by_text("Connection lost.")).to_be_visible()
    await ended(jobs, await begin(jobs, source.serve("/m", FILM), "meanwhile.bin"))
    line.release()

    await expect(visit.page.get_by_text("Connection lost.")).to_be_hidden()
    await expect(row(visit, "meanwhile.bin")).to_contain_text("Done")


async def test_a_tab_that_nobody_sees_keeps_no_connection(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    visit = await board()
    await expect(lane(visit, "pull")).to_be_visible()
    turn = """hidden => {
        Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""

    async with visit.page.expect_event(
        "requestfailed", lambda request: request.url.endswith("/v1/jobs/events")
    ):
        await visit.page.evaluate(turn, True)
    await ended(jobs, await begin(jobs, source.serve("/unseen", FILM), "unseen.bin"))
    await expect(row(visit, "unseen.bin")).to_be_hidden()
    await visit.page.evaluate(turn, False)

    await expect(row(visit, "unseen.bin")).to_contain_text("Done")


async def test_titles_are_text_whatever_is_in_them(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    key = "<img src=x onerror=alert(1)>\u202egpj.exe"
    pull = await failed_pull(jobs, source, key)
    visit = await board()

    await expect(visit.page.locator("#rows tr").first).to_contain_text(key)
    await visit.page.locator("#rows tr").first.get_by_role("link").click()
    await expect(fact(visit, "Id")).to_have_text(pull["id"])

    await expect(visit.page.get_by_role("heading", level=1)).to_contain_text(key)
    assert await visit.page.locator("main img").count() == 0


async def test_the_keyboard_is_enough(board: OpenBoard, jobs: Far, source: Source) -> None:
    await failed_pull(jobs, source, "keys-1.bin")
    await failed_pull(jobs, source, "keys-2.bin")
    visit = await board()
    keyboard = visit.page.keyboard
    await expect(row(visit, "keys-1.bin")).to_be_visible()

    await keyboard.press("Tab")
    await expect(visit.page.get_by_role("link", name="Skip to the jobs")).to_be_focused()
    await keyboard.press("Enter")
    await expect(visit.page.locator("#main")).to_be_focused()
    await row(visit, "keys-2.bin").get_by_role("link").focus()
    await keyboard.press("ArrowDown")
    await expect(row(visit, "keys-1.bin").get_by_role("link")).to_be_focused()
    await keyboard.press("Enter")

    heading = visit.page.get_by_role("heading", level=1)
    await expect(heading).to_contain_text("keys-1.bin")
    await expect(heading).to_be_focused()


async def test_axe_finds_nothing_wrong(
    board: OpenBoard, jobs: Far, source: Source, stored: Stored, scheme: Scheme
) -> None:
    await failed_pull(jobs, source, f"axe-failed-{scheme}.bin")
    pull = await slow_pull(jobs, source, f"axe-{scheme}.bin")
    visit = await board(color_scheme=scheme)
    await expect(row(visit, f"axe-{scheme}.bin")).to_contain_text("Running")
    assert await visit.axe() == []

    await visit.page.goto(f"{visit.url}/dashboard#/jobs/{pull['id']}")
    await expect(visit.page.locator("#log")).to_contain_text("attempt 1 begun")
    assert await visit.axe() == []
    await button(visit, "Cancel").click()
    await expect(visit.page.get_by_role("dialog")).to_be_visible()
    assert await visit.axe() == []
    await button(visit, "Cancel the job").click()
    await expect(visit.page.get_by_role("heading", name="Cancelled")).to_be_visible()

    await visit.page.goto(f"{visit.url}/dashboard#/archive?prefix={stored({'a.txt': b'a'})}")
    await button(visit, "Show the plan").click()
    await expect(button(visit, "Make the archive")).to_be_visible()
    assert await visit.axe() == []


async def test_axe_finds_nothing_wrong_with_what_went_wrong(
    board: OpenBoard, line: Line, jobs: Far, source: Source, scheme: Scheme
) -> None:
    pull = await failed_pull(jobs, source, f"wrong-{scheme}.bin")
    visit = await board(f"#/jobs/{pull['id']}", color_scheme=scheme, url=line.url)
    await expect(visit.page.locator("#job-error")).to_be_visible()
    assert await visit.axe() == []
    await visit.page.goto(f"{visit.url}/dashboard#/jobs/nobody")
    await expect(visit.page.locator("#job-missing")).to_be_visible()
    assert await visit.axe() == []

    await visit.page.goto(f"{visit.url}/dashboard#/")
    await expect(lane(visit, "pull")).to_be_visible()
    line.cut()
    await expect(visit.page.get_by_text("Connection lost.")).to_be_visible()
    assert await visit.axe() == []


@pytest.mark.parametrize("width", [320, 390, 768])
async def test_no_width_needs_sideways_scrolling(
    board: OpenBoard, jobs: Far, source: Source, stored: Stored, width: int
) -> None:
    over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    long = f"{'a-name-without-end-' * 9}{width}.tar.gz"
    failed = await failed_pull(jobs, source, long)
    visit = await board(width=width, height=740)
    await expect(row(visit, long)).to_be_visible()
    assert await visit.page.evaluate(over) == 0

    await visit.page.goto(f"{visit.url}/dashboard#/jobs/{failed['id']}")
    await expect(visit.page.locator("#log")).to_contain_text("failed")
    assert await visit.page.evaluate(over) == 0

    await visit.page.goto(f"{visit.url}/dashboard#/archive?prefix={stored({long: b'a'})}")
    await button(visit, "Show the plan").click()
    await expect(button(visit, "Make the archive")).to_be_visible()
    assert await visit.page.evaluate(over) == 0


async def test_nothing_moves_for_those_who_want_less_motion(
    board: OpenBoard, jobs: Far, source: Source
) -> None:
    await slow_pull(jobs, source, "still.bin")

    visit = await board(reduced_motion="reduce")
    await expect(row(visit, "still.bin")).to_contain_text("Running")

    assert await visit.page.evaluate("document.getAnimations().length") == 0


async def test_it_is_all_from_here_and_gives_no_reason_to_complain(
    board: OpenBoard, jobs: Far, source: Source, stored: Stored
) -> None:
    pull = await slow_pull(jobs, source, "quiet.bin")
    visit = await board()
    await expect(row(visit, "quiet.bin")).to_contain_text("Running")
    await visit.page.goto(f"{visit.url}/dashboard#/jobs/{pull['id']}")
    await expect(visit.page.locator("#log")).to_contain_text("attempt 1 begun")
    await visit.page.goto(f"{visit.url}/dashboard#/archive?prefix={stored({'a.txt': b'a'})}")
    await button(visit, "Show the plan").click()
    await expect(button(visit, "Make the archive")).to_be_visible()

    hosts = {urlsplit(url).netloc for url in visit.requested if not url.startswith("data:")}
    assert hosts == {urlsplit(visit.server.url).netloc}
    assert visit.complaints == []
