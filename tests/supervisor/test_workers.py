"""``penstock serve --workers N``: several processes that are one server."""

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartServer
from tests.serving import RunningServer
from tests.supervisor.loads import Load
from tests.supervisor.workers import (
    connect,
    connect_to,
    get,
    is_alive,
    logged,
    sparse,
    until,
    workers_of,
)

MIB = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers, for tests that leave them there."""
    data = tmp_path_factory.mktemp("workers") / "data"
    running = RunningServer(data, workers=2, log_format="json")
    yield running
    assert running.stop() == 0


def test_connections_are_spread_over_all_workers(server: RunningServer) -> None:
    for _ in range(60):
        get(server, "/v1/files?prefix=spread")

    def asked() -> list[object]:
        lines = [line for line in logged(server, "request") if line["path"] == "/v1/files"]
        return [line["worker"] for line in lines]

    until(lambda: len(asked()) == 60, "a line for each request")
    assert {asked().count(slot) > 10 for slot in range(2)} == {True}


def test_it_is_announced_once_when_all_are_ready(start_server: StartServer) -> None:
    server = start_server(workers=2, store="file:///tmp", host="0.0.0.0")
    assert len(workers_of(server)) == 2
    server.process.send_signal(signal.SIGTERM)
    assert server.process.stdout is not None

    rest = server.process.stdout.read().splitlines()

    assert server.process.wait(timeout=60) == 0
    assert "Files are kept in file:///tmp" in rest
    assert sum("pst_" in line for line in rest) == 1  # the first token
    assert len(rest) == len(set(rest))
    assert not any(" is listening on " in line for line in rest)


def test_jobs_are_done_by_the_first_worker_alone(server: RunningServer) -> None:
    variables = [Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in workers_of(server)]

    does_jobs = {
        slot: "PENSTOCK_WORKER=true" in lines
        for lines in variables
        for slot in (0, 1)
        if f"LISTEN_SLOT={slot}" in lines
    }

    assert does_jobs == {0: True, 1: False}


def test_a_killed_worker_takes_only_its_own_connections_along_and_is_replaced(
    server: RunningServer,
) -> None:
    sparse(server, "small", 10)
    sparse(server, "big", 64 * MIB)
    stays, dies = workers_of(server)
    theirs, other = connect_to(server, dies), connect_to(server, stays)
    for connection in (theirs, other):
        connection.request("GET", "/v1/files/big")

    with Load(server) as load:
        until(lambda: load.answers > 20, "a load")
        os.kill(dies, signal.SIGKILL)
        until(lambda: len(workers_of(server) - {stays, dies}) == 1, "a new worker")
        connect_to(server, *(workers_of(server) - {stays})).close()
    whole = other.getresponse().read()
    theirs.close()
    other.close()

    # Each of the two clients may have been talking to it; what waited for it did not fail.
    assert len(load.failures) <= 2
    assert len(whole) == 64 * MIB
    assert stays in workers_of(server)
    ended = [line["ended"] for line in logged(server, "worker ended") if line["pid"] == dies]
    assert ended == ["by SIGKILL"]


def test_a_worker_that_hangs_is_replaced(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")  # as WatchdogSec=10 of a unit does
    server = start_server(workers=2, log_format="json")
    hangs, _ = before = workers_of(server)

    os.kill(hangs, signal.SIGSTOP)
    until(lambda: hangs not in workers_of(server), "its end")
    until(lambda: len(workers_of(server) - before) > 0, "another one")

    # On a machine that stands still for so long the other one seems to hang, too.
    # Lines of the log are gathered before they are written.
    until(lambda: hangs in [one["pid"] for one in logged(server, "worker hangs")], "its line")
    assert server.stop() == 0


def test_the_log_has_nothing_but_its_lines(server: RunningServer) -> None:
    lines = server.log.read_text().splitlines()

    assert lines
    assert [line for line in lines if not line.startswith("{")] == []


def test_an_upload_that_one_worker_began_goes_on_at_another(server: RunningServer) -> None:
    one, two = (connect_to(server, pid) for pid in workers_of(server))
    tus = {"Tus-Resumable": "1.0.0"}
    name = base64.b64encode(b"elsewhere").decode()
    more = {"Upload-Length": "8", "Upload-Metadata": f"filename {name}"}
    one.request("POST", "/v1/uploads", headers=tus | more)
    created = one.getresponse()
    created.read()
    path = urlsplit(created.getheader("Location") or "").path

    statuses = []
    for offset, connection in ((0, one), (4, two)):
        more = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        connection.request("PATCH", path, body=b"half", headers=tus | more)
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        connection.close()

    assert (created.status, statuses) == (201, [204, 204])
    assert get(server, "/v1/files/elsewhere") == b"halfhalf"


def test_nobody_is_left_when_the_supervisor_is_killed(
    start_server: StartServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    server = start_server(workers=2)
    workers = workers_of(server)

    server.kill()

    until(lambda: not any(map(is_alive, workers)), "their end")
    # The next start removes what it used; another test has that.
    assert [path.name[:16] for path in tmp_path.glob("penstock-*")] == ["penstock-metrics"]


def test_a_worker_whose_supervisor_has_ended_ends_too(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    supervised = {"LISTEN_PPID": str(ended.pid), "LISTEN_SLOT": "0", "LISTEN_FDS": "1"}
    settings = {"PENSTOCK_WORKERS": "2", "PENSTOCK_PORT": "0"}

    ran = subprocess.run(
        [sys.executable, "-m", "penstock", "serve"],
        cwd=tmp_path,
        env={**os.environ, **supervised, **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ran.returncode, ran.stdout) == (0, "")


def test_a_second_signal_cuts_what_is_in_flight(start_server: StartServer) -> None:
    server = start_server(workers=2, log_format="json")
    sparse(server, "big", 64 * MIB)
    connection = connect(server)
    connection.request("GET", "/v1/files/big")
    response = connection.getresponse()

    server.process.send_signal(signal.SIGTERM)
    until(lambda: bool(logged(server, "stopping")), "the first signal's work")
    server.process.send_signal(signal.SIGTERM)

    assert server.process.wait(timeout=20) == 0
    response.close()
    connection.close()


def serve(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "penstock", "serve", "--workers", "2", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_store_in_memory_is_refused(tmp_path: Path) -> None:
    ran = serve(tmp_path, "--store", "memory://", "--port", "0")

    assert ran.returncode == 2
    assert "--workers" in ran.stderr


def test_a_port_of_another_supervisor_is_not_shared(server: RunningServer, tmp_path: Path) -> None:
    ran = serve(tmp_path, "--port", str(server.port))

    assert ran.returncode == 1
    assert "in use" in ran.stderr
    assert f"port {server.port}" in ran.stderr


@pytest.mark.parametrize(
    ("option", "value", "code", "told"),
    [
        ("--store", "s4://nowhere", 2, "s4://nowhere"),
        ("--catalog", "postgresql+psycopg://a:b@127.0.0.1:9/away", 5, "cannot be reached now"),
    ],
)
def test_a_worker_that_cannot_start_ends_the_supervisor_with_its_code(
    tmp_path: Path, option: str, value: str, code: int, told: str
) -> None:
    ran = serve(tmp_path, "--port", "0", option, value)

    assert ran.returncode == code
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
