"""A TCP proxy between client and server that breaks what a test asks it to break."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PIECE = 16 << 10


@dataclass
class Faults:
    """What goes wrong, and what was seen.

    ``cut_answers`` and ``cut_requests`` hold, for each connection in turn, after how many bytes
    it is reset; once they are used up connections live. ``stall_requests`` likewise, but the
    connection stays open and nothing passes any more; ``stall_answers`` the same in the other
    direction. ``refusals`` are whole answers to the first requests of connections, which the
    server does not hear of; an empty one lets the connection live. ``flip_answer`` and
    ``flip_request`` turn over the bits of one byte, counted from the start of each connection.
    ``rate`` is the bytes per second of each connection's answers. ``digests`` says whether the
    client gets to know those that the server tells.
    """

    cut_answers: list[int] = field(default_factory=list)
    cut_requests: list[int] = field(default_factory=list)
    stall_requests: list[int] = field(default_factory=list)
    stall_answers: list[int] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    rate: float | None = None
    digests: bool = True
    flip_answer: int | None = None
    flip_request: int | None = None
    connections: int = 0
    answered: int = 0
    heads: list[bytes] = field(default_factory=list)

    @property
    def ranges(self) -> list[str]:
        """The ``Range`` fields of the requests that carried one."""
        return [f"Range: {value}" for value in self.fields("Range")]

    def fields(self, name: str) -> list[str]:
        """The values of a field in the requests that carried it."""
        lines = [line.decode() for head in self.heads for line in head.split(b"\r\n")]
        pairs = [line.partition(": ") for line in lines]
        return [value for told, _, value in pairs if told.lower() == name.lower()]


@dataclass
class Proxy(Faults):
    url: str = ""


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that gives each connection to ``handler``; all are closed at the end."""
    connections: set[asyncio.Task[None]] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        with suppress(asyncio.CancelledError, ConnectionError, EOFError):
            await handler(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@asynccontextmanager
async def proxy_to(server_url: str) -> AsyncIterator[Proxy]:
    """A proxy on a free port; its faults may be changed while it runs."""
    target = urlsplit(server_url)
    proxy = Proxy()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.connections += 1
        requests, answers = _take(proxy.cut_requests), _take(proxy.cut_answers)
        stall, silence = _take(proxy.stall_requests), _take(proxy.stall_answers)
        if proxy.refusals and (refusal := proxy.refusals.pop(0)):
            return await _refuse(reader, writer, refusal)
        source, sink = await asyncio.open_connection(target.hostname, target.port)
        ways = [
            asyncio.ensure_future(_requests(proxy, reader, sink, requests, stall)),
            asyncio.ensure_future(_answers(proxy, source, writer, answers, silence)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sink.transport.abort()
            writer.transport.abort()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async with listening(connect) as proxy.url:
        yield proxy


def _take(limits: list[int]) -> int | None:
    return limits.pop(0) if limits else None


async def _refuse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes
) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(answer)
    await writer.drain()
    await reader.read()  # until the client has seen it and leaves


async def _requests(
    proxy: Proxy,
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    limit: int | None,
    stall: int | None,
) -> None:
    passed = 0
    while data := await source.read(PIECE if limit is None else min(PIECE, limit - passed)):
        if stall is not None and passed >= stall:
            await asyncio.Event().wait()
        if b" HTTP/1.1\r\n" in data:
            proxy.heads.append(data.partition(b"\r\n\r\n")[0])
        sink.write(_flipped(data, passed, proxy.flip_request))
        await sink.drain()
        passed += len(data)


async def _answers(
    proxy: Proxy,
    source: asyncio.StreamReader,
    sink: asyncio.StreamWriter,
    limit: int | None,
    stall: int | None,
) -> None:
    passed = 0
    while data := await source.read(PIECE if limit is None else min(PIECE, limit - passed)):
        if stall is not None and passed >= stall:
            await asyncio.Event().wait()
        if proxy.rate is not None:
            await asyncio.sleep(len(data) / proxy.rate)
        if not proxy.digests:
            data = data.replace(b"\r\nRepr-Digest:", b"\r\nNo-Digest-1:")
        sink.write(_flipped(data, passed, proxy.flip_answer))
        await sink.drain()
        passed += len(data)
        proxy.answered += len(data)
    if limit is not None:  # what is on its way arrives, then the connection breaks
        await asyncio.sleep(0.05)


def _flipped(data: bytes, passed: int, at: int | None) -> bytes:
    if at is None or not passed <= at < passed + len(data):
        return data
    changed = bytearray(data)
    changed[at - passed] ^= 0xFF
    return bytes(changed)
