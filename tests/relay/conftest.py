"""A relay in this process, so that the guard sees a blocked loop, and upstreams for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.client import retry
from penstock.relay import Options, Relay, build_relay, open_relay
from penstock.server import make_runner
from tests.faults import Source, faulty


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits between tries, shortened: the tests are about what follows them."""
    monkeypatch.setattr(retry, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(retry, "LONGEST_WAIT", 0.05)


@dataclass
class Caller:
    """A relay and a session that talks to it."""

    session: aiohttp.ClientSession
    relay: Relay
    folder: Path
    port: int

    async def call(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request; header names are written with underscores. Answers response and body."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, headers=fields) as response:
            return response, await response.read()

    async def get(self, path: str, **headers: str) -> bytes:
        response, body = await self.call(path, **headers)
        assert response.status in (200, 206), body
        return body


StartRelay = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def start_relay(tmp_path: Path) -> AsyncIterator[StartRelay]:
    """Start relays with options of one's own; ``stop=True`` closes those before."""
    async with AsyncExitStack() as all_of_them:
        stack = await all_of_them.enter_async_context(AsyncExitStack())

        async def start(upstream: str, *, stop: bool = False, **options: Any) -> Caller:
            if stop:
                await stack.aclose()
            folder = tmp_path / "relay"
            given = Options(upstream, folder, port=0, **options)
            relay = await open_relay(given)
            stack.push_async_callback(relay.close)
            runner = make_runner(build_relay(given, relay))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    f"http://127.0.0.1:{port}",
                    auto_decompress=False,
                    connector=aiohttp.TCPConnector(limit=0),
                )
            )
            return Caller(session, relay, folder, port)

        yield start


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """An upstream that does wrong what a test asks it to."""
    async with faulty() as made:
        yield made
