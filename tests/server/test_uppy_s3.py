"""Uppy's plugin for S3, in a real browser: its files go past Penstock, straight to S3."""

import asyncio
import random
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from penstock.stores.s3.client import Call
from penstock.stores.s3.trouble import Refused
from tests.npm import npm_packages
from tests.pages.conftest import browser, chromium, visiting
from tests.pages.visiting import OpenVisit, Visit
from tests.s3.fixtures import s3_server
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to, names_in, uploads_in
from tests.serving import RunningServer

__all__ = ["browser", "chromium", "s3_server", "visiting"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

_PACKAGES = {
    "companionEndpoint": ["@uppy/core@6.3.1", "@uppy/aws-s3@6.3.1", "esbuild@0.28.2"],
    "endpoint": ["@uppy/core@5.2.0", "@uppy/aws-s3@5.1.0", "esbuild@0.28.2"],
}
"""What the plugin calls a server as ours, from version 6 on and before."""

_SOURCE = """
import Uppy from "@uppy/core";
import AwsS3 from "@uppy/aws-s3";

window.begin = (options) => {
  const uppy = new Uppy({autoProceed: true});
  uppy.use(AwsS3, {%s: location.origin, ...options});
  uppy.on("complete", ({successful, failed}) => {
    const ended = `${successful.length} done, ${failed.length} failed`;
    document.querySelector("output").textContent = ended;
  });
  window.parts = 0;
  uppy.on("s3-multipart:part-uploaded", () => { window.parts += 1; });
  document.querySelector("input").addEventListener("change", ({target}) => {
    const [file] = target.files;
    const meta = {relativePath: `uppy/${file.name}`, camera: "é"};
    uppy.addFile({name: file.name, type: "video/mp4", data: file, meta});
  });
  window.uppy = uppy;
};
"""

# The rule that docs/how-to/s3.md tells.
_CORS = b"""<CORSConfiguration><CORSRule>
<AllowedOrigin>*</AllowedOrigin>
<AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod>
<AllowedHeader>*</AllowedHeader>
<ExposeHeader>ETag</ExposeHeader><ExposeHeader>Location</ExposeHeader>
</CORSRule></CORSConfiguration>"""


class Tab(NamedTuple):
    """A page with Uppy on it, and what it has sent."""

    visit: Visit
    sent: list[tuple[str, str]]

    @property
    def page(self) -> Page:
        return self.visit.page

    async def choose(self, file: Path, **options: object) -> None:
        await self.page.evaluate("options => begin(options)", options)
        await self.page.locator("input").set_input_files(file)

    async def done(self) -> None:
        try:
            await expect(self.page.locator("output")).to_have_text(
                "1 done, 0 failed", timeout=60_000
            )
        except AssertionError:
            raise AssertionError(f"it is not done: {self.visit.complaints}") from None

    def to(self, endpoint: str, method: str) -> int:
        """How many requests of that method went there."""
        return sum(sent == (method, urlsplit(endpoint).netloc) for sent in self.sent)


@pytest.fixture(scope="module", params=list(_PACKAGES))
def script(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Uppy and its plugin as one script."""
    modules = npm_packages(*_PACKAGES[request.param])
    folder = tmp_path_factory.mktemp("uppy-s3")
    (folder / "node_modules").symlink_to(modules)
    (folder / "page.js").write_text(_SOURCE % request.param)
    bundle = [str(modules / ".bin/esbuild"), "page.js", "--bundle", "--outfile=uppy.js"]
    subprocess.run(bundle, cwd=folder, check=True, capture_output=True)
    return (folder / "uppy.js").read_text()


@pytest.fixture(scope="module")
def folder() -> str:
    """In the bucket, for this module."""
    return f"t/{uuid4().hex}"


@pytest.fixture(scope="module")
def server(
    s3_server: S3Server, folder: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """Penstock on S3."""
    running = RunningServer(
        tmp_path_factory.mktemp("direct") / "data", **s3_server.settings(folder)
    )
    yield running
    assert running.stop() == 0


@pytest_asyncio.fixture(loop_scope="module")
async def tab(s3_server: S3Server, visiting: OpenVisit, script: str) -> Tab:
    """Uppy's page, at the origin of Penstock."""
    async with calls_to(s3_server) as calls:
        call = Call("PUT", parameters=[("cors", "")], body=_CORS, length=len(_CORS))
        with suppress(Refused):  # Swift's are set where it is started
            await calls.client.call(call)
    visit = await visiting()
    opened = Tab(visit, [])
    visit.page.on(
        "request",
        lambda request: opened.sent.append((request.method, urlsplit(request.url).netloc)),
    )
    # A page that came over the network: one of Playwright's may not reach this host.
    await visit.page.goto(f"{visit.url}/livez")
    await visit.page.set_content('<!doctype html><input type="file"><output></output>')
    await visit.page.evaluate(script)
    return opened


def made(tmp_path: Path, name: str, size: int) -> tuple[Path, bytes]:
    content = random.Random(size).randbytes(size)
    (tmp_path / name).write_bytes(content)
    return tmp_path / name, content


async def test_a_file_in_parts_goes_straight_to_s3(
    tab: Tab, s3_server: S3Server, folder: str, tmp_path: Path
) -> None:
    file, content = made(tmp_path, "é big+.mp4", 12_000_000)

    await tab.choose(file, shouldUseMultipart=True)
    await tab.done()

    key = f"uppy/{file.name}"
    assert await asyncio.to_thread(tab.visit.content, key) == content
    assert (await asyncio.to_thread(tab.visit.stored_as, key))["content_type"] == "video/mp4"
    assert tab.to(s3_server.endpoint, "PUT") == 3
    assert tab.to(tab.visit.url, "PUT") == 0
    assert await names_in(s3_server, f"{folder}/.penstock/multipart/") == []


async def test_a_small_file_goes_in_one_form(tab: Tab, s3_server: S3Server, tmp_path: Path) -> None:
    file, content = made(tmp_path, "é small+.mp4", 100_000)

    await tab.choose(file, shouldUseMultipart=False)
    await tab.done()

    key = f"uppy/{file.name}"
    assert await asyncio.to_thread(tab.visit.content, key) == content
    assert (await asyncio.to_thread(tab.visit.stored_as, key))["content_type"] == "video/mp4"
    taken_by = tab.visit.url if s3_server.kind == "swift" else s3_server.endpoint
    assert tab.to(taken_by, "POST") == 1


newest = pytest.mark.parametrize("script", ["companionEndpoint"], indirect=True)


@newest
async def test_a_paused_file_is_gone_on_with(tab: Tab, s3_server: S3Server, tmp_path: Path) -> None:
    file, content = made(tmp_path, "paused.bin", 12_000_002)

    await tab.choose(file, shouldUseMultipart=True, limit=1)
    await tab.page.wait_for_function("parts >= 1")
    await tab.page.evaluate("uppy.pauseAll()")
    await tab.page.evaluate("uppy.resumeAll()")
    await tab.done()

    assert await asyncio.to_thread(tab.visit.content, "uppy/paused.bin") == content


@newest
async def test_a_cancelled_file_leaves_nothing(
    tab: Tab, s3_server: S3Server, folder: str, tmp_path: Path
) -> None:
    file, _ = made(tmp_path, "cancelled.bin", 12_000_001)

    await tab.choose(file, shouldUseMultipart=True, limit=1)
    await tab.page.wait_for_function("parts >= 1")
    await tab.page.evaluate("uppy.cancelAll()")

    for _ in range(300):
        if not (left := await uploads_in(s3_server, folder)):
            break
        await asyncio.sleep(0.1)
    assert left == []
