"""Clients that are slow on purpose ("slowloris"): others are served meanwhile.

If one of these failed, one laptop would hold the service for everybody.
"""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.security.speaking import LAST, Line, head, statuses
from tests.serving import RunningServer

MIB = 1 << 20
MANY = 60
PATIENCE = 30.0
"""Seconds after which a client has waited too long for the server to hang up."""


@pytest.fixture
def server(start_server: StartServer) -> RunningServer:
    made = start_server(idle_timeout=1, stall_timeout=1)
    with (made.data / "files" / "big").open("wb") as file:
        file.truncate(64 * MIB)
    return made


@contextlib.contextmanager
def many(server: RunningServer, first: bytes) -> Iterator[list[socket.socket]]:
    """Connections that have begun to say something."""
    with contextlib.ExitStack() as stack:
        made = []
        for _ in range(MANY):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", server.port))
            made.append(stack.enter_context(client))
            client.sendall(first)
        yield made


def others_are_served(server: RunningServer) -> None:
    line = Line(server.port)
    for number in range(5):
        put = head("PUT", f"/v1/files/{number}", "Content-Length: 1") + b"x"
        assert statuses(line.said(put))[0] in (200, 201)
        assert statuses(line.said(head("GET", f"/v1/files/{number}"))) == [200]
        assert statuses(line.said(LAST)) == [200]


def all_hung_up(clients: list[socket.socket], meanwhile: Callable[[socket.socket], None]) -> bool:
    """Whether the server hangs up on all, whatever they do ``meanwhile``."""
    waiting, over = set(clients), time.monotonic() + PATIENCE
    while waiting and time.monotonic() < over:
        for client in list(waiting):
            try:
                meanwhile(client)
            except OSError:
                waiting.discard(client)
        readable, _, _ = select.select(list(waiting), [], [], 0.05)
        for client in readable:
            if _is_over(client):
                waiting.discard(client)
    return not waiting


def _is_over(client: socket.socket) -> bool:
    try:
        return client.recv(1 << 16) == b""
    except OSError:
        return True


def silent(client: socket.socket) -> None:
    """Nothing at all."""


def dribbling(client: socket.socket) -> None:
    """A byte now and then."""
    client.send(b"a")


SLOW = {
    "no head": (b"", silent),
    "half a head": (b"GET /livez HTTP/1.1\r\nHost: x\r\n", silent),
    "a head that dribbles in": (b"GET /livez HTTP/1.1\r\nX: ", dribbling),
    "a target that dribbles in": (b"GET /", dribbling),
    "a second head that dribbles in": (
        b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET /livez HTTP/1.1\r\nX: ",
        dribbling,
    ),
    "a body that does not come": (head("PUT", "/v1/files/slow", "Content-Length: 1000"), silent),
    "a form that does not come": (
        head("POST", "/v1/files", "Content-Length: 9",
        "Content-Type: multipart/form-data; boundary=b"),
        silent,
    ),
    "JSON that does not come": (
        head("POST", "/v1/zip", "Content-Length: 9", "Content-Type: application/json"),
        silent,
    ),
    "a chunk that does not come": (
        head("PUT", "/v1/files/slow", "Transfer-Encoding: chunked") + b"5\r\na",
        silent,
    ),
    "the size of a chunk that dribbles in": (
        head("PUT", "/v1/files/slow", "Transfer-Encoding: chunked") + b"1;",
        dribbling,
    ),
    "a body that nobody wants": (head("GET", "/livez", "Content-Length: 1000"), silent),
    "a body that nobody wants and dribbles in": (
        head("GET", "/livez", "Content-Length: 100000"),
        dribbling,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("first", "meanwhile"), SLOW.values(), ids=SLOW)
def test_who_is_slow_keeps_nobody_else_waiting_and_is_hung_up_on(
    server: RunningServer, first: bytes, meanwhile: Callable[[socket.socket], None]
) -> None:
    others_are_served(server)
    memory, before = server.memory(), sockets(server)

    with many(server, first) as clients:
        others_are_served(server)
        assert all_hung_up(clients, meanwhile)

    assert server.memory() < memory + 24 * MIB
    assert _falls_to(server, before)


def sockets(server: RunningServer) -> int:
    """How many the process holds; connections to the catalog's files come and go besides."""
    count = 0
    for entry in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(entry).startswith("socket:")
    return count


def _falls_to(server: RunningServer, most: int) -> bool:
    over = time.monotonic() + 10
    while sockets(server) > most:
        if time.monotonic() > over:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("path", ["/v1/files/big", "/v1/zip?key=big", "/files/big"])
def test_who_does_not_read_keeps_nobody_else_waiting_and_costs_no_memory(
    server: RunningServer, path: str
) -> None:
    others_are_served(server)
    memory, before = server.memory(), sockets(server)

    with many(server, head("GET", path)):
        others_are_served(server)
        # Their sockets stay here; those of the server do not.
        assert _falls_to(server, before)

    assert server.memory() < memory + 24 * MIB
