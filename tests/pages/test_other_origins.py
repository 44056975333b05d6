"""A page of another origin, in a real browser: it may use the server if it is let in."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Browser, Page

import penstock.server
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

_STATIC = Path(penstock.server.__file__).with_name("static")
_PAGE = '<!doctype html><title>Another page</title><script src="/tus.min.js"></script>'
_LIST = """async ([url, token]) => {
  const headers = {Authorization: `Bearer ${token}`};
  const answer = await fetch(`${url}/v1/files`, {headers});
  const {files} = await answer.json();
  const id = answer.headers.get("X-Request-ID");
  return {status: answer.status, keys: files.map(({key}) => key), id};
}"""
_SEND = """([url, token, size]) => new Promise((resolve, reject) => {
  const upload = new tus.Upload(new Blob([new Uint8Array(size).fill(7)]), {
    endpoint: `${url}/v1/uploads`, chunkSize: size / 2, retryDelays: null,
    headers: {Authorization: `Bearer ${token}`},
    metadata: {filename: "from-elsewhere.bin"},
    onSuccess: () => resolve(upload.url), onError: reject,
  });
  upload.start();
})"""
_BY_COOKIE = """async (url) => {
  try {
    await fetch(`${url}/v1/files/by-cookie`, {method: "PUT", body: "x", credentials: "include"});
  } catch (error) {
    return error.name;
  }
}"""


@dataclass
class Place:
    """A server, a token of it, and where the other page is."""

    server: RunningServer
    token: str
    origin: str


async def _elsewhere(runner: web.AppRunner) -> str:
    """Serve the other page; answers its origin, which is another site, too."""
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://localhost:{runner.addresses[0][1]}"


def _application() -> web.Application:
    script = (_STATIC / "tus/tus.min.js").read_text()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def tus(request: web.Request) -> web.Response:
        return web.Response(text=script, content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/tus.min.js", tus)
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    runner = web.AppRunner(await asyncio.to_thread(_application))
    origin = await _elsewhere(runner)
    server = await asyncio.to_thread(
        RunningServer,
        tmp_path_factory.mktemp("origins") / "data",
        access="on",
        dashboard_password="of-the-test",
        cors_origins=origin,
    )
    try:
        yield Place(server, await _token_of(server), origin)
    finally:
        await runner.cleanup()
        assert await asyncio.to_thread(server.stop) == 0


async def _token_of(server: RunningServer) -> str:
    wish = {"name": "page", "scopes": ["read", "write"]}
    login = {"Authorization": aiohttp.encode_basic_auth("admin", "of-the-test")}
    async with (
        aiohttp.ClientSession(headers=login) as session,
        session.post(f"{server.url}/v1/tokens", json=wish) as answer,
    ):
        document: dict[str, str] = await answer.json()
        return document["token"]


async def _opened(browser: Browser, place: Place, origin: str) -> Page:
    page = await browser.new_page()
    await page.goto(origin)
    return page


async def test_a_page_that_is_let_in_lists_and_sends(browser: Browser, place: Place) -> None:
    page = await _opened(browser, place, place.origin)
    size = 300_000

    upload = await page.evaluate(_SEND, [place.server.url, place.token, size])
    listed: dict[str, Any] = await page.evaluate(_LIST, [place.server.url, place.token])

    assert upload.startswith(f"{place.server.url}/v1/uploads/")
    assert listed["status"] == 200
    assert "from-elsewhere.bin" in listed["keys"]
    assert listed["id"]
    stored = place.server.data / "files" / "from-elsewhere.bin"
    assert (await asyncio.to_thread(stored.stat)).st_size == size
    await page.close()


async def test_one_that_is_not_cannot_even_with_a_token(browser: Browser, place: Place) -> None:
    other = web.AppRunner(await asyncio.to_thread(_application))
    page = await _opened(browser, place, await _elsewhere(other))

    for script, asked in (
        (_LIST, [place.server.url, place.token]),
        (_SEND, [place.server.url, place.token, 1000]),
    ):
        with pytest.raises(Exception, match=r"Failed to fetch|failed to create upload"):
            await page.evaluate(script, asked)
    await page.close()
    await other.cleanup()


async def test_a_login_in_the_browser_is_of_no_use_to_another_page(
    browser: Browser, place: Place
) -> None:
    page = await _opened(browser, place, place.origin)

    assert await page.evaluate(_BY_COOKIE, place.server.url) == "TypeError"

    stored = place.server.data / "files" / "by-cookie"
    assert not await asyncio.to_thread(stored.exists)
    await page.close()
