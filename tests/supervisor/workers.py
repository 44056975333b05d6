"""Looking at a supervisor from outside: its workers, whose a connection is, what was logged."""

import http.client
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.serving import RunningServer


def workers_of(server: RunningServer) -> set[int]:
    """The process ids of those that there are now."""
    pid = server.process.pid
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return set(filter(is_alive, children))


def is_alive(pid: int) -> bool:
    """A process that has ended is no more alive while nobody has asked how."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def connect(server: RunningServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)


def connect_to(server: RunningServer, worker: int) -> http.client.HTTPConnection:
    """A connection that one worker has accepted: the kernel picks, so we try until it is.

    A worker that has only begun accepts what came for it once it is ready.
    """
    for _ in range(100):
        connection = connect(server)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):  # a worker that ends had it
            connection.close()
            continue
        if owner(server, connection) == worker:
            return connection
        connection.close()
    raise AssertionError(f"worker {worker} accepts nothing")


def owner(server: RunningServer, connection: http.client.HTTPConnection) -> int | None:
    """The worker that has accepted a connection; ``None`` if it has closed it since, or ended."""
    assert connection.sock is not None
    theirs = f"0100007F:{connection.sock.getsockname()[1]:04X}"
    ours = f"0100007F:{server.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1], fields[2]) == (ours, theirs):
            wanted = f"socket:[{fields[9]}]"
            return next((pid for pid in workers_of(server) if wanted in _descriptors(pid)), None)
    return None


def _descriptors(pid: int) -> set[str]:
    folder, found = f"/proc/{pid}/fd", set()
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return set()  # it has ended
    for name in names:
        try:
            found.add(os.readlink(f"{folder}/{name}"))
        except (FileNotFoundError, ProcessLookupError):
            continue  # closed while we looked
    return found


def logged(server: RunningServer, event: str) -> list[dict[str, Any]]:
    """The lines of the log about an event."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"] == event]


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait until something holds."""
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over, f"never: {what}"
        time.sleep(0.05)


def get(server: RunningServer, path: str) -> bytes:
    """By a connection of its own."""
    connection = connect(server)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body
    finally:
        connection.close()


def sparse(server: RunningServer, key: str, size: int) -> None:
    """A file of zeros."""
    path = server.data / "files" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
