"""A locator: hears what nodes say, and answers what a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Locator:
    """``messages`` came so far, with the ``Authorization`` of each; ``status`` and ``said`` are
    the answer to the next ones, with the id of ``cluster``."""

    port: int = 0
    status: int = 200
    said: dict[str, str] | None = None
    cluster: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def more(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for so many more messages; answers them."""
        before = len(self.messages)
        async with asyncio.timeout(60), self.came:
            await self.came.wait_for(lambda: len(self.messages) >= before + count)
        return self.messages[before:]

    async def live(self, request: web.Request) -> web.Response:
        """``POST /live``."""
        self.messages.append(await request.json())
        self.authorizations.append(request.headers.get("Authorization"))
        async with self.came:
            self.came.notify_all()
        headers = {"X-Penstock-Cluster": self.cluster} if self.cluster else {}
        if self.said is not None:
            return web.json_response(self.said, status=self.status, headers=headers)
        return web.Response(status=self.status, headers=headers)


@asynccontextmanager
async def locating(port: int = 0) -> AsyncIterator[Locator]:
    """A locator on 127.0.0.1, on a free port if none is named."""
    locator = Locator()
    app = web.Application()
    app.router.add_post("/live", locator.live)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    locator.port = runner.addresses[0][1]
    try:
        yield locator
    finally:
        await runner.cleanup()
