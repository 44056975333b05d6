"""One HTTP connection of the load generator, as lean as can be.

Bytes that are not to be kept are discarded in the kernel (``MSG_TRUNC``), files leave by
``sendfile``. An answer that ends before its length or its last chunk is an error.
"""

import os
import socket
import struct
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

BUFFER = 1 << 20
LINES = 4 << 10
_TUS = "Tus-Resumable: 1.0.0\r\n"


class Refused(RuntimeError):
    """The answer has another ``status`` than 2xx."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Connection:
    """Requests one after the other.

    ``keep`` is a descriptor that receives the bodies, -1 for none. ``patience`` is the seconds
    after which a silent server is a :class:`BlockingIOError`, 0 for ever.
    """

    def __init__(self, port: int, keep: int = -1, patience: float = 0) -> None:
        self.port = port
        self.patience = patience
        self.socket = self._connected()
        self.closes = False  # the server does, after its last answer
        self.keep = keep
        self.buffer = memoryview(bytearray(BUFFER))
        self.ahead = b""  # received beyond what was asked for

    def _connected(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A timeout of Python's own would make the descriptor one that sendfile cannot wait for.
        limit = struct.pack("ll", int(self.patience), int(self.patience % 1 * 1e6))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def get(self, path: str, fields: str = "") -> int:
        """Take in a body; answers its length."""
        self._ask("GET", path, fields)
        return self._answer()

    def post(self, path: str, body: bytes) -> int:
        """Send JSON and take in a body; answers its length."""
        self._ask("POST", path, _length(len(body)) + "Content-Type: application/json\r\n", body)
        return self._answer()

    def put(self, path: str, fd: int, size: int) -> int:
        """Send a file as the body; answers its length once the server has confirmed it."""
        self._ask("PUT", path, _length(size), more=True)
        self.send(fd, 0, size)
        self._answer()
        return size

    def create(self, path: str, key: str, size: int) -> str:
        """Begin a tus upload of so many bytes; answers the path of its URL."""
        metadata = f"filename {_base64(key)},filetype {_base64('application/octet-stream')}"
        fields = f"Upload-Length: {size}\r\nUpload-Metadata: {metadata}\r\n"
        self._ask("POST", path, _TUS + _length(0) + fields)
        answer = self._head()
        self._body(answer)
        return urlsplit(answer[b"location"].decode()).path

    def offset(self, path: str) -> int:
        """How much the server says to have of a tus upload."""
        self._ask("HEAD", path, _TUS)
        return int(self._head()[b"upload-offset"])

    def begin_patch(self, path: str, offset: int, size: int) -> None:
        """The head of a request that adds ``size`` bytes to a tus upload; they are to follow."""
        kind = "Content-Type: application/offset+octet-stream\r\n"
        place = f"Upload-Offset: {offset}\r\n"
        self._ask("PATCH", path, _TUS + kind + place + _length(size), more=True)

    def end_patch(self) -> int:
        """The offset that the server confirms."""
        answer = self._head()
        self._body(answer)
        return int(answer[b"upload-offset"])

    def send(self, fd: int, start: int, stop: int) -> None:
        """These bytes of a file."""
        while start < stop:
            start += os.sendfile(self.socket.fileno(), fd, start, stop - start)

    def _ask(
        self, method: str, path: str, fields: str, body: bytes = b"", more: bool = False
    ) -> None:
        if self.closes:  # RFC 9112, 9.6
            self.socket.close()
            self.socket, self.closes, self.ahead = self._connected(), False, b""
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n"
        self.socket.sendall(head.encode() + body, socket.MSG_MORE if more else 0)

    def _answer(self) -> int:
        return self._body(self._head())

    def _body(self, fields: dict[bytes, bytes]) -> int:
        if fields[b":status"] == b"204":
            return 0
        if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
            return self._take_chunks()
        length = fields.get(b"content-length")
        return self._take(None if length is None else int(length))

    def _head(self) -> dict[bytes, bytes]:
        """The fields of an answer that is no refusal, names in lower case, and its ``:status``."""
        line = self._line()
        status = line.split()[1]
        fields = {b":status": status}
        while field := self._line():
            name, _, value = field.partition(b":")
            fields[name.lower()] = value.strip()
        self.closes = fields.get(b"connection", b"").lower() == b"close"
        if not 200 <= int(status) < 300:
            text = self.ahead
            if not text and fields.get(b"content-length") != b"0":
                text = self.socket.recv(LINES)
            raise Refused(int(status), f"{line!r} {text!r}")
        return fields

    def _line(self) -> bytes:
        while b"\r\n" not in self.ahead:
            more = self.socket.recv(LINES)
            if not more:
                raise ConnectionError(f"the server closed the connection after {self.ahead!r}")
            self.ahead += more
        line, _, self.ahead = self.ahead.partition(b"\r\n")
        return line

    def _take_chunks(self) -> int:
        """All chunks of a body (RFC 9112, 7.1); answers the bytes in them."""
        taken = 0
        while size := int(self._line().partition(b";")[0], 16):
            taken += self._take(size)
            if self._line():
                raise RuntimeError("a chunk is longer than it said")
        while self._line():  # trailers
            pass
        return taken

    def _take(self, length: int | None) -> int:
        """So many bytes, or with ``None`` all that come before the server closes."""
        taken = self._take_ahead(length)
        while length is None or taken < length:
            count = self._receive(BUFFER if length is None else min(BUFFER, length - taken))
            if not count:
                break
            taken += count
        if length is not None and taken != length:
            raise ConnectionError(f"the server closed the connection {length - taken} bytes early")
        return taken

    def _take_ahead(self, length: int | None) -> int:
        begun = self.ahead[:length]
        self.ahead = self.ahead[len(begun) :]
        if self.keep >= 0:
            write(self.keep, begun)
        return len(begun)

    def _receive(self, most: int) -> int:
        if self.keep < 0:
            return self.socket.recv_into(self.buffer, most, socket.MSG_TRUNC)
        count = self.socket.recv_into(self.buffer, most)
        write(self.keep, self.buffer[:count])
        return count


@contextmanager
def opened(path: Path | str) -> Iterator[int]:
    """A descriptor to send a file from."""
    fd = os.open(path, os.O_RDONLY)
    try:
        yield fd
    finally:
        os.close(fd)


def write(fd: int, data: bytes | memoryview) -> None:
    """All of it, however often it takes."""
    while len(data):
        data = data[os.write(fd, data) :]


def _length(size: int) -> str:
    return f"Content-Length: {size}\r\n"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
