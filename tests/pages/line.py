"""A line between the browser and the server: slow, held up, cut, and it knows what passed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.client.proxy import listening

_PIECE = 16 << 10
_LOOK = 0.02


@dataclass
class Line:
    """Everything from the browser passes here.

    Bytes of PATCH requests, heads included, are counted in ``passed``; ``rate`` is how many of
    them pass in a second on each connection, ``room`` how many may still pass on all together
    before they are held up. ``None`` is without limit. While ``down`` nobody gets through, while
    ``mute`` no answer does.
    """

    target: str
    url: str = ""
    rate: float | None = None
    room: int | None = None
    down: bool = False
    mute: bool = False
    passed: int = 0
    heads: list[str] = field(default_factory=list)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _held: set[asyncio.StreamWriter] = field(default_factory=set)
    _stranded: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def held(self) -> bool:
        """Whether bytes wait, for there is no room left."""
        return self.room == 0 and len(self._held) > 0

    def hold_after(self, room: int) -> None:
        """Let so many more bytes pass, then none."""
        self.room = room

    def release(self) -> None:
        self.room = None
        self.rate = None
        self.down = False
        self.mute = False

    def cut(self) -> None:
        """Break every connection there is; and let nobody through until :meth:`release`."""
        self.down = True
        for writer in self._open:
            writer.transport.abort()

    def strand(self) -> None:
        """Let the connections whose bytes wait stay open, and nothing pass on them any more."""
        self._stranded |= self._held

    def offsets(self) -> list[int]:
        """Where the bytes of each PATCH went, in the order in which they were sent."""
        lines = [
            line for head in self.heads if head.startswith("PATCH") for line in head.split("\r\n")
        ]
        return [
            int(line.split(":")[1]) for line in lines if line.lower().startswith("upload-offset")
        ]

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser, to its end."""
        if self.down:
            return
        place = urlsplit(self.target)
        source, sink = await asyncio.open_connection(place.hostname, place.port)
        self._open |= {writer, sink}
        requests = asyncio.ensure_future(self._requests(reader, sink))
        answers = asyncio.ensure_future(self._answers(source, writer))
        try:
            await asyncio.wait([requests, answers], return_when=asyncio.FIRST_COMPLETED)
            sink.close()
            requests.cancel()
            await asyncio.gather(requests, return_exceptions=True)
            await _finish(reader, writer)
        finally:
            self._open -= {writer, sink}
            sink.close()
            requests.cancel()
            answers.cancel()
            await asyncio.gather(requests, answers, return_exceptions=True)

    async def _requests(self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        patching = False
        while data := await reader.read(_PIECE):
            if b" HTTP/1.1\r\n" in data:
                self.heads.append(data.partition(b"\r\n\r\n")[0].decode("latin-1"))
                patching = self.heads[-1].startswith("PATCH")
            if patching:
                await self._patch(data, reader, sink)
            else:
                sink.write(data)
                await sink.drain()

    async def _patch(
        self, data: bytes, reader: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Let ``data`` pass, as far and as fast as it may."""
        while data:
            if self.room == 0:
                data += await self._wait(reader, sink)
            allowed = len(data) if self.room is None else min(len(data), self.room)
            if self.room is not None:
                self.room -= allowed
            sink.write(data[:allowed])
            await sink.drain()
            self.passed += allowed
            data = data[allowed:]
            await asyncio.sleep(allowed / self.rate if self.rate else 0)

    async def _wait(self, reader: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bytes:
        """Wait for room. What comes meanwhile is taken, else it could not be seen who leaves."""
        came = bytearray()
        self._held.add(sink)
        try:
            while self.room == 0 or sink in self._stranded:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        piece = await reader.read(_PIECE)
                    if not piece:
                        raise ConnectionResetError
                    came += piece
        finally:
            self._held.discard(sink)
        return bytes(came)

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_PIECE):
            if not self.mute:
                sink.write(data)
                await sink.drain()
        while self.mute:  # nor does the browser hear that this was all
            await asyncio.sleep(_LOOK)


async def _finish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The server has said all: let it arrive, though the browser may be sending still."""
    if writer.can_write_eof() and not writer.transport.is_closing():
        writer.write_eof()
        while await reader.read(_PIECE):
            pass


@asynccontextmanager
async def line_to(server_url: str) -> AsyncIterator[Line]:
    """A line on a free port."""
    line = Line(server_url)
    async with listening(line.carry) as line.url:
        yield line
