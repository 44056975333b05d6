"""A client that hides nothing: it can be slow, leave in the middle, and say exactly what came.

Of the standard library alone, so that no client's own retries or checks stand before the server's.
"""

import base64
import hashlib
import json
import select
import socket
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

PIECE = 256 << 10
_SLOW_BUFFER = 64 << 10

Body = bytes | Iterator[bytes]


class Failed(Exception):
    """The server did not do what was asked, and said so, or broke off."""


class Wrong(Exception):
    """The server called something done that is not what was asked for."""


class Wire:
    """A connection that is kept, as a browser keeps it; ``slow`` ones take little ahead."""

    def __init__(self, url: str, token: str, timeout: float, *, slow: bool = False) -> None:
        parts = urlsplit(url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.netloc, timeout=timeout, blocksize=PIECE)
        self._prefix = parts.path.rstrip("/")
        self._fields = {"Authorization": f"Bearer {token}"} if token else {}
        self._slow = slow

    def close(self) -> None:
        """Leave, whatever is under way; the next request makes a new connection."""
        self._connection.close()

    def send(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> None:
        """Send a request whole."""
        if self._connection.sock is not None and _ended(self._connection.sock):
            self.close()  # by the server, while nothing was under way, as it may
        if self._connection.sock is None:
            self._connect()
        named = {**self._fields, **(fields or {})}
        if isinstance(body, bytes):
            named["Content-Length"] = str(len(body))
        self._connection.request(method, self._prefix + path, body=body, headers=named)

    def _connect(self) -> None:
        self._connection.connect()
        if self._slow:
            # So that the server feels a slow reader, and not only the kernel.
            self._connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)

    def answer(self, *expected: int) -> HTTPResponse:
        """What the server says to it.

        :raises Failed: it is another status than those expected.
        """
        answer = self._connection.getresponse()
        if answer.status not in expected:
            said = answer.read(300).decode(errors="replace")
            self.close()
            raise Failed(f"{answer.status} {answer.reason}: {said}")
        return answer

    def ask(
        self,
        method: str,
        path: str,
        *expected: int,
        fields: Mapping[str, str] | None = None,
        body: Body | None = None,
    ) -> HTTPResponse:
        """As :meth:`send` and :meth:`answer`."""
        self.send(method, path, fields, body)
        return self.answer(*expected)

    def ask_json(self, method: str, path: str, *expected: int, told: object = None) -> Any:
        """Ask with JSON, if any is ``told``, for JSON."""
        body = None if told is None else json.dumps(told).encode()
        fields = {} if told is None else {"Content-Type": "application/json"}
        text = self.ask(method, path, *expected, fields=fields, body=body).read()
        return json.loads(text) if text else None


def _ended(sock: socket.socket) -> bool:
    """Whether the other side has closed a connection on which no answer is due."""
    readable, _, _ = select.select([sock], [], [], 0)
    return bool(readable)


def file_path(key: str) -> str:
    """Where a file is."""
    return f"/v1/files/{quote(key)}"


def path_of(location: str) -> str:
    """The path of a ``Location``, which may have a host."""
    return urlsplit(location).path


def pieces(answer: HTTPResponse, step: int = PIECE) -> Iterator[bytes]:
    """The body as it comes.

    :raises Failed: it is shorter than its ``Content-Length``.
    """
    length = answer.length
    taken = 0
    while piece := answer.read(step):
        taken += len(piece)
        yield piece
    if length is not None and taken != length:
        raise Failed(f"broke off after {taken:,} of {length:,} bytes")


def digest(parts: Iterator[bytes], count: Callable[[int], None]) -> str:
    """The SHA-256 of what comes; ``count`` is told its lengths."""
    found = hashlib.sha256()
    for piece in parts:
        found.update(piece)
        count(len(piece))
    return found.hexdigest()


def same(found: str, wanted: str, what: str) -> None:
    """Hold a digest against the one of what was put.

    :raises Wrong: it is another one.
    """
    if found != wanted:
        raise Wrong(f"{what}: SHA-256 {found}, not {wanted}")


def metadata(**named: str) -> str:
    """``Upload-Metadata`` of tus 1.0."""
    pairs = ((name, base64.b64encode(text.encode()).decode()) for name, text in named.items())
    return ",".join(f"{name} {text}" for name, text in pairs)
