"""A long body read from the connection's own socket by a worker thread.

The way through the event loop costs several times what reading and writing the bytes does: each
piece becomes an object, is parsed, queued, waited for and handed on. So when a body has proved
to be long, what is left of it is read where it is written. The HTTP parser never sees those
bytes, so the connection cannot be used again and is closed after the answer.
"""

import asyncio
import select
import socket
import threading
from typing import Self

from aiohttp import web

from penstock.errors import BodyIncomplete, Stalled
from penstock.server.context import CLOSING, RECEIVED
from penstock.server.pacing import pace_of
from penstock.server.serving import serving_of

WORTH = 16 << 20
"""Bytes that must be left: a new connection costs more than fewer of them."""

STRETCH = 16 << 20
"""Bytes that a worker thread reads before others have their turn."""

_PIECE = 256 << 10
_SLOW = 32 << 10
_GATHER = 0.3
"""Seconds that bytes of a slow client gather in the kernel, so as not to wake a thread for each."""

_WAIT_MS = 5
_LINGER = 5.0

_own = threading.local()
_lingering: set[asyncio.Task[None]] = set()


class Direct:
    """What is left of the body of a request, ``left`` bytes; use it with ``async with``."""

    def __init__(self, request: web.Request, left: int, stall_timeout: float, fate: str) -> None:
        transport = request.transport
        assert transport is not None
        self.left = left
        self._request = request
        self._stall_timeout = stall_timeout
        self._fate = fate
        self._read = _PIECE
        self._traffic = serving_of(request).traffic
        self._counted = left
        # The parser still waits for these bytes, which it will never get. Telling it so lets the
        # transport read on, so that is stopped afterwards.
        request.content.feed_eof()
        transport.pause_reading()
        self._socket = transport.get_extra_info("socket").dup()
        self._socket.setblocking(False)
        request[CLOSING] = True

    @classmethod
    def take_over(
        cls, request: web.Request, received: int, stall_timeout: float, fate: str
    ) -> "Direct | None":
        """Take over the rest of a body of which ``received`` bytes were read.

        ``None`` if its length is not known, too little of it is left, some of it is already in
        this process, or it has to keep a pace.
        """
        if pace_of(request) is not None:
            return None
        transport, size = request.transport, request.content_length
        if transport is None or size is None or size - received < WORTH:
            return None
        if transport.get_extra_info("sslcontext") is not None or not transport.is_reading():
            return None
        if request.content.total_bytes != received:
            return None
        return cls(request, size - received, stall_timeout, fate)

    async def ready(self) -> None:
        """Wait until there is something to read.

        :raises Stalled: nothing came for the stall timeout.
        """
        self._count()
        if self._read < _SLOW:
            await asyncio.sleep(_GATHER)
        self._read = 0
        try:
            async with asyncio.timeout(self._stall_timeout):
                await _readable(self._socket)
        except TimeoutError:
            raise Stalled(
                f"no byte came for {self._stall_timeout:g} seconds; {self._fate}"
            ) from None

    def read(self) -> memoryview:
        """The next bytes, good until the next call; empty when there are none at the moment.

        In a worker thread.

        :raises BodyIncomplete: the client broke off.
        """
        view = _buffer()[: min(self.left, _PIECE)]
        count = self._fill(view)
        # Waiting here pays only for those who send much.
        if not count and self._read >= _PIECE and view and _soon_readable(self._socket):
            count = self._fill(view)
        self.left -= count
        self._read += count
        return view[:count]

    def _count(self) -> None:
        """In the event loop: what threads add to a number side by side gets lost."""
        self._traffic.received += self._counted - self.left
        self._counted = self.left

    def _fill(self, view: memoryview) -> int:
        count = 0
        while count < len(view):
            try:
                more = self._socket.recv_into(view[count:])
            except BlockingIOError:
                break
            except OSError as error:
                raise self._incomplete() from error
            if not more:
                if count:
                    break  # it is told again at the next call
                raise self._incomplete()
            count += more
        return count

    def _incomplete(self) -> BodyIncomplete:
        return BodyIncomplete(f"the body ended early; {self._fate}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._count()
        size = self._request.content_length or 0
        self._request[RECEIVED] = size - self.left
        if not self.left:
            self._socket.close()
            return
        # The client is still sending: were the socket closed, it would not see the answer.
        task = asyncio.create_task(_linger(self._socket))
        _lingering.add(task)
        task.add_done_callback(_lingering.discard)


def _buffer() -> memoryview:
    """The buffer of this worker thread."""
    try:
        view: memoryview = _own.view
    except AttributeError:
        view = _own.view = memoryview(bytearray(_PIECE))
    return view


def _soon_readable(connection: socket.socket) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(_WAIT_MS))


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(connection, settle)
    try:
        await ready
    finally:
        loop.remove_reader(connection)


async def _linger(connection: socket.socket) -> None:
    """Read on and forget, for a while (RFC 9112 §9.6)."""
    try:
        async with asyncio.timeout(_LINGER):
            while True:
                await _readable(connection)
                if not connection.recv(_PIECE):
                    return
    except (TimeoutError, OSError):
        return
    finally:
        connection.close()
