"""The limit of bytes per second that all transfers of a client share."""

import socket
import threading
import time

from penstock.octets.rate import TokenBucket

PIECE = 512 << 10
SMALLEST_PIECE = 4 << 10
LIMITED_BUFFER = 64 << 10


class Pace:
    """At most ``limit`` bytes per second; ``None`` is no limit. For any thread.

    ``piece`` is how many bytes to read or send at a time.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._lock = threading.Lock()
        self._bucket = None if limit is None else TokenBucket(limit)
        self.piece = PIECE
        if self._bucket is not None:
            self.piece = int(min(PIECE, max(SMALLEST_PIECE, self._bucket.burst)))

    @property
    def is_limited(self) -> bool:
        return self._bucket is not None

    def delay(self, n: int) -> float:
        """Seconds to wait after ``n`` more bytes."""
        if self._bucket is None:
            return 0.0
        with self._lock:
            return self._bucket.delay(time.monotonic(), n)

    def tune(self, made: socket.socket) -> socket.socket:
        """Under a limit, let the kernel fetch little ahead of us."""
        if self._bucket is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, LIMITED_BUFFER)
        return made
