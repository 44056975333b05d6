"""The memory monitor and the streaming test, which stream-download has too."""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Expect, Page

from tests.faults import Source, faulty, throttle
from tests.pages.visiting import OpenVisit, Visit
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = [
    "alloc_mb",
    "heap_alloc_mb",
    "sys_mb",
    "total_alloc_mb",
    "num_gc",
    "goroutines",
    "heap_inuse_mb",
    "heap_sys_mb",
]
PLANS = bytes(range(256)) * 4000

expect = Expect()
expect.set_options(timeout=30_000)  # of a busy machine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that fetches from this host."""
    running = RunningServer(tmp_path_factory.mktemp("m") / "data", remote_allow="127.0.0.1")
    yield running
    assert running.stop() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def monitor(visit: Visit) -> Page:
    await visit.page.goto(f"{visit.url}/monitor.html")
    await expect(visit.page.get_by_text("Monitoring stopped")).to_be_visible()
    return visit.page


@pytest_asyncio.fixture(loop_scope="module")
async def streaming(visiting: OpenVisit) -> Page:
    """The streaming test in a browser that offers no file to write into."""
    visit = await visiting()
    await visit.page.add_init_script("delete window.showSaveFilePicker")
    await visit.page.goto(f"{visit.url}/streaming.html")
    return visit.page


async def measured(page: Page, count: int) -> None:
    """Wait until so many points are kept."""
    await page.wait_for_function(
        "(count) => Number(/(\\d+) point/.exec(document.querySelector('#status-text')"
        ".textContent)?.[1]) >= count",
        arg=count,
    )


def asked(visit: Visit) -> int:
    return len([url for url in visit.requested if url.endswith("/debug/memory")])


async def test_monitoring_is_started_stopped_saved_and_cleared(monitor: Page) -> None:
    await expect(monitor.get_by_role("button", name="Stop")).to_be_disabled()
    await monitor.get_by_label("Refresh interval").select_option("500 ms")

    await monitor.get_by_role("button", name="Start monitoring").click()
    await expect(monitor.locator("#status-text")).to_contain_text(
        "Monitoring active – refreshing every 0.5 s"
    )
    await expect(monitor.get_by_role("button", name="Start monitoring")).to_be_disabled()
    await measured(monitor, 3)
    for key in KEYS[:4]:
        await expect(monitor.locator(f'[data-key="{key}"] dd')).to_contain_text(" MB")
    await expect(monitor.locator('[data-key="goroutines"] dd')).not_to_have_text("–")

    await monitor.get_by_role("button", name="Stop").click()
    await expect(monitor.locator("#status-text")).to_contain_text("Monitoring stopped")
    async with monitor.expect_download() as saving:
        await monitor.get_by_role("button", name="Save CSV").click()
    saved = await asyncio.to_thread(Path(await (await saving.value).path()).read_text)
    rows = list(csv.DictReader(io.StringIO(saved)))
    assert list(rows[0]) == ["time", *KEYS]
    assert len(rows) >= 3
    assert all(float(row["sys_mb"]) > 10 for row in rows)

    await monitor.get_by_role("button", name="Clear data").click()
    await expect(monitor.locator('[data-key="sys_mb"] dd')).to_have_text("–")
    await expect(monitor.get_by_role("button", name="Save CSV")).to_be_disabled()


async def test_another_interval_holds_at_once_and_stop_stops(visit: Visit, monitor: Page) -> None:
    await monitor.get_by_label("Refresh interval").select_option("5 seconds")
    await monitor.get_by_role("button", name="Start monitoring").click()
    await measured(monitor, 1)

    await monitor.get_by_label("Refresh interval").select_option("500 ms")
    await measured(monitor, 3)
    await monitor.get_by_role("button", name="Stop").click()
    await monitor.wait_for_timeout(700)  # one may have been under way
    before = asked(visit)
    await monitor.wait_for_timeout(1500)

    assert asked(visit) == before


async def test_a_window_keeps_no_more_than_fits_and_no_window_stays_bounded(monitor: Page) -> None:
    kept = await monitor.evaluate(
        """async () => {
            const { MOST, pointsOf, Samples } = await import("/static/js/monitor/samples.js");
            const run = (samples, count) => {
                for (let time = 0; time < count; time += 1) samples.add({time});
                return samples.all.map(({time}) => time);
            };
            const long = run(new Samples(Infinity), 20_000);
            return {
                points: [pointsOf(60_000, 500), pointsOf(300_000, 1000), pointsOf(60_000, 7000)],
                unlimited: pointsOf(0, 500) === Infinity,
                last: run(new Samples(120), 500),
                bounded: long.length <= MOST && long.length > MOST / 2,
                ends: [long[0], long.at(-1)],
                rising: long.every((time, index) => index === 0 || time > long[index - 1]),
            };
        }"""
    )

    assert kept == {
        "points": [120, 300, 9],
        "unlimited": True,
        "last": list(range(380, 500)),
        "bounded": True,
        "ends": [0, 19_999],
        "rising": True,
    }


async def test_charts_tell_their_numbers_in_words_too(monitor: Page) -> None:
    await monitor.get_by_role("button", name="Start monitoring").click()
    await measured(monitor, 2)
    await monitor.get_by_role("button", name="Stop").click()
    chart = monitor.get_by_role("figure").filter(has_text="Memory over time")

    await expect(chart).to_contain_text("Resident (RSS)")
    await chart.get_by_text("Numbers").click()

    await expect(chart.get_by_role("row")).to_have_count(3)


async def test_the_monitor_says_when_it_is_not_answered(monitor: Page) -> None:
    await monitor.route("**/debug/memory", lambda route: route.abort())

    await monitor.get_by_role("button", name="Start monitoring").click()
    await expect(monitor.get_by_role("alert")).to_contain_text("cannot be reached")
    await monitor.unroute("**/debug/memory")

    await measured(monitor, 1)
    await expect(monitor.get_by_role("alert")).to_be_hidden()


async def test_the_browser_downloads_the_zip_itself(streaming: Page, source: Source) -> None:
    await streaming.get_by_label("URLs").fill(source.serve("/plans.bin", PLANS))

    async with streaming.expect_download() as saving:
        await streaming.get_by_role("button", name="Download (Browser Native)").click()

    assert await unpacked(await (await saving.value).path()) == {"plans.bin": PLANS}


async def test_chunks_are_logged_while_the_zip_arrives(streaming: Page, source: Source) -> None:
    await expect(streaming.get_by_text("gathers the whole ZIP in memory")).to_be_visible()
    await streaming.get_by_label("URLs").fill(source.serve("/plans.bin", PLANS))

    async with streaming.expect_download() as saving:
        await streaming.get_by_role("button", name="Download + Log Chunks").click()

    download = await saving.value
    assert download.suggested_filename == "download.zip"
    assert await unpacked(await download.path()) == {"plans.bin": PLANS}
    await expect(streaming.locator("#pill")).to_have_text("Complete")
    await expect(streaming.locator("#log li", has_text="Chunk #1: +")).to_have_count(1)
    await expect(streaming.locator("#received")).not_to_have_text("0 B")


async def test_where_the_browser_can_write_files_nothing_is_gathered(
    visiting: OpenVisit, source: Source
) -> None:
    page = (await visiting()).page
    await page.add_init_script(
        """window.written = [];
        window.showSaveFilePicker = async ({suggestedName}) => ({
            createWritable: async () => ({
                write: async (chunk) => written.push(chunk.length),
                close: async () => { window.closed_as = suggestedName; },
                abort: async () => { window.aborted = true; },
            }),
        });"""
    )
    await page.goto(f"{(await visiting()).url}/streaming.html")
    await page.get_by_label("URLs").fill(source.serve("/plans.bin", PLANS))

    await page.get_by_role("button", name="Download + Log Chunks").click()
    await expect(page.locator("#pill")).to_have_text("Complete")

    sizes = await page.evaluate("written")
    assert sum(sizes) > 0
    assert await page.evaluate("closed_as") == "download.zip"


async def test_a_transfer_can_be_cancelled_and_wrong_urls_are_told(
    streaming: Page, source: Source
) -> None:
    await streaming.get_by_label("URLs").fill("ftp://files.example/a")
    await streaming.get_by_role("button", name="Download + Log Chunks").click()
    await expect(streaming.get_by_role("alert")).to_contain_text("ftp://files.example/a")

    slow = source.serve("/slow.bin", PLANS, faults=[throttle(20_000)])
    await streaming.get_by_label("URLs").fill(slow)
    await streaming.get_by_role("button", name="Download + Log Chunks").click()
    await expect(streaming.locator("#pill")).to_have_text("Downloading")
    await streaming.get_by_role("button", name="Cancel").click()

    await expect(streaming.locator("#pill")).to_have_text("Idle")
    await expect(streaming.locator("#length-note")).to_contain_text("Nothing was saved")


async def unpacked(path: Path) -> dict[str, bytes]:
    def read() -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    return await asyncio.to_thread(read)
