"""Uppy, another page's client of tus, in a real browser on a bad line."""

import json
import random
import subprocess
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.conftest import StartServer
from tests.eventually import eventually
from tests.npm import npm_packages
from tests.pages.line import Line, line_to
from tests.pages.visiting import OpenVisit, Visit, made

pytestmark = pytest.mark.asyncio(loop_scope="module")

_SOURCE = """
import Uppy from "@uppy/core";
import Tus from "@uppy/tus";

const uppy = new Uppy({autoProceed: true});
uppy.use(Tus, {endpoint: "/v1/uploads", retryDelays: Array(100).fill(300)});
uppy.on("complete", ({successful, failed}) => {
  const ended = `${successful.length} done, ${failed.length} failed`;
  document.querySelector("output").textContent = ended;
});
document.querySelector("input").addEventListener("change", ({target}) => {
  const [file] = target.files;
  uppy.addFile({name: `uppy/${file.name}`, type: file.type, data: file});
});
window.uppy = uppy;
"""
_PAGE = """<!doctype html><title>Uppy</title><input type="file"><output></output>
<script src="/uppy.js"></script>"""


@pytest.fixture(scope="session")
def uppy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Uppy and its tus plugin as one script."""
    modules = npm_packages("@uppy/core@6.3.1", "@uppy/tus@6.0.0", "esbuild@0.28.2")
    folder = tmp_path_factory.mktemp("uppy")
    (folder / "node_modules").symlink_to(modules)
    (folder / "page.js").write_text(_SOURCE)
    bundle = [str(modules / ".bin/esbuild"), "page.js", "--bundle", "--outfile=uppy.js"]
    subprocess.run(bundle, cwd=folder, check=True, capture_output=True)
    return (folder / "uppy.js").read_text()


async def _open(visit: Visit, uppy: str) -> None:
    """The page of Uppy, at the origin of the server."""
    page = visit.page
    served = {"uppy.html": ("text/html", _PAGE), "uppy.js": ("text/javascript", uppy)}
    for name, (kind, body) in served.items():
        await page.route(
            f"{visit.url}/{name}",
            lambda route, kind=kind, body=body: route.fulfill(content_type=kind, body=body),
        )
    await page.goto(f"{visit.url}/uppy.html")
    await page.unroute_all()


async def _part_way(visit: Visit, line: Line, file: Path) -> None:
    line.hold_after(2_000_000)
    await visit.page.locator("input").set_input_files(file)
    assert await eventually(lambda: line.held, 30)


@pytest.mark.parametrize("trouble", ["cut", "stalled", "killed"])
async def test_uppy_goes_on_after(
    visiting: OpenVisit, start_server: StartServer, uppy: str, tmp_path: Path, trouble: str
) -> None:
    content = random.Random(1).randbytes(4_000_000)
    local = made(tmp_path / "local", {"big.bin": content})
    server = start_server(tmp_path / "data")
    async with line_to(server.url) as line:
        visit = await visiting(url=line.url)
        visit.server = server
        await _open(visit, uppy)
        await _part_way(visit, line, local / "big.bin")

        if trouble == "cut":
            line.cut()
            assert await eventually(lambda: not visit.unfinished("uppy/big.bin")[0]["active"], 30)
        elif trouble == "stalled":
            line.strand()
        else:
            server.kill()
            visit.server = start_server(tmp_path / "data", port=server.port)
        line.release()
        if trouble == "stalled":
            await visit.page.evaluate("uppy.pauseAll(); uppy.resumeAll()")

        output = visit.page.locator("output")
        await expect(output).to_have_text("1 done, 0 failed", timeout=30_000)
        assert visit.content("uppy/big.bin") == content
        assert visit.stored_as("uppy/big.bin")["content_type"] == "application/octet-stream"
        if trouble == "cut":  # else what the server had not taken in yet is sent again
            assert line.offsets()[-1] > 1_000_000


async def test_our_script_is_the_one_that_is_published() -> None:
    modules = npm_packages("tus-js-client@4.3.1")
    ours = Path(__file__).parents[2] / "src/penstock/server/static/tus"

    assert (
        json.loads((modules / "tus-js-client/package.json").read_text())["version"]
        in (ours / "NOTICE").read_text()
    )
    for name in ("dist/tus.min.js", "LICENSE"):
        published = (modules / "tus-js-client" / name).read_bytes()
        assert (ours / Path(name).name).read_bytes() == published
