"""The load generator: the same for every server, in a process of its own, as lean as can be.

Reads one job as JSON from standard input, prints ``{"seconds", "bytes"}``. Bytes that are not
to be kept are discarded in the kernel (``MSG_TRUNC``), uploads leave by ``sendfile``. Imports
nothing of this package, so that it starts fast.
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
HEAD = 64 << 10

Job = dict[str, Any]


class Connection:
    """One HTTP connection; ``keep`` is a descriptor that receives the bodies, -1 for none."""

    def __init__(self, port: int, keep: int = -1) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.keep = keep
        self.buffer = memoryview(bytearray(BUFFER))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def get(self, path: str, version: str, fields: str = "") -> int:
        """Take in a body; answers its length."""
        self.socket.sendall(f"GET {path} HTTP/{version}\r\nHost: bench\r\n{fields}\r\n".encode())
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
        length, begun = self._head()
        if self.keep >= 0:
            os.write(self.keep, begun)
        return len(begun) + self._take(None if length is None else length - len(begun))

    def _head(self) -> tuple[int | None, bytes]:
        """The Content-Length (``None``: until the end) and what came of the body already."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(HEAD)
            if not more:
                raise ConnectionError(f"the server closed the connection after {data!r}")
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        if not 200 <= int(status.split()[1]) < 300:
            raise RuntimeError(data[:2000].decode(errors="replace"))
        lengths = [value for name, _, value in map(_split, fields) if name == b"content-length"]
        return (int(lengths[0]) if lengths else None), body

    def _take(self, length: int | None) -> int:
        taken = 0
        while length is None or taken < length:
            most = BUFFER if length is None else min(BUFFER, length - taken)
            count = self._receive(most)
            if not count:
                break
            taken += count
        if length is not None and taken != length:
            raise RuntimeError(f"{taken} bytes of a body of {length}")
        return taken

    def _receive(self, most: int) -> int:
        if self.keep < 0:
            return self.socket.recv_into(self.buffer, most, socket.MSG_TRUNC)
        count = self.socket.recv_into(self.buffer, most)
        os.write(self.keep, self.buffer[:count])
        return count


def _split(field: bytes) -> tuple[bytes, bytes, bytes]:
    name, colon, value = field.partition(b":")
    return name.lower(), colon, value


def fetch(job: Job, keep: int) -> int:
    """The whole body of one URL. HTTP/1.0, so nobody chunks it."""
    with Connection(job["port"], keep) as connection:
        return connection.get(job["path"], "1.0")


def ranges(job: Job, keep: int) -> int:
    """Range after range of one file on one kept connection."""
    taken = 0
    with Connection(job["port"], keep) as connection:
        for start in range(0, job["size"], job["step"]):
            last = min(start + job["step"], job["size"]) - 1
            taken += connection.get(job["path"], "1.1", f"Range: bytes={start}-{last}\r\n")
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
    """Do the job on as many connections at once as it says."""
    work = KINDS[job["kind"]]
    keep = os.open(job["keep"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if job.get("keep") else -1
    connections = job.get("connections", 1)
    with ThreadPoolExecutor(connections) as pool:
        started = time.perf_counter()
        counts = list(pool.map(lambda _: work(job, keep), range(connections)))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": sum(counts)}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
