"""A small HTTP server that does wrong what a test asks it to, and right everything else.

::

    async with faulty() as source:
        source.serve("/film", content, etag='"v1"', faults=[cut(1000), None, reset(5000)])
        … read source.url + "/film" …
        assert source.requests[0].method == "GET"
        await source.all_closed()

A healthy file is served as RFC 9110 asks: HEAD, Range, If-Range, If-Match, If-Unmodified-Since,
persistent connections. ``faults`` are for the GETs of a path in turn, ``head_faults`` for its
HEADs, where a ``cut`` or ``reset`` comes before the answer; ``None`` is a request that goes well,
and so do all when the list is used up.
"""

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from typing import NoReturn

PIECE = 16 << 10


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer; made by the functions below.

    ``after`` bytes of the body ``end`` happens: ``cut`` (FIN), ``reset`` (RST), ``stall``
    (silence until the client leaves) or ``garble`` (a chunk that is none, and silence). ``rate``
    is bytes per second. ``answer`` replaces status and body, ``length`` is the Content-Length
    told, ``headers`` are set on top, an empty one is left out; ``framing`` is ``length``,
    ``chunked`` or ``close``. Without ``ranges`` or ``conditions`` those are not understood.
    ``before`` is called first; ``silent`` is no answer at all.
    """

    end: str = ""
    after: int = 0
    rate: float | None = None
    answer: tuple[int, bytes] | None = None
    length: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    framing: str = ""
    ranges: bool = True
    conditions: bool = True
    before: Callable[[], None] | None = None
    silent: bool = False


def cut(after: int, *, framing: str = "") -> Fault:
    """The connection is closed, in order, after so many bytes of the body."""
    return Fault(end="cut", after=after, framing=framing)


def reset(after: int) -> Fault:
    """The connection is reset after so many bytes of the body."""
    return Fault(end="reset", after=after)


def stall(after: int) -> Fault:
    """Nothing more comes after so many bytes of the body, but the connection stays."""
    return Fault(end="stall", after=after)


def mute() -> Fault:
    """The request is taken, and never answered."""
    return Fault(silent=True)


def throttle(rate: float) -> Fault:
    """The body comes at ``rate`` bytes per second."""
    return Fault(rate=rate)


def status(code: int, body: bytes = b"", **headers: str) -> Fault:
    """Another answer; underscores in the names of headers stand for hyphens."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault(answer=(code, body), headers=fields)


def redirect(to: str, code: int = 302) -> Fault:
    """The file is elsewhere."""
    return Fault(answer=(code, b""), headers={"Location": to})


def lie(length: int) -> Fault:
    """Content-Length is not that of the body."""
    return Fault(length=length)


def ignore_range() -> Fault:
    """The whole file is sent, whatever was asked for."""
    return Fault(ranges=False)


def ignore_conditions() -> Fault:
    """``If-Match`` and its kin are not understood."""
    return Fault(conditions=False)


def chunked() -> Fault:
    """The body comes in chunks, without its length."""
    return Fault(framing="chunked")


def garble(after: int) -> Fault:
    """After so many bytes comes a chunk that is none, and then silence."""
    return Fault(framing="chunked", end="garble", after=after)


def until_close() -> Fault:
    """The body ends where the connection does."""
    return Fault(framing="close")


def with_headers(**headers: str) -> Fault:
    """More headers, or others; one that is empty is left out."""
    return Fault(headers={name.replace("_", "-"): value for name, value in headers.items()})


def after(change: Callable[[], None]) -> Fault:
    """Something is done before the answer, such as another version being served."""
    return Fault(before=change)


@dataclass(frozen=True)
class Request:
    """What a client asked; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class File:
    """What is at a path now."""

    content: bytes
    etag: str | None = None
    last_modified: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    faults: list[Fault | None] = field(default_factory=list)
    head_faults: list[Fault | None] = field(default_factory=list)
    always: Fault | None = None


class Source:
    """The server: what it serves and what it saw.

    ``open`` counts the connections that are open now, ``most_open`` how many were at once, and
    ``sent`` the bytes of bodies that went into sockets.
    """

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, File] = {}
        self.requests: list[Request] = []
        self.open = 0
        self.most_open = 0
        self.accepted = 0
        self.sent = 0
        self._moved = asyncio.Condition()

    def serve(
        self,
        path: str,
        content: bytes,
        *,
        etag: str | None = None,
        last_modified: int | None = None,
        headers: dict[str, str] | None = None,
        faults: Sequence[Fault | None] = (),
        head_faults: Sequence[Fault | None] = (),
        always: Fault | None = None,
    ) -> str:
        """Put a file at ``path``; ``always`` is wrong with every answer. Answers its URL."""
        self.files[path] = File(
            content, etag, last_modified, headers or {}, list(faults), list(head_faults), always
        )
        return self.url + path

    @property
    def ranges(self) -> list[str | None]:
        """The ``Range`` of each GET so far."""
        return [seen.headers.get("range") for seen in self.requests if seen.method == "GET"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def all_closed(self) -> None:
        """Wait until no client has a connection open."""
        await self.until(lambda: self.open == 0)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that connections, requests or sent bytes decide."""
        async with asyncio.timeout(30), self._moved:
            await self._moved.wait_for(holds)

    async def moved(self) -> None:
        """Let those look again who wait for something."""
        async with self._moved:
            self._moved.notify_all()


@asynccontextmanager
async def faulty(
    *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Source]:
    """A server at ``host``, on a free port if none is named."""
    source = Source()
    tasks: set[asyncio.Task[None]] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        source.accepted += 1
        source.open += 1
        source.most_open = max(source.most_open, source.open)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await _Connection(source, reader, writer).serve()
        finally:
            writer.transport.abort()
            source.open -= 1
            tasks.discard(task)
            await source.moved()

    server = await asyncio.start_server(connect, host, port, ssl=tls)
    shown = f"[{host}]" if ":" in host else host
    source.url = f"{'https' if tls else 'http'}://{shown}:{server.sockets[0].getsockname()[1]}"
    try:
        yield source
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Hangup(ConnectionError):
    """The connection is to end here."""


class _Connection:
    def __init__(
        self, source: Source, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._source = source
        self._reader = reader
        self._writer = writer

    async def serve(self) -> None:
        while True:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            pairs = (line.partition(":") for line in head[1:] if line)
            fields = {name.lower(): value.strip() for name, _, value in pairs}
            request = Request(method, path, fields)
            self._source.requests.append(request)
            await self._source.moved()
            await self._answer(request)

    async def _answer(self, request: Request) -> None:
        file = self._source.files.get(request.path.partition("?")[0])
        if file is None:
            await self._send(request, 404, {}, b"no such file", Fault())
            return
        waiting = file.head_faults if request.method == "HEAD" else file.faults
        fault = (waiting.pop(0) if waiting else None) or file.always or Fault()
        if fault.before is not None:
            fault.before()
            file = self._source.files[request.path.partition("?")[0]]
        if fault.silent:
            await self._stall()
        if request.method == "HEAD" and fault.end == "reset":
            self._reset()
        if request.method == "HEAD" and fault.end == "cut":
            await self._finish()
        if fault.answer is not None:
            code, body = fault.answer
            await self._send(request, code, {}, body, fault)
            return
        code, headers, body = _healthy(request, file, fault)
        await self._send(request, code, headers, body, fault)

    async def _send(
        self, request: Request, code: int, headers: dict[str, str], body: bytes, fault: Fault
    ) -> None:
        framing = fault.framing or "length"
        if framing == "length":
            told = len(body) if fault.length is None else fault.length
            headers = {"Content-Length": str(told), **headers}
        elif framing == "chunked":
            headers = {"Transfer-Encoding": "chunked", **headers}
        headers |= fault.headers
        lines = [f"HTTP/1.1 {code} Faulty", *(f"{n}: {v}" for n, v in headers.items() if v)]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape"))
        if request.method != "HEAD":
            await self._body(body, fault, framing)
        await self._writer.drain()
        if framing == "close" or fault.length is not None:
            await self._finish()

    async def _body(self, body: bytes, fault: Fault, framing: str) -> None:
        limit = fault.after if fault.end else len(body)
        size = PIECE if fault.rate is None else max(1, min(PIECE, int(fault.rate / 20)))
        for at in range(0, min(limit, len(body)), size):
            piece = body[at : min(at + size, limit)]
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece
            self._writer.write(framed)
            await self._writer.drain()
            self._source.sent += len(piece)
            await self._source.moved()
            if fault.rate is not None:
                await asyncio.sleep(len(piece) / fault.rate)
        if fault.end == "garble":
            self._writer.write(b"no number\r\n\r\n")
        if fault.end in ("stall", "garble"):
            await self._stall()
        if fault.end == "reset":
            self._reset()
        if fault.end == "cut":
            await self._finish()
        if framing == "chunked":
            self._writer.write(b"0\r\n\r\n")

    async def _stall(self) -> None:
        """Nothing, until the client leaves."""
        while await self._reader.read(PIECE):
            pass
        raise _Hangup

    async def _finish(self) -> None:
        """Everything that was written arrives, then the connection ends."""
        await self._writer.drain()
        if self._writer.can_write_eof():
            self._writer.write_eof()
            await self._stall()
        self._writer.close()
        raise _Hangup

    def _reset(self) -> NoReturn:
        made: socket.socket = self._writer.get_extra_info("socket")
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise _Hangup


def _healthy(request: Request, file: File, fault: Fault) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body as they should be."""
    headers = {"Accept-Ranges": "bytes" if fault.ranges else "", **file.headers}
    if file.etag is not None:
        headers["ETag"] = file.etag
    if file.last_modified is not None:
        headers["Last-Modified"] = formatdate(file.last_modified, usegmt=True)
    if fault.conditions and not _is_meant(request, file):
        return 412, headers, b""
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None or not fault.ranges or request.method == "HEAD":
        return 200, headers, file.content
    size = len(file.content)
    first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
    if first >= size:
        return 416, {**headers, "Content-Range": f"bytes */{size}"}, b""
    headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return 206, headers, file.content[first : last + 1]


def _is_meant(request: Request, file: File) -> bool:
    """Whether the request is for the version that is there (RFC 9110 §13.1.1, §13.1.4)."""
    tag = request.headers.get("if-match")
    if tag is not None:
        return tag == "*" or tag == file.etag
    since = request.headers.get("if-unmodified-since")
    if since is None or file.last_modified is None:
        return True
    return file.last_modified <= parsedate_to_datetime(since).timestamp()
