"""A browser that downloads a ZIP of URLs: whole, or a download that failed."""

import io
import random
import zipfile
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Download

from tests.faults import Fault, Source, cut, faulty
from tests.pages.visiting import Visit
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
FILM = random.Random(4).randbytes(6 * MIB)
WANTED = {"first": FILM[:100_000], "film": FILM, "last": FILM[-100_000:]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that may reach the source, and reads no further ahead than a MiB."""
    running = RunningServer(
        tmp_path_factory.mktemp("server") / "data",
        remote_allow="127.0.0.1",
        remote_tries=2,
        remote_lookahead=MIB,
    )
    yield running
    assert running.stop() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        for name, content in WANTED.items():
            made.serve(f"/{name}", content, etag='"v1"')
        yield made


async def download(visit: Visit, path: str) -> Download:
    """What comes of following a link to ``path``."""
    await visit.go()
    async with visit.page.expect_download() as started:
        await visit.page.evaluate("path => location.assign(path)", path)
    return await started.value


def zip_path(source: Source, query: str) -> str:
    urls = "".join(f"&url={quote(source.url)}/{name}" for name in WANTED)
    return f"/v1/zip?name=films{query}{urls}"


async def content(download: Download) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO((await download.path()).read_bytes())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


LAYOUTS = pytest.mark.parametrize("query", ["", "&compress=deflate", "&on_error=report"])


@LAYOUTS
async def test_a_zip_of_urls_is_saved_whole(visit: Visit, source: Source, query: str) -> None:
    saved = await download(visit, zip_path(source, query))

    assert await saved.failure() is None
    assert saved.suggested_filename == "films.zip"
    assert await content(saved) == WANTED


@LAYOUTS
async def test_a_source_that_breaks_for_good_is_a_failed_download(
    visit: Visit, source: Source, query: str
) -> None:
    source.serve("/film", FILM, head_faults=[Fault()], always=cut(4 * MIB))

    saved = await download(visit, zip_path(source, query))

    assert await saved.failure() is not None


async def test_a_source_that_breaks_once_is_not_even_noticed(visit: Visit, source: Source) -> None:
    source.serve("/film", FILM, etag='"v1"', faults=[cut(4 * MIB)])

    saved = await download(visit, zip_path(source, ""))

    assert await saved.failure() is None
    assert await content(saved) == WANTED
