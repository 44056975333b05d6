"""One request with a body, which is watched while the other side takes it."""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from fcntl import ioctl
from termios import TIOCOUTQ
from typing import TypeAlias

from aiohttp import AsyncIterablePayload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from yarl import URL

from penstock.client.http import Http
from penstock.client.lanes import CONNECT_SECONDS
from penstock.errors import PenstockError, ServerUnavailable, Stalled

EXPECT_FROM = 1 << 20
"""From so many bytes on it is worth a round trip to hear a refusal before the body is sent."""

NEVER = 1e9
LONGEST_LOOK = 1.0

Read: TypeAlias = Callable[[], Awaitable[bytes | memoryview]]
Told: TypeAlias = Callable[[int], None]


async def send(
    http: Http,
    method: str,
    url: URL,
    body: "Body",
    *,
    size: int | None,
    headers: Mapping[str, str],
    answer_within: float,
) -> tuple[Mapping[str, str], bytes]:
    """Headers and body of the answer to a request with a body of ``size`` bytes, in one try.

    :raises Stalled: the connection takes no more bytes.
    :raises PenstockError: what the server answered, or what went wrong with the source.
    """
    length = {} if size is None else {"Content-Length": str(size)}
    expects = http.expects and (size is None or size >= EXPECT_FROM)
    body.answer_within = answer_within
    first = answer_within if size == 0 else http.timeout
    try:
        async with asyncio.timeout(CONNECT_SECONDS + first) as body.patience:
            watching = asyncio.create_task(body.watch())
            try:
                answer = await http.ask(
                    method,
                    url,
                    answer_within=NEVER,  # the body knows better when to lose patience
                    data=_Watched(body) if size != 0 else b"",
                    headers={**length, **headers},
                    skip_auto_headers=["Content-Type"],
                    expect100=expects,
                )
            finally:
                watching.cancel()
    except TimeoutError:
        if not body.begun:  # a proxy that knows no Expect: do not wait for its leave again
            http.expects = False
        if body.ended:
            raise ServerUnavailable(f"{http.base} was silent for too long") from None
        raise Stalled(f"{http.base} took no bytes for {http.timeout:g} s") from None
    except PenstockError:
        if body.error is not None:
            raise body.error from None
        if expects and body.begun:
            http.reached = True  # it told us to continue
        raise
    body.answered()
    return answer


class Body:
    """What ``read`` gives until it gives nothing; ``told`` hears how many bytes have arrived.

    The kernel takes bytes that a slow line carries away much later, so what counts is what the
    other side has confirmed: patience ends when that stands still.
    """

    def __init__(self, http: Http, read: Read, told: Told) -> None:
        self.error: Exception | None = None
        self.begun = False
        self.ended = False
        self.patience: asyncio.Timeout
        self.answer_within = http.timeout
        self.transport: asyncio.WriteTransport | None = None
        self._http = http
        self._read = read
        self._told = told
        self._rest = memoryview(b"")
        self._sent = 0
        self._arrived = 0

    def __aiter__(self) -> "Body":
        return self

    async def __anext__(self) -> memoryview:
        """The next piece; while it is fetched only the source can be waited for."""
        self.begun = True
        self.patience.reschedule(None)
        self._tell(self._unconfirmed())
        piece = await self._next()
        if not piece:
            self.ended = True
            self._be_patient()
            raise StopAsyncIteration
        await self._http.throttle(len(piece))
        self._sent += len(piece)
        self._be_patient()
        return piece

    async def watch(self) -> None:
        """Stay patient as long as the other side confirms bytes. Runs until it is cancelled."""
        before = 0
        while not self.patience.expired():
            unconfirmed = self._unconfirmed()
            if unconfirmed != before and self.patience.when() is not None:
                self._be_patient()
                self._tell(unconfirmed)
            before = unconfirmed
            await asyncio.sleep(min(LONGEST_LOOK, self._http.timeout / 4))

    def answered(self) -> None:
        """The other side has said that it has everything."""
        self._tell(0)

    def _tell(self, unconfirmed: int) -> None:
        # The head of the request, and the frames of chunks, are not counted as sent.
        self._arrived = max(self._arrived, self._sent - unconfirmed)
        self._told(self._arrived)

    def _be_patient(self) -> None:
        seconds = self.answer_within if self.ended else self._http.timeout
        self.patience.reschedule(asyncio.get_running_loop().time() + seconds)

    def _unconfirmed(self) -> int:
        """Bytes that the connection was given, and that the other side has not confirmed."""
        if self.transport is None:
            return 0
        queued = bytearray(4)
        with suppress(OSError, ValueError):  # it was closed meanwhile
            ioctl(self.transport.get_extra_info("socket").fileno(), TIOCOUTQ, queued)
        return self.transport.get_write_buffer_size() + int(struct.unpack("i", queued)[0])

    async def _next(self) -> memoryview:
        if not self._rest:
            try:
                self._rest = memoryview(await self._read())
            except Exception as error:
                self.error = error  # aiohttp reports it as a broken connection
                raise
        piece, self._rest = self._rest[: self._http.piece], self._rest[self._http.piece :]
        return piece


class _Watched(AsyncIterablePayload):
    """A body that learns which connection takes it."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)  # type: ignore[arg-type]  # memoryviews are as good as bytes
        self._body = body

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        assert isinstance(writer, StreamWriter)
        self._body.transport = writer.transport
        await super().write_with_length(writer, content_length)
