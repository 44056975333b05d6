"""SIGHUP: new workers with new settings take over, and nobody notices."""

import hashlib
import http.client
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's working directory, where penstock.toml is."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "penstock.toml").write_text("workers = 2\n")
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[RunningServer]:
    """A supervisor in that folder."""
    within = ["env", "-C", str(folder)]
    running = RunningServer(folder.with_name("data"), within, log_format="json")
    yield running
    running.kill()


def reload(server: RunningServer, outcome: str = "reloaded") -> None:
    """Have it reload, and wait for how that goes."""
    before = len(logged(server, outcome))
    server.process.send_signal(signal.SIGHUP)
    until(lambda: len(logged(server, outcome)) > before, outcome)


def put(server: RunningServer, size: int) -> int:
    """The status of the answer to a PUT."""
    connection = connect(server)
    connection.request("PUT", "/v1/files/put", body=bytes(size))
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_reload_fails_no_request_and_cuts_no_transfer(server: RunningServer) -> None:
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
    assert server.stop() == 0


def read_slowly(response: http.client.HTTPResponse) -> str:
    """The SHA-256 of a body."""
    digest = hashlib.sha256()
    while data := response.read(4 * MIB):
        digest.update(data)
        time.sleep(0.02)
    return digest.hexdigest()


def test_new_settings_hold_after_a_reload(server: RunningServer, folder: Path) -> None:
    (folder / "penstock.toml").write_text("workers = 3\nmax_body = '1KiB'\n")
    assert put(server, 2048) == 201
    before = workers_of(server)

    reload(server)

    until(lambda: not any(map(is_alive, before)), "the end of the old workers")
    assert len(workers_of(server)) == 3
    assert put(server, 2048) == 413


def test_fewer_workers_accept_what_all_the_sockets_bring(
    server: RunningServer, folder: Path
) -> None:
    (folder / "penstock.toml").write_text("workers = 1\n")
    before = workers_of(server)

    reload(server)
    until(lambda: not any(map(is_alive, before)), "the end of the old workers")

    assert len(workers_of(server)) == 1
    assert {get(server, "/livez") for _ in range(30)} == {b"ok\n"}


@pytest.mark.parametrize("broken", ["workers = 0", "workers =", "store = 's4://nowhere'"])
def test_with_broken_settings_the_workers_that_serve_go_on(
    server: RunningServer, folder: Path, broken: str
) -> None:
    (folder / "penstock.toml").write_text(f"{broken}\n")
    before = workers_of(server)

    reload(server, "reload failed")

    assert workers_of(server) == before
    assert get(server, "/livez") == b"ok\n"
    # Nor do they stand in the way of one that is replaced.
    gone, stays = before
    os.kill(gone, signal.SIGKILL)
    until(lambda: len(workers_of(server) - {gone}) == 2, "a new worker")
    connect_to(server, *(workers_of(server) - {stays})).close()
    assert server.stop() == 0
