"""Signed requests to one bucket: sent, tried again, and paced."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.documents import bare, refusal
from penstock.stores.s3.metering import counted, lists, meters
from penstock.stores.s3.options import Place
from penstock.stores.s3.pacing import Counts, Pace, Retries
from penstock.stores.s3.signing import query_string, signed
from penstock.stores.s3.trouble import Broken, Refused

_CONNECT: Final = 10.0
_SILENCE: Final = 60.0
_LEAST_RATE: Final = 64 << 10
"""Bytes per second below which a body that is being sent is given up."""
_LONGEST_ANSWER: Final = 16 << 20

Body = Callable[[], AsyncIterator[bytes | memoryview]]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: ``name`` is the object's full one, or empty for the bucket itself.

    ``body`` gives ``length`` bytes, anew for each try. ``etag`` is what S3 must say it kept.
    ``work`` is how many seconds more than usual the server may take to answer.
    """

    method: str
    name: str = ""
    parameters: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | bytes = b""
    length: int = 0
    etag: str | None = None
    work: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer that has been read to its end."""

    headers: "CIMultiDictProxy[str]"
    body: bytes


class Client:
    """The connections to one bucket; opened by the first request, since that has a loop."""

    def __init__(self, place: Place, chain: Chain, tries: int) -> None:
        self._place = place
        self._chain = chain
        self._session: aiohttp.ClientSession | None = None
        self.pace = Pace()
        self.retries = Retries(tries)
        self.counts = Counts()

    @property
    def bucket(self) -> str:
        return self._place.bucket

    async def close(self) -> None:
        """Close every connection, those in use too."""
        if self._session is not None:
            await self._session.close()

    async def call(self, call: Call) -> Answer:
        """Send a request until it succeeds, or trying again makes no sense.

        :raises Refused: the last answer was no success.
        :raises Broken: there was no answer.
        """
        failures = 0
        while True:
            try:
                answer = await self.call_once(call)
            except (Refused, Broken) as error:
                failures += 1
                await self.pause(error, failures)
            else:
                self.retries.succeeded()
                return answer

    async def call_once(self, call: Call) -> Answer:
        """As :meth:`call`, with one try."""
        async with self.open(call) as response:
            body = await _read(response)
            if call.method != "HEAD" and _is_short(response, body):
                raise Broken("its answer was cut short")
            if call.etag is not None and bare(response.headers.get("ETag", "")) != call.etag:
                raise Broken("it kept other bytes than were sent")
            return Answer(response.headers, body)

    async def pause(self, error: Refused | Broken, failures: int) -> None:
        """Wait before the next try; raises the error if there is to be none."""
        passing = isinstance(error, Broken) or error.passing
        if isinstance(error, Broken):
            self.counts.broken += 1
        elif passing:
            self.counts.refused += 1
        pause = self.retries.pause(failures) if passing else None
        if pause is None:
            raise error
        self.counts.retries += 1
        await asyncio.sleep(pause)

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """One try, up to the body of a successful answer, which is to be read within.

        :raises Refused: the answer was no success.
        :raises Broken: there was none, or it broke off while it was read.
        """
        try:
            async with self.pace.turn() as turn:
                response = await self._send(call)
            try:
                if response.status not in (200, 204, 206):
                    refused = refusal(response.status, await _read(response))
                    if refused.slow:
                        self.pace.slow_down(turn)
                    raise refused
                self.pace.went_well()
                yield response
            finally:
                reads = call.method == "GET" and call.name and not call.parameters
                if reads and response.status in (200, 206):
                    for meter in meters():
                        meter.received(response.content.total_bytes)
                # Gives the connection back if the body was read to its end, else closes it.
                if response.content.at_eof():
                    response.release()
                else:
                    response.close()
        except aiohttp.ClientConnectorError as error:
            raise Broken(error.os_error.strerror or "no connection") from error
        except TimeoutError as error:
            raise Broken("it does not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Broken("the connection broke") from error

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        self.counts.requests += 1
        path, query = self._place.path_of(call.name), query_string(call.parameters)
        headers = {"Host": self._place.host, **call.headers}
        if call.method in ("PUT", "POST"):
            headers["Content-Length"] = str(call.length)
        credentials = await self._chain.get()
        if credentials is not None:
            headers = signed(
                credentials,
                self._place.region,
                call.method,
                path,
                query,
                headers,
                datetime.now(UTC),
            )
        target = f"{self._place.origin}{path}{f'?{query}' if query else ''}"
        async with asyncio.timeout(_SILENCE + call.work + call.length / _LEAST_RATE):
            return await self._opened().request(
                call.method,
                URL(target, encoded=True),
                headers=headers,
                data=_metered_body(call),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT, sock_read=_SILENCE + call.work
                ),
                middlewares=(_OneTry(),) if call.method == "DELETE" else (),
            )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # As many as there are transfers, which others bound.
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=10.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                # A field that is not signed is refused by some servers.
                skip_auto_headers=("Content-Type", "Accept", "Accept-Encoding", "User-Agent"),
                read_bufsize=512 << 10,
            )
        if self._session.closed:
            raise Broken("the store was closed")
        return self._session


class _OneTry:
    """Keeps aiohttp from sending a request again by itself where a kept connection broke.

    Who sends a conditional delete must know that an answer may have been lost.
    """

    def __init__(self) -> None:
        self._sent = False

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if self._sent:
            raise Broken("the connection broke")
        self._sent = True
        return await handler(request)


def _metered_body(call: Call) -> AsyncIterator[bytes | memoryview] | bytes | None:
    """What is sent, which is counted, as the request is."""
    counts = meters()
    asks_for_list = lists(call.method, frozenset(name for name, _ in call.parameters))
    for count in counts:
        count.request(call.method, lists=asks_for_list)
    if not isinstance(call.body, bytes):
        return counted(call.body, counts)
    if call.method == "PUT":
        for count in counts:
            count.sent(len(call.body))
    return call.body or None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) > _LONGEST_ANSWER:
            raise Broken("its answer is too long")
    return bytes(body)


def _is_short(response: aiohttp.ClientResponse, body: bytes) -> bool:
    length = response.content_length
    return length is not None and len(body) < length
