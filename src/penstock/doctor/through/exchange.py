"""One request on a connection of its own, down to what HTTP libraries do not show: interim
responses, when each byte comes, trailer fields."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from multidict import CIMultiDict

from penstock import __version__
from penstock.errors import PenstockError, ServerUnavailable

PATIENCE: Final = 15.0
"""Seconds for a connection, and for an answer that is due."""
_MOST_HEAD: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; ``interim`` are the statuses that came before it."""

    status: int
    fields: CIMultiDict[str]
    interim: tuple[int, ...] = ()

    @property
    def is_ours(self) -> bool:
        """Whether Penstock gave it, and not somebody on the way: only it tells errors so."""
        kind = self.fields.get("Content-Type", "")
        return self.status < 400 or kind.startswith("application/problem+json")


class Exchange:
    """A connection, for one request and its answer."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, front: "Front"
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._front = front
        self._left: int | None = None
        self._chunked = False
        self.trailers: CIMultiDict[str] = CIMultiDict()

    async def ask(self, method: str, path: str, fields: Mapping[str, str]) -> None:
        """Send the head of a request."""
        told = {**self._front.fields, **fields}
        lines = [f"{method} {self._front.root}{path} HTTP/1.1", *map(": ".join, told.items())]
        await self.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def send(self, data: bytes) -> None:
        """Send more of a request."""
        self._writer.write(data)
        async with asyncio.timeout(PATIENCE):
            await self._writer.drain()

    async def next_head(self, within: float = PATIENCE) -> Answer:
        """The next head, be it interim or final.

        :raises TimeoutError: none comes in so many seconds.
        """
        async with asyncio.timeout(within):
            head = await self._reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
            raise ServerUnavailable("what answers there does not speak HTTP")
        pairs = (line.partition(":") for line in lines if line)
        return Answer(int(rest[:3]), CIMultiDict((name, value.strip()) for name, _, value in pairs))

    async def answer(self, within: float = PATIENCE) -> Answer:
        """The final head.

        :raises TimeoutError: it does not come in so many seconds.
        """
        interim: list[int] = []
        while (head := await self.next_head(within)).status < 200:
            interim.append(head.status)
        self._chunked = head.fields.get("Transfer-Encoding", "").lower() == "chunked"
        length = head.fields.get("Content-Length", "")
        self._left = int(length) if length.isdigit() and not self._chunked else None
        return Answer(head.status, head.fields, tuple(interim))

    async def some(self, within: float = PATIENCE) -> bytes:
        """The next bytes of the body; empty at its end.

        :raises TimeoutError: none come in so many seconds.
        """
        async with asyncio.timeout(within):
            if self._chunked:
                return await self._chunk()
            if self._left == 0:
                return b""
            most = 1 << 16 if self._left is None else min(self._left, 1 << 16)
            data = await self._reader.read(most)
        if self._left is not None:
            if not data:
                raise asyncio.IncompleteReadError(b"", self._left)
            self._left -= len(data)
        return data

    async def _chunk(self) -> bytes:
        size = int((await self._line()).partition(b";")[0], 16)
        if size:
            data = await self._reader.readexactly(size)
            await self._reader.readexactly(2)
            return data
        while (line := await self._line()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            self.trailers.add(name, value.strip())
        self._chunked, self._left = False, 0
        return b""

    async def _line(self) -> bytes:
        """A line of the framing; the end of the connection is none, so what it cuts is no end."""
        return await self._reader.readuntil(b"\n")

    async def rest(self) -> bytes:
        """All of the body that is left."""
        pieces = []
        while data := await self.some():
            pieces.append(data)
        return b"".join(pieces)


class Front:
    """Where the server is reached, and what is shown there.

    A user and a password in the address are shown by HTTP Basic (RFC 7617), and told nobody.

    :raises PenstockError: by :meth:`open`: nobody answers there as should be.
    """

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        self.url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self.host = parts.hostname or ""
        self.is_tls = parts.scheme == "https"
        self.port = parts.port or (443 if self.is_tls else 80)
        self.root = parts.path.rstrip("/")
        self.origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.fields = {
            "Host": parts.netloc.rpartition("@")[2],
            "User-Agent": f"penstock/{__version__}",
            "Connection": "close",
        }
        if token is not None:
            self.fields["Authorization"] = f"Bearer {token}"
        elif parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.fields["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Exchange]:
        """A connection of its own."""
        try:
            async with asyncio.timeout(PATIENCE):
                context = ssl.create_default_context() if self.is_tls else None
                reader, writer = await asyncio.open_connection(
                    self.host, self.port, ssl=context, limit=_MOST_HEAD
                )
        except (OSError, TimeoutError) as error:
            why = getattr(error, "strerror", None) or "no answer"
            raise ServerUnavailable(f"{self.url} cannot be reached: {why}") from error
        try:
            yield Exchange(reader, writer, self)
        except TimeoutError as error:
            raise ServerUnavailable("no answer came in time") from error
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise ServerUnavailable("the connection broke off") from error
        except ValueError as error:
            raise ServerUnavailable("what came is not HTTP") from error
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def call(
        self, method: str, path: str, fields: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[Answer, bytes]:
        """A whole request and its whole answer."""
        async with self.open() as exchange:
            length = {"Content-Length": str(len(body))} if body or method in _SENDING else {}
            await exchange.ask(method, path, {**length, **(fields or {})})
            if body:
                await exchange.send(body)
            answer = await exchange.answer()
            if method == "HEAD" or answer.status in (204, 304):
                return answer, b""
            return answer, await exchange.rest()


_SENDING: Final = ("PUT", "POST", "PATCH")


def told_in(body: bytes) -> Mapping[str, Any]:
    """A JSON object; empty if it is none."""
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def refused(what: str, answer: Answer, body: bytes) -> PenstockError:
    """What was needed for a look was not done; why, as far as that is told."""
    detail = told_in(body).get("detail")
    why = detail if isinstance(detail, str) else "and does not say why"
    return PenstockError(f"{what} is answered {answer.status}: {why}")
