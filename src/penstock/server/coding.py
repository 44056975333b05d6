"""Bytes of a stored file in a content coding, made while they are sent."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from aiohttp import HttpVersion11, web

from penstock.downloads import SendPlan
from penstock.octets.codings import accepted, forbids_transform
from penstock.octets.encoders import encoded, encoder
from penstock.octets.ranges import Span
from penstock.server.chunked import send_chunk
from penstock.server.content import BLOCK, Content
from penstock.server.sending import carry_out, send_chunked
from penstock.server.wire import Wire
from penstock.threads import in_pool
from penstock.zipstream.deflate import pays

VARY = {"Vary": "Accept-Encoding"}
"""Of every answer that would be another one to a client that accepts other codings."""
NO_RANGES = {"Accept-Ranges": "none"}
"""Of coded bytes: a range is of the file as it is, and cannot go on where they broke off."""


def accepted_by(request: web.Request, offered: tuple[str, ...]) -> list[str]:
    """The codings of ``offered``, and ``identity``, that may be sent, what is liked best first."""
    fields = request.headers
    if forbids_transform(",".join(fields.getall("Cache-Control", ()))):
        return accepted("", ())
    return accepted(",".join(fields.getall("Accept-Encoding", ())), offered)


async def answer_coded(
    request: web.Request,
    coded: "Coded",
    plan: SendPlan,
    headers: dict[str, str],
) -> web.StreamResponse | None:
    """Answer with the bytes in their coding, under the status and fields of ``plan``.

    ``None``, and nothing is sent, if they do not get smaller, or if the client speaks HTTP/1.0,
    in which a body of unknown length that was cut looks complete. A small body has a length.
    """
    fields = plan.headers | headers | NO_RANGES | {"Content-Encoding": coded.coding}
    if len(coded.span) <= BLOCK:
        data = await coded.whole()
        if data is None:
            return None
        return await carry_out(request, SendPlan(plan.status, fields, [data]), {})
    if request.version < HttpVersion11 or not await coded.pays():
        return None
    return await send_chunked(request, plan.status, fields, coded.send)


@dataclass(frozen=True, slots=True)
class Coded:
    """A span of a file in a coding. The work is done in the threads of ``pool``."""

    content: Content
    span: Span
    coding: str
    pool: Executor

    async def whole(self) -> bytes | None:
        """All of a span of at most one block; ``None`` if it is not smaller."""
        work = partial(encoded, self.coding)
        return await self.content.block(self.span.start, self.span.stop, work, self.pool)

    async def pays(self) -> bool:
        """Do samples of the first block get smaller?"""
        stop = min(self.span.start + BLOCK, self.span.stop)
        return await self.content.block(self.span.start, stop, pays, self.pool)

    async def send(self, wire: Wire) -> dict[str, str]:
        """Send it in chunks; the next one is made while one is on its way."""
        async with aclosing(self._made_ahead()) as chunks:
            async for data in chunks:
                if data:  # an empty chunk would end the body
                    await send_chunk(wire, data)
        return {}

    async def _made_ahead(self) -> AsyncGenerator[bytes, None]:
        pieces = self._pieces()
        coming = asyncio.ensure_future(anext(pieces, None))
        try:
            while (data := await coming) is not None:
                coming = asyncio.ensure_future(anext(pieces, None))
                yield data
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await pieces.aclose()

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        one = encoder(self.coding)
        each = self.content.each(self.span.start, self.span.stop, one.encode, self.pool)
        async with aclosing(each) as blocks:
            async for data in blocks:
                yield data
        yield await in_pool(self.pool, one.finish)
