"""A long answer read from the connection's own socket by worker threads.

The way through the event loop costs more than reading does: each piece becomes an object, is
parsed, queued, waited for and joined to others. So once an answer has proved to be right, and is
long, what is left of it is read block by block where it is verified: one wait, one trip to a
thread and one call of the kernel for each. The connection cannot be used again.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

import aiohttp

from penstock.cluster.trouble import Kind, NodeFailed
from penstock.threads import to_the_end

T = TypeVar("T")

WORTH: Final = 8 << 20
"""Bytes that must be left: a new connection costs more than fewer of them."""


class Direct:
    """What is left of the body of an answer, ``left`` bytes; to be closed."""

    def __init__(self, node: str, connection: socket.socket, begun: bytes, silence: float) -> None:
        self._node = node
        self._socket = connection
        self._socket.setblocking(False)
        self._begun = begun
        self._silence = silence

    @classmethod
    def take_over(
        cls, node: str, response: aiohttp.ClientResponse, left: int, silence: float
    ) -> "Direct | None":
        """Take over the rest of a body, ``left`` bytes; the response is closed then.

        ``None``, and nothing has changed, if it is not worth it or cannot be.
        """
        connection = response.connection
        transport = None if connection is None else connection.transport
        if left < WORTH or transport is None or transport.is_closing():
            return None
        if transport.get_extra_info("sslcontext") is not None or response.content_length is None:
            return None  # the socket has other bytes than the body
        begun = b"".join(iter(response.content.read_nowait, b""))
        own = transport.get_extra_info("socket").dup()
        response.close()
        return cls(node, own, begun, silence)

    async def block(self, size: int, work: Callable[[bytes], T], pool: Executor) -> T:
        """What ``work`` makes of the next ``size`` bytes, in a thread of ``pool``.

        :raises NodeFailed: it broke off.
        """
        loop = asyncio.get_running_loop()
        pieces: list[bytes] = []
        while True:
            missing = size - len(self._begun) - sum(map(len, pieces))
            if missing > 0:
                await self._ready(missing)
            reading = loop.run_in_executor(pool, self._read, size, pieces, work)
            done, result = await to_the_end(reading)
            if done:
                return result[0]

    def close(self) -> None:
        self._socket.close()

    def _read(
        self, size: int, pieces: list[bytes], work: Callable[[bytes], T]
    ) -> tuple[bool, list[T]]:
        """Take what is there; if that is the whole block, do the work. In a worker thread."""
        if self._begun:
            pieces.append(self._begun[:size])
            self._begun = self._begun[size:]
        missing = size - sum(map(len, pieces))
        if missing:
            try:
                data = self._socket.recv(missing)
            except BlockingIOError:
                return False, []
            except OSError as error:
                raise self._broken() from error
            if not data:
                raise self._broken()
            pieces.append(data)
            if len(data) < missing:
                return False, []
        return True, [work(pieces[0] if len(pieces) == 1 else b"".join(pieces))]

    async def _ready(self, missing: int) -> None:
        """Wait until so many bytes have come, or as many as the kernel gathers.

        :raises NodeFailed: nothing comes any more.
        """
        # It wakes nobody for less; more than the buffer has room for it does not wait for.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, missing)
        had = _waiting(self._socket)
        while not await _readable(self._socket, self._silence):
            has = _waiting(self._socket)
            if has <= had:
                raise NodeFailed(Kind.UNREACHABLE, self._node, "it does not send any more")
            had = has

    def _broken(self) -> NodeFailed:
        return NodeFailed(Kind.UNREACHABLE, self._node, "a part was cut short")


def _waiting(connection: socket.socket) -> int:
    """Bytes that have come and were not read."""
    answer = fcntl.ioctl(connection.fileno(), termios.FIONREAD, bytes(4))
    return int(struct.unpack("i", answer)[0])


async def _readable(connection: socket.socket, seconds: float) -> bool:
    """Whether there is something to read within so many seconds."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    fd = connection.fileno()
    loop.add_reader(fd, _settle, ready, True)
    timer = loop.call_later(seconds, _settle, ready, False)
    try:
        return await ready
    finally:
        timer.cancel()
        loop.remove_reader(fd)


def _settle(ready: "asyncio.Future[bool]", readable: bool) -> None:
    if not ready.done():
        ready.set_result(readable)
