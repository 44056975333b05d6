"""One HTTP/1.1 connection that a worker thread reads from: the way of most bytes per CPU second.

The event loop would hand every piece through a buffer of its own, and one thread would do it for
all connections; TLS costs it even more. Here a thread waits in the kernel, and what it reads goes
to the disk as it is.
"""

import http.client
import os
import re
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import BinaryIO

from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from penstock.client.pace import Pace
from penstock.client.problems import MAX_PROBLEM_BYTES, error_from, shown
from penstock.errors import BadRequest, PenstockError, ServerUnavailable

_MOST_INTERIM = 20
_MOST_LINES = 1000
_LENGTH = re.compile(r"\s*\d{1,18}\s*", re.ASCII)


class _Lines:
    """What the head of an answer is read from; remembers its last line."""

    def __init__(self, source: BinaryIO) -> None:
        self.source = source
        self.last = b""
        self._count = 0

    def readline(self, limit: int = -1) -> bytes:
        self._count += 1
        if self._count > _MOST_LINES:
            raise http.client.BadStatusLine("too many lines")
        self.last = self.source.readline(limit)
        return self.last

    def close(self) -> None:
        self.source.close()


class _Response(http.client.HTTPResponse):
    """An answer whose head is whole and the last one.

    The library takes a connection that breaks for the end of a head, most interim answers for
    final ones (RFC 9110 §15.2), and is lenient with lengths (RFC 9112 §6.3).
    """

    def begin(self) -> None:
        for _ in range(_MOST_INTERIM):
            self._begin_one()
            if self.status == 101 or not 100 <= self.status < 200:
                return
            self.headers = self.msg = None  # type: ignore[assignment]
        raise http.client.BadStatusLine("too many interim answers")

    def _begin_one(self) -> None:
        source = self.fp
        lines = _Lines(source)
        self.fp = lines  # type: ignore[assignment]
        try:
            super().begin()
        finally:
            if self.fp is not None:
                self.fp = source
        if lines.last not in (b"\r\n", b"\n"):
            raise http.client.IncompleteRead(b"")
        lengths = set(self.headers.get_all("Content-Length", []))
        if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
            raise http.client.BadStatusLine("a length that is none")


class Reply:
    """An answer: its status and headers, and its body piece by piece."""

    def __init__(self, lane: "Lane", response: http.client.HTTPResponse) -> None:
        self._lane = lane
        self._response = response
        self.status = response.status
        self.reason = response.reason
        self.headers = CIMultiDictProxy(CIMultiDict(response.getheaders()))

    def read(self) -> bytes:
        """The next bytes as they come, at the limited rate; empty at the end of the body.

        :raises ServerUnavailable: it broke off, or nothing came for too long.
        """
        with self._lane.errors():
            data = self._response.read1(self._lane.pace.piece)
            if self._response.length == 0:
                self._response.close()  # so that the connection can be used again
        wait = self._lane.pace.delay(len(data))
        if wait > 0 and self._lane.aborted.wait(wait):
            raise ServerUnavailable("the connection was given up")
        return data

    def rest(self) -> bytes:
        """A short body; of a long one only the beginning, and the connection cannot be kept."""
        body = b""
        while len(body) < MAX_PROBLEM_BYTES and (more := self.read()):
            body += more
        return body

    def raise_for_status(self, what: str) -> None:
        """:raises PenstockError: it is no answer of 200 to 299."""
        if self.status < 300:
            return
        body = self.rest()
        raise error_from(f"{what}: {self.status} {self.reason}", self.status, self.headers, body)


class Lane:
    """A connection to ``origin``. Everything but :meth:`abort` blocks, and is for one thread.

    ``answers`` counts those it has given: one that has may have been closed meanwhile.
    """

    def __init__(
        self, origin: URL, sock: socket.socket, tls: ssl.SSLContext | None, pace: Pace
    ) -> None:
        assert origin.host is not None
        self.origin = origin
        self.pace = pace
        self.answers = 0
        self._broken = False
        self.aborted = threading.Event()
        self._socket = sock
        self._response: http.client.HTTPResponse | None = None
        self._connection: http.client.HTTPConnection
        if tls is None:
            self._connection = http.client.HTTPConnection(origin.host, origin.port)
        else:
            self._connection = http.client.HTTPSConnection(origin.host, origin.port, context=tls)
        self._connection.response_class = _Response
        self._connection.sock = sock

    def shake_hands(self) -> None:
        """Begin TLS.

        :raises PenstockError: the server's certificate cannot be trusted.
        :raises ServerUnavailable: it came to nothing for another reason.
        """
        assert isinstance(self._socket, ssl.SSLSocket)
        with self.errors():
            self._socket.do_handshake()

    def ask(
        self, method: str, url: URL, headers: Mapping[str, str], thinking: float = 0.0
    ) -> Reply:
        """Send a request and wait for the head of its answer, ``thinking`` seconds longer.

        :raises ServerUnavailable: there is none.
        """
        with self.errors():
            silence = self._socket.gettimeout()
            self._socket.settimeout(None if silence is None else silence + thinking)
            self._send(method, url, headers)
            self._response = self._connection.getresponse()
            self._socket.settimeout(silence)
        self.answers += 1
        return Reply(self, self._response)

    def _send(self, method: str, url: URL, headers: Mapping[str, str]) -> None:
        try:
            self._connection.request(method, url.raw_path_qs, headers=dict(headers))
        except (http.client.InvalidURL, ValueError) as error:
            self._broken = True
            raise BadRequest(f"{shown(url)}, or a header, cannot be sent in HTTP") from error

    @property
    def is_free(self) -> bool:
        """Whether another request can follow: the last answer was read to its end."""
        return (
            not (self.aborted.is_set() or self._broken)
            and self._response is not None
            and self._response.isclosed()
            and self._connection.sock is not None
        )

    def abort(self) -> None:
        """End the connection now; a thread that waits in it gets an error. For any thread."""
        self.aborted.set()
        with suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Free the descriptor; no thread may use it any more."""
        if self._response is not None:
            self._response.close()
        self._connection.close()
        self._socket.close()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of the connection as ours."""
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._broken = True
            raise trouble(self.origin, error) from error


def trouble(origin: URL, error: Exception) -> PenstockError:
    """What went wrong with a connection, in few words; the library's tell of its insides."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return PenstockError(f"the certificate of {origin} cannot be trusted: {_why(error)}")
    if isinstance(error, TimeoutError):
        return ServerUnavailable(f"{origin} was silent for too long")
    if isinstance(error, http.client.RemoteDisconnected):
        return ServerUnavailable(f"the connection to {origin} broke (the server hung up)")
    if isinstance(error, http.client.IncompleteRead):
        return ServerUnavailable(f"the connection to {origin} broke (the answer was cut short)")
    if isinstance(error, OSError):
        return ServerUnavailable(f"the connection to {origin} broke ({_why(error)})")
    return ServerUnavailable(f"what {origin} answers is not HTTP")


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__
