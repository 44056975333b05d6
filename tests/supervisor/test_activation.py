"""Sockets that are handed over, and what a service manager is told: systemd's protocol."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import RunningServer
from tests.supervisor.workers import get, until, workers_of

# Opens a socket, has it where sd_listen_fds(3) says, and becomes the command given to it.
_OPENING = """
import os, socket, sys
path = sys.argv[1]
opened = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
opened.bind(path or ("127.0.0.1", 0))
opened.listen()
os.dup2(opened.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What a service manager hears of the servers that the test starts."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield heard


def heard(manager: socket.socket) -> str:
    """The next state of which it was told, but for signs of life."""
    while (text := manager.recv(4096).decode().splitlines()[0]) == "WATCHDOG=1":
        pass
    return text


@pytest.mark.parametrize("workers", [1, 2])
def test_a_socket_that_was_handed_over_is_listened_on(tmp_path: Path, workers: int) -> None:
    within = [sys.executable, "-c", _OPENING, ""]

    server = RunningServer(tmp_path / "data", within, workers=workers, port=9)

    assert server.port != 9
    assert get(server, "/livez") == b"ok\n"
    assert server.stop() == 0


def test_it_may_be_a_socket_in_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = RunningServer(tmp_path / "data", [sys.executable, "-c", _OPENING, str(path)])

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        response = http.client.HTTPResponse(client)
        response.begin()
        body = response.read()

    assert (server.url, body) == (f"unix:{path}", b"ok\n")
    assert server.stop() == 0


def test_access_is_asked_for_where_the_socket_is_reached_by_others(tmp_path: Path) -> None:
    opening = _OPENING.replace("127.0.0.1", "0.0.0.0")
    server = RunningServer(tmp_path / "data", [sys.executable, "-c", opening, ""])
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    connection.request("GET", "/v1/files")

    assert connection.getresponse().status == 401
    connection.close()
    assert server.stop() == 0


def test_systemd_starts_it_with_the_first_connection(tmp_path: Path) -> None:
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed")
    for _ in range(5):
        code = _activated(program, tmp_path)
        if code is not None:
            break  # else another one took the port

    assert code == 0


def _activated(program: str, folder: Path) -> int | None:
    """How a server ends that was started so, and has answered; ``None`` if it was not started."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    passed = [f"--setenv=PENSTOCK_DATA={folder / 'data'}", "--setenv=PATH"]
    command = [program, f"--listen=127.0.0.1:{port}", *passed]
    process = subprocess.Popen(
        [*command, sys.executable, "-m", "penstock", "serve"],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=folder,
    )
    try:
        until(lambda: process.poll() is not None or _answers(port), "an answer")
        if process.poll() is not None:
            return None
    finally:
        process.terminate()
        code = process.wait(timeout=60)
    return code


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().read() == b"ok\n"
    except ConnectionRefusedError:
        return False
    finally:
        connection.close()


def test_what_is_no_listening_socket_is_refused(tmp_path: Path) -> None:
    opening = _OPENING.replace("opened.listen()", "")
    ran = subprocess.run(
        [sys.executable, "-c", opening, "", sys.executable, "-m", "penstock", "serve"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ran.returncode == 2
    assert "ListenStream=" in ran.stderr


def test_a_service_manager_is_told_when_it_serves_and_when_it_ends(
    tmp_path: Path, manager: socket.socket
) -> None:
    server = RunningServer(tmp_path / "data")

    told = heard(manager)
    code = server.stop()

    assert (told, heard(manager), code) == ("READY=1", "STOPPING=1", 0)


def test_a_service_manager_hears_that_the_event_loop_runs(
    tmp_path: Path, manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    server = RunningServer(tmp_path / "data")

    signs = [manager.recv(4096).splitlines()[0] for _ in range(6)]

    assert signs.count(b"WATCHDOG=1") >= 4
    assert server.stop() == 0


def test_a_service_manager_that_does_not_listen_stops_nobody(
    tmp_path: Path, manager: socket.socket
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
        others.connect(manager.getsockname())
        others.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                others.send(b"STATUS=the queue is full")

    server = RunningServer(tmp_path / "data")

    assert server.stop() == 0


def test_what_a_process_starts_is_not_meant(tmp_path: Path) -> None:
    variables = {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}  # ours, not the server's
    for name, value in variables.items():
        os.environ[name] = value
    try:
        server = RunningServer(tmp_path / "data", workers=2)
    finally:
        for name in variables:
            del os.environ[name]

    assert len(workers_of(server)) == 2
    assert get(server, "/livez") == b"ok\n"
    assert server.stop() == 0
