"""The bytes of an upload that is followed, for one answer: of its own file, or the stored one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import web

from penstock.errors import Busy, KeyConflict, NotFound, Stalled, UploadGone
from penstock.octets.ranges import Span
from penstock.server.chunked import send_chunk_head, send_chunk_tail
from penstock.server.content import Content, open_content
from penstock.server.services import services_of
from penstock.server.wire import Wire
from penstock.uploads import Reader

_LOOK = 1.0
"""Seconds after which a reader who waits sees whether there is still any point in it."""

_PIECE = 8 << 20
"""Most bytes of one chunk."""


@dataclass(slots=True)
class Arriving:
    """The bytes of an upload from ``start`` on, for one answer."""

    request: web.Request
    reader: Reader
    start: int
    content: Content | None = None

    async def send(self, wire: Wire) -> None:
        """Send them as they come."""
        async with aclosing(self._spans()) as spans:
            async for span in spans:
                await self._send_span(wire, span)

    async def send_in_chunks(self, wire: Wire) -> dict[str, str]:
        """The same, in chunks; there are no trailer fields."""
        async with aclosing(self._spans()) as spans:
            async for span in spans:
                for at in range(span.start, span.stop, _PIECE):
                    piece = Span(at, min(at + _PIECE, span.stop))
                    await send_chunk_head(wire, len(piece))
                    await self._send_span(wire, piece)
                    await send_chunk_tail(wire)
        return {}

    async def open_stored(self) -> Content:
        """The file that the upload became.

        :raises UploadGone: it was replaced or removed since.
        """
        stored = self.reader.stored
        assert stored is not None
        if self.content is None:
            try:
                self.content = await open_content(services_of(self.request), stored.key)
            except (NotFound, KeyConflict):
                raise replaced() from None
        if self.content.info.etag != stored.etag:
            raise replaced()
        return self.content

    def close(self) -> None:
        if self.content is not None:
            self.content.close()

    async def _send_span(self, wire: Wire, span: Span) -> None:
        if self.reader.place is None:
            content = await self.open_stored()
            return await content.send(wire, span.start, span.stop)
        fd, base = self.reader.place
        return await wire.send_file(fd, base + span.start, base + span.stop)

    async def _spans(self) -> AsyncGenerator[Span, None]:
        at = self.start
        while (stop := await self._more(at)) > at:
            yield Span(at, stop)
            at = stop

    async def _more(self, at: int) -> int:
        """Wait for what comes behind the byte ``at``; see :meth:`Reader.more`.

        :raises Stalled: nothing comes for the follow timeout.
        :raises Busy: the server is stopping, and the upload comes by another way or not at all.
        """
        services, loop = services_of(self.request), asyncio.get_running_loop()
        patience = services.settings.follow_timeout
        since = loop.time()
        while True:
            try:
                async with asyncio.timeout(min(_LOOK, patience)):
                    return await self.reader.more(at)
            except TimeoutError:
                if self.reader.is_being_stored:
                    since = loop.time()
                if loop.time() - since >= patience:
                    raise Stalled(f"nothing of the upload came for {patience:g} seconds") from None
                if services.traffic.draining and not self.reader.is_written_here:
                    raise Busy("the server is stopping") from None


def replaced() -> UploadGone:
    """What a reader is told who asks for more of an upload whose file is another one by now."""
    return UploadGone("the file that the upload became was replaced or removed since")
