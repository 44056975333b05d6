"""An application in this process, so that the guard sees a blocked loop, and a client for it."""

import asyncio
import io
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from penstock.server import Services, build_app, make_runner
from penstock.settings import Settings
from penstock.wiring import open_services
from tests.catalog.conftest import postgres, url

__all__ = ["postgres", "url"]


@dataclass
class Api:
    """One application and a session that talks to it."""

    session: aiohttp.ClientSession
    services: Services
    port: int

    async def call(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        """Send a request; header names are written with underscores. Answers response and body."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, data=data, headers=fields) as response:
            return response, await response.read()

    async def put(self, key: str, data: bytes, **headers: str) -> dict[str, Any]:
        response, _ = await self.call("PUT", f"/v1/files/{key}", io.BytesIO(data), **headers)
        assert response.status in (200, 201)
        document: dict[str, Any] = await response.json()
        return document

    async def get(self, path: str, **headers: str) -> bytes:
        response, body = await self.call("GET", path, **headers)
        assert response.status in (200, 206)
        return body


StartApi = Callable[..., Awaitable[Api]]


@pytest.fixture
async def start_api(tmp_path: Path) -> AsyncIterator[StartApi]:
    """Start applications with settings of one's own."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Api:
            services = await asyncio.to_thread(
                lambda: open_services(Settings(data=tmp_path / "data", port=0, **options))
            )
            stack.push_async_callback(services.close)
            runner = make_runner(build_app(services))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            session = await stack.enter_async_context(
                aiohttp.ClientSession(
                    f"http://127.0.0.1:{port}", auto_decompress=False, raise_for_status=False
                )
            )
            return Api(session, services, port)

        yield start


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    """An application with the default settings."""
    return await start_api()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "penstock-test", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root, where it may mount, can make a small file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
