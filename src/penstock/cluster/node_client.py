"""Requests to storage nodes: one try each, every failure sorted."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from penstock.cluster.addresses import node_url
from penstock.cluster.fields import CRC32, NODE
from penstock.cluster.node_answers import (
    Checked,
    Kept,
    NodePart,
    check_range,
    checked_of,
    documents,
    failed,
    kept_of,
    part_of,
    small,
)
from penstock.cluster.node_body import Body, Sending
from penstock.cluster.node_stream import PartStream, let_go, sorted_out
from penstock.cluster.trouble import Kind, NodeFailed
from penstock.threads import to_the_end

_READING: Final = 300.0
"""Seconds that a node may read its disk before the next line of an answer."""
__all__ = ["Addressed", "Body", "Checked", "Kept", "NodeClient", "NodePart"]

_EXPECTED: Final = 1 << 20
"""Bytes of a body above which the node is asked first (``Expect``, RFC 9110 §10.1.1)."""
_READ_SILENCE: Final = 4.0
_BUFFER: Final = 512 << 10
"""Bytes of an answer that wait in memory until they are asked for; it may be twice as many."""

_NO_FIELDS: Final[Mapping[str, str]] = {}


class Addressed(Protocol):
    """A node, as far as it must be known to be asked."""

    @property
    def id(self) -> str: ...

    @property
    def address(self) -> str:
        """``host:port``, or a URL."""


class NodeClient:
    """The connections to all nodes; opened by the first request, since that has a loop.

    ``secret`` is what the nodes know us by. Seconds: a node is unreachable if no connection stands
    after ``connect``, or if nothing moves for ``silence``, or four if a part is read.
    """

    def __init__(self, secret: str = "", *, connect: float = 3.0, silence: float = 10.0) -> None:
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._connect = connect
        self._silence = silence
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def close(self) -> None:
        """Close every connection, those in use too."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def put(
        self, node: Addressed, name: str, size: int, crc32: int | None, body: Body
    ) -> Kept:
        """Store a part on a node; it is durable there on return.

        ``body`` gives ``size`` bytes, anew for each try: there is a second one if the connection
        was a kept one that the node had closed. The node holds ``crc32`` against them.

        :raises NodeFailed: it is not stored, or nobody knows: the copy is to be deleted.
        """
        try:
            return await self._put(node, name, size, crc32, body)
        except _Stale:
            pass
        try:
            return await self._put(node, name, size, crc32, body)
        except _Stale as error:
            raise NodeFailed(Kind.UNREACHABLE, node.id, "the connection broke") from error

    def get(self, node: Addressed, name: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes ``start`` to ``stop`` of a part as they come, not verified.

        :raises NodeFailed: they cannot be had, or broke off.
        """
        return self._get(node, name, start, stop)

    async def open(self, node: Addressed, name: str, start: int, stop: int) -> PartStream:
        """Where the bytes ``start`` to ``stop`` of a part come, not verified; to be closed.

        :raises NodeFailed: they cannot be had.
        """
        silence = min(self._silence, _READ_SILENCE)
        response = await self._send(
            node,
            "GET",
            _file(name),
            headers={"Range": f"bytes={start}-{stop - 1}"},
            work=silence - self._silence,
        )
        stream = PartStream(node.id, response, stop - start, silence)
        try:
            check_range(node.id, response, start, stop)
        except BaseException:
            stream.close()
            raise
        return stream

    async def health(self, node: Addressed) -> None:
        """See that the node answers.

        :raises NodeFailed: it does not.
        """
        async with self._ask(node, "GET", "/health") as response, asyncio.timeout(self._silence):
            await small(node.id, response)

    async def delete(self, node: Addressed, name: str) -> None:
        """Remove a part from a node; it is well if it has none.

        :raises NodeFailed: nobody knows whether it is removed.
        """
        asked = self._ask(node, "DELETE", _file(name))
        async with asked as response, asyncio.timeout(self._silence):
            await small(node.id, response)

    async def parts(self, node: Addressed, after: str = "") -> AsyncGenerator[NodePart, None]:
        """Every part that a node says it has, by name, bytewise.

        :raises NodeFailed: the list cannot be had, or broke off.
        """
        query = f"/parts?after={quote(after, safe='')}" if after else "/parts"
        asked = self._ask(node, "GET", query, work=_READING)
        async with asked as response, aclosing(documents(node.id, response)) as lines:
            async for line in lines:
                yield part_of(node.id, line)

    async def check(self, node: Addressed, names: Sequence[str]) -> AsyncGenerator[Checked, None]:
        """What a node finds when it reads those parts from its disk again.

        :raises NodeFailed: it cannot be asked, or broke off.
        """
        asked = self._ask(
            node,
            "POST",
            "/check",
            headers={"Content-Type": "application/json"},
            data=json.dumps({"names": list(names)}).encode(),
            work=_READING,
        )
        async with asked as response, aclosing(documents(node.id, response)) as lines:
            async for line in lines:
                yield checked_of(node.id, line)

    async def _put(
        self, node: Addressed, name: str, size: int, crc32: int | None, body: Body
    ) -> Kept:
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        if crc32 is not None:
            headers[CRC32] = f"{crc32:08x}"
        sending = Sending(body, size, self._silence)
        try:
            asked = self._ask(
                node,
                "PUT",
                _file(name),
                headers=headers,
                data=sending.pieces,
                work=sending.storing,
                expects=size > _EXPECTED,
            )
            async with sending.patience, asked as response:
                kept = kept_of(node.id, await small(node.id, response))
        except TimeoutError as error:
            raise NodeFailed(Kind.UNREACHABLE, node.id, "it takes no more bytes") from error
        except NodeFailed:
            if sending.error is not None:
                raise sending.error from None
            raise
        finally:
            await to_the_end(sending.stop())
        if kept.size != size or (crc32 is not None and kept.crc32 != crc32):
            raise NodeFailed(Kind.BAD, node.id, f"it kept other bytes of {name} than were sent")
        return kept

    async def _get(
        self, node: Addressed, name: str, start: int, stop: int
    ) -> AsyncGenerator[bytes, None]:
        left = stop - start
        if not left:
            return
        stream = await self.open(node, name, start, stop)
        try:
            async with aclosing(stream.pieces()) as pieces:
                async for data in pieces:
                    left -= len(data)
                    yield data
        finally:
            stream.close()
        if left:
            raise NodeFailed(Kind.UNREACHABLE, node.id, f"{name} was cut short")

    @asynccontextmanager
    async def _ask(
        self,
        node: Addressed,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] = _NO_FIELDS,
        data: AsyncIterator[bytes | memoryview] | bytes | None = None,
        work: float = 0.0,
        expects: bool = False,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A successful answer, to be read within; raises as :meth:`_send` does."""
        with sorted_out(node.id):
            response = await self._send(
                node, method, path, headers=headers, data=data, work=work, expects=expects
            )
            try:
                yield response
            finally:
                let_go(response)

    async def _send(
        self,
        node: Addressed,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] = _NO_FIELDS,
        data: AsyncIterator[bytes | memoryview] | bytes | None = None,
        work: float = 0.0,
        expects: bool = False,
    ) -> aiohttp.ClientResponse:
        """The head of a successful answer. ``work``: how much longer than usual the node may take.

        :raises NodeFailed: there is none.
        """
        silence = self._silence + work
        # A body may take its time, which others bound; the head comes at once, not byte by byte.
        in_time = asyncio.timeout(None if method == "PUT" else self._connect + silence)
        with sorted_out(node.id):
            async with in_time:
                response = await self._opened(node).request(
                    method,
                    URL(node_url(node.address) + path, encoded=True),
                    # Nodes may change their addresses with one another; it refuses if it is not.
                    headers={**self._headers, NODE: node.id, **headers},
                    data=data,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=None, sock_connect=self._connect, sock_read=silence
                    ),
                    middlewares=(_Once(),) if method == "PUT" else (),
                    # Who refuses a long body shall say so before it is sent.
                    expect100=expects,
                )
                try:
                    if response.status not in (200, 204, 206):
                        raise await failed(node.id, response)
                except BaseException:
                    if method == "PUT":
                        response.close()  # the body was not sent to its end
                    else:
                        let_go(response)
                    raise
            return response

    def _opened(self, node: Addressed) -> aiohttp.ClientSession:
        if self._closed:
            raise NodeFailed(Kind.UNREACHABLE, node.id, "the store was closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # As many as there are transfers, which others bound.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
                read_bufsize=_BUFFER,
            )
        return self._session


class _Stale(Exception):
    """The request was not answered, on a connection that had served others before."""


class _Once:
    """Keeps aiohttp from sending a request again by itself where a kept connection broke: of a
    body that was begun it would send the rest only."""

    def __init__(self) -> None:
        self._sent = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._sent:
            raise _Stale
        self._sent = True
        return await handler(request)


def _file(name: str) -> str:
    return f"/files/{quote(name, safe='')}"
