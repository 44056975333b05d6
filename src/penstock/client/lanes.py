"""The connections of one client from which worker threads read."""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohappyeyeballs
from yarl import URL

from penstock.client.lane import Lane
from penstock.client.pace import Pace
from penstock.client.retry import Backoff
from penstock.errors import BadRequest, PenstockError, ServerUnavailable
from penstock.threads import in_pool, to_the_end

T = TypeVar("T")

CONNECT_SECONDS = 10.0
SECOND_ADDRESS_SECONDS = 0.25
MOST_LANES = 128
IDLE_LANES = 16


class Lanes:
    """Opens connections and keeps them for the next request; belongs to one event loop.

    ``timeout`` is seconds of silence, ``tries`` how many in a row may bring nothing. ``parallel``
    is how many connections one download may have; all together have at most ``parallel - 1`` more
    than there are downloads. ``tls`` says which certificates are trusted; without it those that
    the system trusts.
    """

    def __init__(
        self,
        *,
        timeout: float = 60.0,
        tries: int = 8,
        parallel: int = 4,
        pace: Pace | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.timeout = timeout
        self.parallel = parallel
        self.pace = pace or Pace()
        self.more = asyncio.Semaphore(parallel - 1)
        self._tries = tries
        self._tls = tls
        self._idle: list[Lane] = []
        self._places = asyncio.Semaphore(MOST_LANES)
        self._reached: set[URL] = set()
        self._threads = ThreadPoolExecutor(MOST_LANES, "penstock-lane")
        self.digesting = ThreadPoolExecutor(MOST_LANES, "penstock-digest")

    async def close(self) -> None:
        """Close every connection; none may be in use."""
        idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.digesting.shutdown)

    def backoff(self) -> Backoff:
        """The waits between the tries of one download."""
        return Backoff(self._tries)

    def was_reached(self, url: URL) -> bool:
        """Whether a server ever answered at the origin of ``url``."""
        return url.origin() in self._reached

    async def use(self, url: URL, work: Callable[[Lane], T]) -> T:
        """Run ``work`` in a thread, with a connection for the request that it makes to ``url``.

        If the caller is cancelled the connection is ended, which ends the work. A connection that
        was kept may have been closed by the server: then another one is tried.

        :raises ServerUnavailable: there is no connection, or it broke.
        """
        while True:
            async with self._lane(url.origin()) as lane:
                before = lane.answers
                try:
                    return await self._run(lane, work)
                except ServerUnavailable:
                    if not before or lane.answers > before:
                        raise

    async def _run(self, lane: Lane, work: Callable[[Lane], T]) -> T:
        running = asyncio.ensure_future(in_pool(self._threads, work, lane))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            lane.abort()
            await to_the_end(asyncio.wait([running]))
            if not running.cancelled():
                running.exception()  # seen, so that asyncio does not report it as forgotten
            raise
        finally:
            if lane.answers:
                self._reached.add(lane.origin)

    @asynccontextmanager
    async def _lane(self, origin: URL) -> AsyncIterator[Lane]:
        async with self._places:
            lane = self._kept(origin) or await self._connect(origin)
            try:
                yield lane
            finally:
                if lane.is_free and len(self._idle) < IDLE_LANES:
                    self._idle.append(lane)
                else:
                    lane.close()

    def _kept(self, origin: URL) -> Lane | None:
        for lane in reversed(self._idle):
            if lane.origin == origin:
                self._idle.remove(lane)
                return lane
        return None

    async def _connect(self, origin: URL) -> Lane:
        if origin.scheme == "https" and self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                made = await self._socket(origin)
        except (TimeoutError, OSError) as error:
            raise _unreachable(origin, error) from error
        except UnicodeError as error:
            raise BadRequest(f"{origin} names no host") from error
        made.settimeout(self.timeout)
        if origin.scheme == "http":
            return Lane(origin, made, None, self.pace)
        assert self._tls is not None
        return await self._secured(origin, made, self._tls)

    async def _socket(self, origin: URL) -> socket.socket:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(
            origin.host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
        made = await aiohappyeyeballs.start_connection(
            addresses,
            happy_eyeballs_delay=SECOND_ADDRESS_SECONDS,
            interleave=1,
            socket_factory=lambda address: self.pace.tune(socket.socket(*address[:3])),
        )
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    async def _secured(self, origin: URL, made: socket.socket, tls: ssl.SSLContext) -> Lane:
        made = tls.wrap_socket(made, server_hostname=origin.host, do_handshake_on_connect=False)
        lane = Lane(origin, made, tls, self.pace)
        try:
            await self._run(lane, Lane.shake_hands)
        except BaseException:
            lane.close()
            raise
        return lane


def _unreachable(origin: URL, error: OSError) -> PenstockError:
    why = error.strerror or "no answer"
    if error.errno is not None and error.errno > 0:  # of name look-ups they are negative
        why = os.strerror(error.errno)
    return ServerUnavailable(
        f"cannot reach {origin} ({why}); is the server running, and is its address right?"
    )
