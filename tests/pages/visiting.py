"""A tab of the browser, in the words of someone who uses the pages."""

import json
import urllib.request
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Locator, Page, expect

from tests.serving import RunningServer

_AXE = resources.files("axe_playwright_python") / "axe.min.js"
_AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Visit:
    """One tab on one server, reached at ``url``, and what it did."""

    def __init__(self, page: Page, server: RunningServer, url: str) -> None:
        self.page = page
        self.server = server
        self.url = url
        self.requested: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requested.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda message: self._said(message.type, message.text))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    async def go(self, folder: str = "") -> None:
        """Open the page of a folder (a prefix) and wait until it is shown."""
        await self.page.goto(f"{self.url}/?prefix={folder}")
        await self.shown()

    async def shown(self) -> None:
        await expect(self.page.locator("#listing")).to_have_attribute("aria-busy", "false")

    def row(self, name: str) -> Locator:
        """The row of the table that is named so."""
        return self.page.get_by_role("row").filter(has=self.page.get_by_text(name, exact=True))

    async def lists(self, *names: str) -> None:
        """Wait until the table lists these, from top to bottom, and nothing else."""
        await expect(self.page.locator("#rows .entry-name")).to_have_text(names)

    async def tick(self, *names: str) -> None:
        for name in names:
            await self.page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()

    async def add_files(self, *files: Path) -> None:
        await self.page.locator("#pick-files").set_input_files(files)

    async def add_folder(self, folder: Path) -> None:
        await self.page.locator("#pick-folder").set_input_files(folder)

    async def uploaded(self, count: int) -> None:
        """Wait until so many uploads are stored; if they are not, say what the page shows."""
        done = self.page.locator('.upload[data-state="done"]')
        try:
            await expect(done).to_have_count(count, timeout=20_000)
        except AssertionError:
            shown = await self.page.locator(".upload").all_inner_texts()
            raise AssertionError(f"{count} uploads are not done; shown: {shown}") from None

    def upload(self, name: str) -> Locator:
        """The row of the upload of this name."""
        return self.page.locator(".upload", has_text=name)

    async def press(self, action: str, name: str) -> None:
        """Press a button of an upload."""
        await self.page.get_by_role("button", name=f"{action} {name}", exact=True).click()

    def content(self, key: str) -> bytes:
        """What the server sends for a key."""
        return self._fetch(f"/v1/files/{quote(key)}")

    def stored_as(self, key: str) -> dict[str, Any]:
        """What the server knows of a stored file."""
        [file] = json.loads(self._fetch(f"/v1/files?prefix={quote(key)}"))["files"]
        found: dict[str, Any] = file
        return found

    def unfinished(self, key: str) -> list[dict[str, Any]]:
        """The uploads to a key that the server has and that are not ended."""
        uploads: list[dict[str, Any]]
        uploads = json.loads(self._fetch(f"/v1/uploads?key={quote(key)}"))["uploads"]
        return uploads

    def _fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.server.url}{path}") as answer:
            body: bytes = answer.read()
            return body

    async def axe(self, exclude: str = "#none", rules: list[str] | None = None) -> list[str]:
        """What axe finds wrong with the page as it is now; by these rules, or by all there are."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = await self.page.evaluate(
            """([exclude, runOnly]) =>
                axe.run({exclude: [exclude]}, {runOnly, resultTypes: ["violations"]})""",
            [exclude, rules or _AXE_RULES],
        )
        return [
            f"{violation['id']}: {node['html']} {node['failureSummary']}"
            for violation in found["violations"]
            for node in violation["nodes"]
        ]


def made(folder: Path, files: dict[str, bytes]) -> Path:
    """Lay files into a folder of this machine, to be added to the page."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


OpenVisit = Callable[..., Awaitable[Visit]]
Stored = Callable[[dict[str, bytes]], str]
