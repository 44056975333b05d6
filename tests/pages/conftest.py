"""A headless Chromium on the pages of a real server."""

import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.pages.line import Line, line_to
from tests.pages.visiting import OpenVisit, Stored, Visit
from tests.serving import RunningServer

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium; without one the tests of the pages are skipped."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip("the pages are tested with Chromium, which is not installed")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One browser for the tests of a module."""
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visiting(browser: Browser, server: RunningServer) -> AsyncIterator[OpenVisit]:
    """Opens tabs, each with a profile of its own; options are Playwright's for a context.

    ``url`` is where the server is reached, if not straight.
    """
    contexts = []

    async def visit(
        width: int = 1280, height: int = 900, url: str = server.url, **options: Any
    ) -> Visit:
        context = await browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", **options
        )
        contexts.append(context)
        return Visit(await context.new_page(), server, url)

    yield visit
    for context in contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(visiting: OpenVisit) -> Visit:
    """One tab at the width of a desktop."""
    return await visiting()


@pytest_asyncio.fixture(loop_scope="module")
async def line(server: RunningServer) -> AsyncIterator[Line]:
    """A line to the server that can be slow, held up and cut."""
    async with line_to(server.url) as line:
        yield line


@pytest_asyncio.fixture(loop_scope="module")
async def far(visiting: OpenVisit, line: Line) -> Visit:
    """One tab at the other end of the line."""
    return await visiting(url=line.url)


@pytest.fixture
def stored(server: RunningServer, request: pytest.FixtureRequest) -> Stored:
    """Lay files into a folder of the store that is this test's own; answers its prefix."""
    prefix = f"{request.node.name.replace('[', '-').strip(']')}/"

    def store(files: dict[str, bytes]) -> str:
        for name, content in files.items():
            path = server.data / "files" / prefix / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return prefix

    return store
