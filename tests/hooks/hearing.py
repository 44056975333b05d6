"""A receiver of webhooks that takes nothing whose signature the reference library refuses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aiohttp import web
from standardwebhooks import Webhook

SECRET = "whsec_c2l4dGVlbiBieXRlcyBhcmUgbm90IGVub3VnaCBmb3IgaXQ="

Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Heard:
    """One request that came in: the id of the message, and its body as read."""

    id: str
    type: str
    timestamp: str
    data: dict[str, Any]
    headers: dict[str, str]

    @property
    def name(self) -> str:
        return str(self.data["name"])


@dataclass
class Hearing:
    """What was heard so far. Requests get the next of ``answers``; when those are used up, 204."""

    url: str
    answers: list[int | Answer] = field(default_factory=list)
    every_answer: int | Answer = 204
    heard: list[Heard] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    _more: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def names(self) -> list[str]:
        return [heard.name for heard in self.heard]

    async def until(self, holds: Callable[[Sequence[Heard]], bool], timeout: float = 60) -> None:
        """Wait until it holds of what was heard."""
        async with asyncio.timeout(timeout), self._more:
            await self._more.wait_for(lambda: holds(self.heard))

    async def count(self, count: int) -> None:
        """Wait until so many requests have come."""
        await self.until(lambda heard: len(heard) >= count)

    async def hear(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        document = Webhook(SECRET).verify(body, dict(request.headers))
        assert json.loads(body) == document
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self._more:
            self.heard.append(Heard(headers["webhook-id"], **document, headers=headers))
            self._more.notify_all()
        answer = self.answers.pop(0) if self.answers else self.every_answer
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return web.Response(status=answer) if isinstance(answer, int) else await answer(request)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def hearing(port: int = 0, **options: Any) -> AsyncIterator[Hearing]:
    """A receiver on a port of this host, as long as the block lasts."""
    made = Hearing("", **options)
    app = web.Application()
    app.router.add_post("/hooks", made.hear)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    try:
        yield made
    finally:
        await runner.cleanup()


def held(release: asyncio.Event, status: int = 204) -> Answer:
    """An answer that waits for an event."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response(status=status)

    return answer


def with_headers(status: int, **headers: str) -> Answer:
    """An answer with headers; underscores in their names stand for hyphens."""

    async def answer(request: web.Request) -> web.StreamResponse:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, headers=fields)

    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    """A body without end, after a head that says yes."""
    response = web.StreamResponse(status=200)
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def silent(request: web.Request) -> web.StreamResponse:
    """No answer, as long as the other side stays."""
    await asyncio.Event().wait()
    return web.Response()


async def cut(request: web.Request) -> web.StreamResponse:
    """No answer: the connection is closed."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()
