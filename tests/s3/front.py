"""A server in front of an S3 server that does wrong what a test asks it to.

::

    async with front_of(s3_server) as front:
        front.wrong(PUT, error(503, "SlowDown"), times=2)
        … use front.url as the endpoint …
        assert front.count(PUT) == 3
"""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import aiohttp
from aiohttp import web
from yarl import URL

from tests.s3.servers import S3Server


@dataclass(frozen=True)
class Seen:
    """A request; names of headers are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]


class Answered(NamedTuple):
    """What S3 said to a request; ``sent`` and ``received`` are the bytes of the bodies."""

    seen: Seen
    status: int
    sent: int
    received: int


Kind = Callable[[Seen], bool]
Act = Callable[["Exchange"], Awaitable[web.StreamResponse]]


def PUT(seen: Seen) -> bool:
    """PutObject of a file, not of what the store keeps beside them."""
    return seen.method == "PUT" and not seen.query and "/.penstock/" not in seen.path


def PART(seen: Seen) -> bool:
    """UploadPart."""
    return seen.method == "PUT" and "partNumber" in seen.query


def COPY(seen: Seen) -> bool:
    """UploadPartCopy."""
    return "x-amz-copy-source" in seen.headers


def SENT(seen: Seen) -> bool:
    """UploadPart, and no UploadPartCopy."""
    return PART(seen) and not COPY(seen)


def COMPLETE(seen: Seen) -> bool:
    """CompleteMultipartUpload."""
    return seen.method == "POST" and "uploadId" in seen.query


def GET(seen: Seen) -> bool:
    """GetObject of a file."""
    return seen.method == "GET" and not seen.query and "/.penstock/" not in seen.path


def LIST(seen: Seen) -> bool:
    """ListObjectsV2."""
    return seen.method == "GET" and "list-type" in seen.query


def LIST_PARTS(seen: Seen) -> bool:
    """ListParts."""
    return seen.method == "GET" and "uploadId" in seen.query


def CREATE(seen: Seen) -> bool:
    """CreateMultipartUpload."""
    return seen.method == "POST" and "uploads" in seen.query


def NOTE(seen: Seen) -> bool:
    """PutObject of a note of a multipart upload."""
    return seen.method == "PUT" and "/.penstock/multipart/" in seen.path


def UNNOTE(seen: Seen) -> bool:
    """DeleteObject of such a note."""
    return seen.method == "DELETE" and "/.penstock/multipart/" in seen.path


def DELETE(seen: Seen) -> bool:
    """DeleteObject of a file."""
    return seen.method == "DELETE" and not seen.query and "/.penstock/" not in seen.path


def HEAD(seen: Seen) -> bool:
    """HeadObject."""
    return seen.method == "HEAD"


class Exchange:
    """A request that goes wrong."""

    def __init__(self, front: "Front", request: web.BaseRequest) -> None:
        self._front = front
        self.request = request

    async def passed(self, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
        """What the real server answers."""
        return await self._front.forward(self.request, body)

    def reset(self) -> NoReturn:
        """The connection is reset."""
        assert self.request.transport is not None
        self.request.transport.abort()
        raise ConnectionResetError


class Front:
    """Where it is, what it saw, and what is to go wrong."""

    def __init__(self, session: aiohttp.ClientSession, target: str) -> None:
        self._session = session
        self._target = target
        self._wrong: list[tuple[Kind, Act]] = []
        self.url = ""
        self.seen: list[Seen] = []
        self.answered: list[Answered] = []

    def wrong(self, kind: Kind, act: Act, times: int = 1) -> None:
        """The next requests of that kind go wrong."""
        self._wrong += [(kind, act)] * times

    def of(self, kind: Kind) -> list[Seen]:
        """The requests of that kind so far."""
        return [seen for seen in self.seen if kind(seen)]

    def count(self, kind: Kind) -> int:
        return len(self.of(kind))

    async def forward(
        self, request: web.BaseRequest, body: bytes | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        body = await request.content.read() if body is None else body
        async with self._session.request(
            request.method,
            URL(f"{self._target}{request.raw_path}", encoded=True),
            headers=request.headers,
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
        ) as response:
            left_out = ("transfer-encoding", "connection", "date")
            headers = {n: v for n, v in response.headers.items() if n.lower() not in left_out}
            answer = await response.read()
            self.answered.append(
                Answered(seen_of(request), response.status, len(body), len(answer))
            )
            return response.status, headers, answer

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = seen_of(request)
        self.seen.append(seen)
        for number, (kind, act) in enumerate(self._wrong):
            if kind(seen):
                del self._wrong[number]
                return await act(Exchange(self, request))
        return as_answer(request, *await self.forward(request))


def seen_of(request: web.BaseRequest) -> Seen:
    """A request as it is kept."""
    path, _, query = request.raw_path.partition("?")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Seen(request.method, path, query, headers)


def as_answer(
    request: web.BaseRequest, status: int, headers: dict[str, str], body: bytes
) -> web.Response:
    if request.method == "HEAD":
        return web.Response(status=status, headers=headers)
    length = {"Content-Length": str(len(body))} if status not in (204, 304) else {}
    return web.Response(status=status, headers={**headers, **length}, body=body)


def error(status: int, code: str) -> Act:
    """S3 is not asked, and this is the answer."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await exchange.request.content.read()
        text = f"<Error><Code>{code}</Code><Message>by the test</Message></Error>"
        return web.Response(status=status, text=text, content_type="application/xml")

    return act


def reset_request(after: int) -> Act:
    """The connection is reset when so many bytes of the request's body have come."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        came = 0
        async for data in exchange.request.content.iter_any():
            came += len(data)
            if came >= after:
                break
        exchange.reset()

    return act


def then(afterwards: Callable[[], None]) -> Act:
    """S3 does what it is asked; then something else happens, and nobody hears of the answer."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await exchange.passed()
        await asyncio.to_thread(afterwards)
        if exchange.request.transport is not None:  # else who asked is gone
            exchange.reset()
        raise ConnectionResetError

    return act


def held(gate: asyncio.Event) -> Act:
    """S3 is asked when the gate opens."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        body = await exchange.request.content.read()
        await gate.wait()
        return as_answer(exchange.request, *await exchange.passed(body))

    return act


def held_answer(done: asyncio.Event, gate: asyncio.Event) -> Act:
    """S3 does what it is asked, and ``done`` is set; the answer comes when the gate opens."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        answer = await exchange.passed()
        done.set()
        await gate.wait()
        return as_answer(exchange.request, *answer)

    return act


class OtherEtags:
    """ETags of parts that are not the MD5 of their bytes, as where S3 encrypts."""

    def __init__(self) -> None:
        self._real: dict[bytes, bytes] = {}

    async def part(self, exchange: Exchange) -> web.StreamResponse:
        """Answers another ETag than S3 does, of the same length."""
        status, headers, body = await exchange.passed()
        name = next(name for name in headers if name.lower() == "etag")
        other = f'"{headers[name].strip(chr(34))[::-1]}"'
        self._real[other.strip('"').encode()] = headers[name].strip('"').encode()
        return as_answer(exchange.request, status, {**headers, name: other}, body)

    async def complete(self, exchange: Exchange) -> web.StreamResponse:
        """S3 is told its own."""
        body = await exchange.request.content.read()
        for other, real in self._real.items():
            body = body.replace(other, real)
        return as_answer(exchange.request, *await exchange.passed(body))


def lose_answer() -> Act:
    """S3 does what it is asked, and nobody hears of it."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        await exchange.passed()
        exchange.reset()

    return act


def cut_answer(after: int) -> Act:
    """The connection is reset after so many bytes of the answer's body."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        status, headers, body = await exchange.passed()
        response = web.StreamResponse(status=status, headers=headers)
        response.content_length = len(body)
        await response.prepare(exchange.request)
        await response.write(body[:after])
        exchange.reset()

    return act


def with_header(name: str, value: str) -> Act:
    """The answer has another header field."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        status, headers, body = await exchange.passed()
        headers = {n: v for n, v in headers.items() if n.lower() != name.lower()}
        return as_answer(exchange.request, status, {**headers, name: value}, body)

    return act


def flip_request(at: int) -> Act:
    """A byte of the request's body is another one when it arrives."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        body = bytearray(await exchange.request.content.read())
        body[at] ^= 0xFF
        return as_answer(exchange.request, *await exchange.passed(bytes(body)))

    return act


@asynccontextmanager
async def front_of(server: S3Server) -> AsyncIterator[Front]:
    """A front on a free port."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding", "User-Agent"),
    ) as session:
        front = Front(session, server.endpoint)
        runner = web.ServerRunner(web.Server(front.serve), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield front
        finally:
            await runner.cleanup()
