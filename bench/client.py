"""The load generator: the same for every server, in a process of its own, as lean as can be.

Reads one job as JSON from standard input, prints ``{"seconds", "bytes"}``. Bytes that are not
to be kept are discarded in the kernel (``MSG_TRUNC``), uploads leave by ``sendfile``. An answer
that ends before its length or its last chunk is an error. Imports nothing of this package, so
that it starts fast.
"""

import json
import os
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

BUFFER = 1 << 20
LINES = 4 << 10

Job = dict[str, Any]


class Connection:
    """One HTTP connection; ``keep`` is a descriptor that receives the bodies, -1 for none."""

    def __init__(self, port: int, keep: int = -1) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.keep = keep
        self.buffer = memoryview(bytearray(BUFFER))
        self.ahead = b""  # received beyond what was asked for

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
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n{fields}\r\n".encode())
        return self._answer()

    def post(self, path: str, body: bytes) -> int:
        """Send JSON and take in a body; answers its length."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)
        return self._answer()

    def put(self, path: str, fd: int, size: int) -> int:
        """Send a file as the body; answers its length once the server has confirmed it."""
        head = f"PUT {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {size}\r\n\r\n"
        self.socket.sendall(head.encode(), socket.MSG_MORE)
        sent = 0
        while sent < size:
            sent += os.sendfile(self.socket.fileno(), fd, sent, size - sent)
        self._answer()
        return sent

    def _answer(self) -> int:
        fields = self._head()
        if fields.get(b"transfer-encoding") == b"chunked":
            return self._take_chunks()
        length = fields.get(b"content-length")
        return self._take(None if length is None else int(length))

    def _head(self) -> dict[bytes, bytes]:
        """The fields of an answer that is no refusal, names in lower case."""
        status = self._line()
        fields = {}
        while line := self._line():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip().lower()
        if not 200 <= int(status.split()[1]) < 300:
            text = self.ahead or self.socket.recv(LINES)
            raise RuntimeError(f"{status!r} {text!r}")
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
            _write(self.keep, begun)
        return len(begun)

    def _receive(self, most: int) -> int:
        if self.keep < 0:
            return self.socket.recv_into(self.buffer, most, socket.MSG_TRUNC)
        count = self.socket.recv_into(self.buffer, most)
        _write(self.keep, self.buffer[:count])
        return count


def _write(fd: int, data: bytes | memoryview) -> None:
    while len(data):
        data = data[os.write(fd, data) :]


def fetch(job: Job, keep: int) -> int:
    """The whole body of one URL; a GET, or a POST of the job's ``body``."""
    with Connection(job["port"], keep) as connection:
        if "body" in job:
            return connection.post(job["path"], job["body"].encode())
        return connection.get(job["path"])


def ranges(job: Job, keep: int) -> int:
    """Range after range of one file on one kept connection."""
    taken = 0
    with Connection(job["port"], keep) as connection:
        for start in range(0, job["size"], job["step"]):
            last = min(start + job["step"], job["size"]) - 1
            taken += connection.get(job["path"], f"Range: bytes={start}-{last}\r\n")
    return taken


def upload(job: Job, _keep: int) -> int:
    """One file as the raw body of a PUT."""
    fd = os.open(job["file"], os.O_RDONLY)
    try:
        with Connection(job["port"]) as connection:
            return connection.put(job["path"], fd, job["size"])
    finally:
        os.close(fd)


KINDS = {"fetch": fetch, "ranges": ranges, "upload": upload}


def run(job: Job) -> dict[str, float]:
    """Do the job on as many connections at once as it says, or has ``bodies``, one for each."""
    work = KINDS[job["kind"]]
    keep = os.open(job["keep"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if job.get("keep") else -1
    jobs = [{**job, "body": body} for body in job.get("bodies", ())]
    jobs = jobs or [job] * job.get("connections", 1)
    with ThreadPoolExecutor(len(jobs)) as pool:
        started = time.perf_counter()
        counts = list(pool.map(lambda one: work(one, keep), jobs))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": sum(counts)}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
