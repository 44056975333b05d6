"""One server as the client sees it: addresses, requests, time limits, errors, rate limit."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from penstock import __version__
from penstock.client.address import NO_HEADERS, REDIRECTS, Address, Moved
from penstock.client.bearer import bearer_of
from penstock.client.lanes import CONNECT_SECONDS, Lanes
from penstock.client.pace import Pace
from penstock.client.problems import error_of
from penstock.client.retry import Backoff, thinking_seconds
from penstock.errors import BadRequest, NotFound, PenstockError, ServerUnavailable
from penstock.stores.keys import check_key


class Http:
    """The connection pool to one server; made and closed inside a running event loop.

    ``token`` goes with each request to the server's origin, and nowhere else.

    :raises ValueError: ``server`` is not an ``http://`` or ``https://`` address, or ``token`` is
        none.
    """

    def __init__(
        self,
        server: str,
        *,
        limit_rate: float | None,
        timeout: float,
        tries: int,
        parallel: int = 1,
        range_size: int | None = None,
        pace: Pace | None = None,
        token: str | None = None,
    ) -> None:
        self.base = check_server(server)
        self._bearer = bearer_of(server, token)
        self._origin = URL(self.base).origin()
        self.timeout = timeout
        self.parallel = parallel
        self.range_size = range_size
        self.part_slots = asyncio.Semaphore(parallel)
        self.pace = pace or Pace(limit_rate)
        self.piece = self.pace.piece
        self.expects = True
        self.reached = False
        self.lanes = Lanes(timeout=timeout, tries=tries, parallel=parallel, pace=self.pace)
        self._tries = tries
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, socket_factory=self._socket),
            headers={"User-Agent": f"penstock/{__version__}"},
            auto_decompress=False,
            read_bufsize=self.piece,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
        await self.lanes.close()

    def elsewhere(self, url: URL) -> "Http":
        """The same for the server at ``url``, if that is another one: close it when done."""
        if url.origin() == self._origin:
            return self
        return Http(
            str(url.origin()),
            limit_rate=None,
            timeout=self.timeout,
            tries=self._tries,
            pace=self.pace,
        )

    def credentials(self, url: URL) -> Mapping[str, str]:
        """What a request to ``url`` shows to be let in: nothing, if that is another server, or if
        the URL brings its own."""
        ours = url.origin() == self._origin and url.user is None
        return self._bearer if ours else NO_HEADERS

    def address(self, url: URL, headers: Mapping[str, str] = NO_HEADERS) -> Address:
        """Where to ask for what is at ``url``, with what has to be shown there."""
        fields = CIMultiDict(self.credentials(url))
        fields.update(headers)
        return Address(url, fields)

    def file_path(self, key: str) -> str:
        """The path of a file's resource.

        :raises BadKey: no file can have this key.
        """
        return "/v1/files/" + quote(check_key(key), safe="/")

    def url(self, path: str, query: Sequence[tuple[str, str]] = ()) -> URL:
        """The address of a path of the API; percent-encoding in it is kept as it is."""
        question = "?" + urlencode(query, quote_via=quote) if query else ""
        return URL(f"{self.base}{path}{question}", encoded=True)

    def located(self, location: str) -> URL:
        """The address that an answer names (RFC 9110 §10.2.2).

        Behind a proxy a server may not know under which path it is reached.
        """
        root = urlsplit(self.base).path
        if location.startswith("/") and not location.startswith(f"{root}/"):
            return self.url(location)
        return self.url("/v1/").join(URL(location, encoded=True))

    def backoff(self) -> Backoff:
        """The waits between the tries of one transfer."""
        return Backoff(self._tries)

    async def retry(self, backoff: Backoff, error: PenstockError, *, progressed: bool) -> None:
        """Wait before the next try, or raise ``error`` if there should be none.

        A server that never answered is reported at once: it is more likely a wrong address than
        a passing trouble.
        """
        if isinstance(error, ServerUnavailable) and not self.reached:
            raise error
        await backoff.after(error, progressed=progressed)

    def answer_seconds(self, size: int | None) -> float:
        """How long the server may think about a body of ``size`` bytes before it answers."""
        return self.timeout + thinking_seconds(size)

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        answer_within: float | None = None,
        moves: bool = False,
        **options: Any,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request; the answer is there until the block ends.

        ``answer_within`` seconds is the longest silence on the socket. ``moves``: the caller
        follows redirects.

        :raises Moved: only then, where to.
        :raises PenstockError: the error that the server answered.
        :raises ServerUnavailable: there was no answer, or it broke off.
        """
        limits = aiohttp.ClientTimeout(
            sock_connect=CONNECT_SECONDS, sock_read=answer_within or self.timeout
        )
        options.setdefault("allow_redirects", method in ("GET", "HEAD") and not moves)
        if shown := self.credentials(url):  # redirects to another origin go without them
            fields = CIMultiDict(shown)
            fields.update(options.get("headers") or {})
            options["headers"] = fields
        try:
            async with self._session.request(method, url, timeout=limits, **options) as response:
                self.reached = True
                location = response.headers.get("Location")
                if moves and response.status in REDIRECTS and location is not None:
                    raise Moved(location)
                if response.status >= 300:
                    raise await error_of(response)
                yield response
        except aiohttp.ClientConnectorError as error:
            raise ServerUnavailable(
                f"cannot reach {self.base} ({_reason(error)}); "
                "is the server running, and is its address right?"
            ) from error
        except aiohttp.ServerTimeoutError as error:
            raise ServerUnavailable(f"{self.base} was silent for too long") from error
        except aiohttp.ClientError as error:
            raise ServerUnavailable(
                f"the connection to {self.base} broke ({_reason(error)})"
            ) from error

    async def ask(
        self, method: str, url: URL, *, answer_within: float | None = None, **options: Any
    ) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of a small answer, in one try."""
        async with self.request(method, url, answer_within=answer_within, **options) as response:
            return response.headers, await response.read()

    async def call(
        self,
        method: str,
        url: URL,
        *,
        final: tuple[type[PenstockError], ...] = (),
        **options: Any,
    ) -> tuple[Mapping[str, str], bytes]:
        """As :meth:`ask`, with as many tries as it takes; errors of ``final`` end it at once."""
        backoff, tried = self.backoff(), False
        while True:
            try:
                return await self.ask(method, url, **options)
            except PenstockError as error:
                if tried and method == "DELETE" and isinstance(error, NotFound):
                    return {}, b""  # the earlier try did it, only its answer was lost
                if isinstance(error, final):
                    raise
                await self.retry(backoff, error, progressed=False)
                tried = True

    async def read(self, response: aiohttp.ClientResponse) -> bytes:
        """The next bytes of a body, at the limited rate; empty at its end."""
        if not self.pace.is_limited:
            return await response.content.readany()
        data = await response.content.read(self.piece)
        await self.throttle(len(data))
        return data

    async def throttle(self, n: int) -> None:
        """Wait as long as the rate limit asks for after ``n`` more bytes."""
        wait = self.pace.delay(n)
        if wait > 0:
            await asyncio.sleep(wait)

    def _socket(self, address: Any) -> socket.socket:
        family, kind, protocol = address[:3]
        return self.pace.tune(socket.socket(family=family, type=kind, proto=protocol))


def json_of(body: bytes) -> Any:
    """A JSON answer; ``None`` if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def check_server(server: str) -> str:
    """The address without a slash at its end.

    :raises ValueError: it is not an ``http://`` or ``https://`` address.
    """
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{server!r} is not a server's address, such as http://127.0.0.1:8080")
    if parts.query or parts.fragment:
        raise ValueError(f"{server!r} must end after the path")
    return server.rstrip("/")


def check_url(url: str) -> URL:
    """The address of a file.

    :raises BadRequest: it is no ``http://`` or ``https://`` URL.
    """
    with suppress(ValueError):
        address = URL(url)
        if address.scheme in ("http", "https") and address.host:
            return address.with_fragment(None)
    raise BadRequest("a URL must be one such as https://example.org/path/file")


def _reason(error: aiohttp.ClientError) -> str:
    """Why a connection failed, in few words; the library's own texts tell of its insides."""
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer was cut short"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server hung up"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    if isinstance(error, aiohttp.ClientConnectorError):  # name look-ups have negative numbers
        return error.strerror or str(error)
    return type(error).__name__
