"""SIGHUP: new workers with new settings take over, and nobody notices."""

import hashlib
import http.client
import json
import os
import select
import signal
import socket
import time
from collections.abc import Iterator

import pytest

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
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """What a service manager hears of it."""
    path = tmp_path_factory.mktemp("manager") / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(path))
        heard.settimeout(60)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NOTIFY_SOCKET", str(path))
            yield heard


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, manager: socket.socket
) -> Iterator[RunningServer]:
    """A supervisor in a folder of its own, where penstock.toml is."""
    folder = tmp_path_factory.mktemp("reload") / "here"
    folder.mkdir()
    (folder / "penstock.toml").write_text("workers = 2\n")
    within = ["env", "-C", str(folder)]
    running = RunningServer(folder.with_name("data"), within, log_format="json")
    yield running
    assert running.stop() == 0


@pytest.fixture
def server(running: RunningServer, manager: socket.socket) -> RunningServer:
    """The same, when all workers of the reloads before have ended."""
    while select.select([manager], [], [], 0)[0]:
        manager.recv(4096)  # few fit into a socket

    def wanted() -> list[int]:
        lines = [*logged(running, "listening"), *logged(running, "reloaded")]
        return [line["workers"] for line in lines if "workers" in line][-1:]

    until(lambda: [len(workers_of(running))] == wanted(), "the end of the old workers")
    return running


def write(server: RunningServer, settings: str) -> None:
    """Have penstock.toml say so."""
    (server.data.with_name("here") / "penstock.toml").write_text(settings)


def reload(server: RunningServer, outcome: str = "reloaded") -> None:
    """Have it reload, and wait for how that goes."""
    before = len(logged(server, outcome))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(logged(server, outcome)) > before, outcome)


def max_body(server: RunningServer) -> int:
    """As one of the workers has it."""
    limits: dict[str, int] = json.loads(get(server, "/v1/server"))["limits"]
    return limits["max_body"]


def test_a_reload_fails_no_request_and_cuts_no_transfer(server: RunningServer) -> None:
    write(server, "workers = 2\n")
    sparse(server, "small", 10)
    sparse(server, "big", 64 * MIB)
    before = workers_of(server)
    down, up = connect(server), connect(server)
    down.request("GET", "/v1/files/big")
    response = down.getresponse()
    up.putrequest("PUT", "/v1/files/up")
    up.putheader("Content-Length", str(2 * MIB))
    up.endheaders()
    up.send(bytes(MIB))

    with Load(server) as load:
        until(lambda: load.answers > 50, "a load")
        reload(server)
        answers = load.answers
        until(lambda: load.answers > answers + 50, "answers of the new workers")
    received = read_slowly(response)
    up.send(bytes(MIB))
    stored = up.getresponse()
    stored.read()
    up.close()
    down.close()

    assert load.failures == []
    assert received == hashlib.sha256(bytes(64 * MIB)).hexdigest()
    assert stored.status == 201
    until(lambda: not any(map(is_alive, before)), "the end of the old workers")
    assert len(workers_of(server)) == 2


def read_slowly(response: http.client.HTTPResponse) -> str:
    """The SHA-256 of a body."""
    digest = hashlib.sha256()
    while data := response.read(4 * MIB):
        digest.update(data)
        time.sleep(0.02)
    return digest.hexdigest()


def test_new_settings_hold_after_a_reload(server: RunningServer) -> None:
    write(server, "workers = 3\nmax_body = '5GiB'\n")
    before = workers_of(server)

    reload(server)

    until(lambda: not any(map(is_alive, before)), "the end of the old workers")
    assert len(workers_of(server)) == 3
    assert {max_body(server) for _ in range(10)} == {5 << 30}


def test_fewer_workers_accept_what_all_the_sockets_bring(server: RunningServer) -> None:
    write(server, "workers = 1\n")
    before = workers_of(server)

    reload(server)
    until(lambda: not any(map(is_alive, before)), "the end of the old workers")

    assert len(workers_of(server)) == 1
    assert {get(server, "/livez") for _ in range(30)} == {b"ok\n"}


@pytest.mark.parametrize(
    "broken", ["workers = 0", "workers =", "workers = 6\nstore = 's4://nowhere'"]
)
def test_with_broken_settings_the_workers_that_serve_go_on(
    server: RunningServer, broken: str
) -> None:
    write(server, f"{broken}\n")
    before = workers_of(server)

    reload(server, "reload failed")

    assert workers_of(server) == before
    # No connection waits for workers that did not come.
    assert {get(server, "/livez") for _ in range(30)} == {b"ok\n"}


def test_broken_settings_do_not_stand_in_the_way_of_a_worker_that_is_replaced(
    server: RunningServer,
) -> None:
    write(server, "workers = 'many'\n")
    before = workers_of(server)

    os.kill(min(before), signal.SIGKILL)

    until(lambda: len(workers_of(server) - before) == 1, "a new worker")
    connect_to(server, *(workers_of(server) - before)).close()


def test_a_service_manager_hears_of_it_from_the_supervisor_alone(
    server: RunningServer, manager: socket.socket
) -> None:
    write(server, "workers = 1\n")

    reload(server)

    while not manager.recv(4096).startswith(b"RELOADING=1\n"):
        pass
    assert manager.recv(4096).startswith(b"READY=1\nSTATUS=1 workers serve http://")


def test_of_two_signals_the_second_counts(server: RunningServer) -> None:
    write(server, "workers = 1\nmax_body = '6GiB'\n")
    before, begun = workers_of(server), len(logged(server, "reloading"))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(logged(server, "reloading")) > begun, "the first reload")
    write(server, "workers = 1\nmax_body = '7GiB'\n")

    reload(server)

    until(lambda: not any(map(is_alive, before)), "the end of the old workers")
    until(lambda: len(workers_of(server)) == 1, "the end of that of the first reload")
    assert {max_body(server) for _ in range(10)} == {7 << 30}
