"""Sending a body on the connection's own socket, files by ``sendfile``.

The response's head goes out through aiohttp; the body bypasses it: the socket is written directly,
and a duplicate of it is waited for with ``add_writer`` (event loops refuse that on the transport's
own descriptor). Nothing is buffered here, so a slow client costs no memory.
"""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from penstock.errors import SourceChanged, Stalled
from penstock.server.context import METER
from penstock.server.pacing import pace_of
from penstock.server.serving import serving_of
from penstock.threads import use_in_thread

STRETCH = 1 << 20
"""Bytes offered to the kernel in one call; bounds how long one client holds the loop."""

_PROBED = 256 << 10
_TURN = 8 << 20


class Wire:
    """Where the bytes of one response's body go: the connection's own socket.

    For plain TCP only; with TLS the bytes would have to pass through the transport.
    """

    def __init__(self, request: web.Request, stall_timeout: float) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client left")
        if transport.get_extra_info("sslcontext") is not None:
            raise NotImplementedError("TLS is for a reverse proxy in front")
        self._transport = transport
        self._traffic = serving_of(request).traffic
        self._meter = request.get(METER)
        self._loop = asyncio.get_running_loop()
        self._stall_timeout = stall_timeout
        self._fd: int = transport.get_extra_info("socket").fileno()
        self._own: socket.socket | None = None
        self._since_turn = 0
        self._pace = pace_of(request)
        self._stretch = STRETCH if self._pace is None else self._pace.stretch
        self.sent = 0

    async def __aenter__(self) -> Self:
        while self._transport.get_write_buffer_size():  # of the head, which aiohttp gave it
            await self._writable()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._own is not None:
            self._own.close()

    async def send(self, data: bytes | bytearray, *, more: bool = False) -> None:
        """Send bytes; ``more`` says that further ones follow at once.

        :raises Stalled: the client reads nothing for the stall timeout.
        """
        flags = socket.MSG_MORE if more else 0
        view = memoryview(data)
        while view:
            try:
                count = self._socket().send(view[: self._stretch], flags)
            except BlockingIOError:
                await self._writable()
                continue
            view = view[count:]
            await self._account(count)

    async def send_file(self, fd: int, start: int, stop: int) -> None:
        """Send bytes ``start`` to ``stop`` of an open file.

        :raises SourceChanged: the file ends before ``stop``.
        :raises Stalled: the client reads nothing for the stall timeout.
        """
        while start < stop:
            count = min(self._stretch, stop - start)
            try:
                # Sending pages that are not in memory would stall the loop for the disk.
                if in_page_cache(fd, start, start + count):
                    sent = os.sendfile(self._living_fd(), fd, start, count)
                else:
                    out = self._socket().fileno()
                    sent = await use_in_thread(os.sendfile, out, fd, start, count)
            except BlockingIOError:
                await self._writable()
                continue
            if sent == 0:
                raise SourceChanged("a file became shorter while it was sent")
            start += sent
            await self._account(sent)

    def _living_fd(self) -> int:
        """The connection's descriptor, to be used before the loop runs again."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client left")
        return self._fd

    def _socket(self) -> socket.socket:
        """A duplicate: it stays ours when the transport closes its own, and may be waited for."""
        if self._own is None:
            self._own = socket.socket(fileno=os.dup(self._living_fd()))
            self._own.setblocking(False)
        return self._own

    async def _account(self, count: int) -> None:
        """Count, and let others have their turn when this client never makes us wait."""
        self.sent += count
        if self._pace is not None:
            await self._pace.keep(count)
        self._traffic.sent += count
        if self._meter is not None:
            await self._meter.was_sent(count)
        self._since_turn += count
        if self._since_turn >= _TURN:
            self._since_turn = 0
            await asyncio.sleep(0)

    async def _writable(self) -> None:
        self._since_turn = 0
        ready: asyncio.Future[bool] = self._loop.create_future()
        fd = self._socket().fileno()
        self._loop.add_writer(fd, _settle, ready, True)
        timer = self._loop.call_later(self._stall_timeout, _settle, ready, False)
        try:
            if not await ready:
                raise Stalled(f"the client read nothing for {self._stall_timeout:g} seconds")
        finally:
            timer.cancel()
            self._loop.remove_writer(fd)


@contextmanager
def corked(request: web.Request, wanted: bool) -> Iterator[None]:
    """Let the kernel send full segments only (``TCP_CORK``) until the end of the response.

    The event loop sets ``TCP_NODELAY``, with which every ``sendfile`` ends in a small segment.
    """
    transport = request.transport
    if not wanted or transport is None:
        yield
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    try:
        yield
    finally:
        with suppress(OSError):  # the client left, and the socket with it
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def in_page_cache(fd: int, start: int, stop: int) -> bool:
    """Whether a read would not wait for a disk: one byte tried in every 256 KiB."""
    probe = [bytearray(1)]
    try:
        for at in (*range(start, stop, _PROBED), stop - 1):
            os.preadv(fd, probe, at, os.RWF_NOWAIT)
    except (BlockingIOError, OSError, AttributeError):
        return False  # cold, or a file system that cannot tell
    return True


def _settle(ready: "asyncio.Future[bool]", writable: bool) -> None:
    if not ready.done():
        ready.set_result(writable)
