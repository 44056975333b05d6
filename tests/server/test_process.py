"""The server as a process: start, limits, memory, and leaving well."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.serving import RunningServer

MIB = 1 << 20
HOLE = 4 << 30


def connect(server: RunningServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)


def read_slowly(response: http.client.HTTPResponse, pieces: int) -> int:
    """Read so that the transfer is still going on for a second or two; answers the bytes."""
    total = 0
    while data := response.read(MIB):
        total += len(data)
        if total < pieces * MIB:
            time.sleep(0.02)
    return total


def sparse(server: RunningServer, key: str, size: int) -> None:
    path = server.data / "files" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_sigterm_without_traffic_ends_the_server_with_0(start_server: StartServer) -> None:
    server = start_server()
    started = time.monotonic()

    assert server.stop() == 0
    assert time.monotonic() - started < 3


def test_sighup_ends_the_server_with_0_too(start_server: StartServer) -> None:
    server = start_server()

    server.process.send_signal(signal.SIGHUP)

    assert server.process.wait(timeout=30) == 0


def test_sighup_is_ignored_if_it_was_told_so(start_server: StartServer) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        server = start_server()
    finally:
        signal.signal(signal.SIGHUP, before)
    server.process.send_signal(signal.SIGHUP)

    connection = connect(server)
    connection.request("GET", "/livez")

    assert connection.getresponse().read() == b"ok\n"
    connection.close()


def test_sigterm_lets_a_download_finish(start_server: StartServer) -> None:
    server = start_server()
    sparse(server, "big", 64 * MIB)
    connection = connect(server)
    connection.request("GET", "/v1/files/big")
    response = connection.getresponse()

    server.process.send_signal(signal.SIGTERM)
    received = read_slowly(response, 50)
    connection.close()

    assert received == 64 * MIB
    assert server.stop() == 0


def test_sigterm_lets_an_upload_finish(start_server: StartServer) -> None:
    server = start_server()
    connection = connect(server)
    connection.putrequest("PUT", "/v1/files/a")
    connection.putheader("Content-Length", str(20 * MIB))
    connection.endheaders()
    connection.send(bytes(MIB))
    time.sleep(0.2)

    server.process.send_signal(signal.SIGTERM)
    for _ in range(19):
        time.sleep(0.05)
        connection.send(bytes(MIB))
    response = connection.getresponse()

    stored = json.loads(response.read())
    connection.close()

    assert response.status == 201
    assert stored["sha256"] == hashlib.sha256(bytes(20 * MIB)).hexdigest()
    assert server.stop() == 0


def test_sigterm_closes_the_listening_socket_at_once(start_server: StartServer) -> None:
    server = start_server()
    sparse(server, "big", 64 * MIB)
    connection = connect(server)
    connection.request("GET", "/v1/files/big")
    response = connection.getresponse()

    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)
    response.close()
    connection.close()


def test_transfers_that_take_too_long_are_cut(start_server: StartServer) -> None:
    server = start_server(shutdown_timeout=0.5)
    sparse(server, "big", 64 * MIB)
    connection = connect(server)
    connection.request("GET", "/v1/files/big")
    response = connection.getresponse()
    started = time.monotonic()

    code = server.stop()

    assert (code, time.monotonic() - started < 5) == (0, True)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    connection.close()


@pytest.mark.parametrize("head", [b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_ends_is_closed(start_server: StartServer, head: bytes) -> None:
    server = start_server(idle_timeout=0.5)

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(head)
        started = time.monotonic()
        answer = client.recv(1000)

    assert (answer, time.monotonic() - started < 5) == (b"", True)


def test_each_request_is_one_line_of_json(start_server: StartServer) -> None:
    server = start_server(log_format="json")
    connection = connect(server)
    connection.request("PUT", "/v1/files/a", body=b"hello", headers={"X-Request-ID": "mine"})
    connection.getresponse().read()
    connection.close()
    server.stop()

    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    [request] = [line for line in lines if line["event"] == "request"]
    assert request["request_id"] == "mine"
    assert (request["method"], request["path"], request["status"]) == ("PUT", "/v1/files/a", 201)
    assert request["received"] == 5


def test_lines_for_people_are_no_json(start_server: StartServer) -> None:
    server = start_server(log_format="pretty")
    connection = connect(server)
    connection.request("GET", "/v1/files/nothing")
    connection.getresponse().read()
    connection.close()
    server.stop()

    [request] = [line for line in server.log.read_text().splitlines() if " request " in line]
    assert " info " in request
    assert "path=/v1/files/nothing status=404" in request


def test_a_taken_port_is_told_in_one_line(start_server: StartServer, tmp_path: Path) -> None:
    first = start_server()

    second = subprocess.run(
        [sys.executable, "-m", "penstock", "serve", "--port", str(first.port)],
        env=os.environ | {"PENSTOCK_DATA": str(tmp_path / "other")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 1
    assert f"port {first.port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_memory_does_not_grow_with_the_file(start_server: StartServer) -> None:
    server = start_server()
    sparse(server, "small", 64 * MIB)
    sparse(server, "large", HOLE)

    def fetch(path: str, expected: int) -> int:
        connection = connect(server)
        connection.request("GET", path)
        response = connection.getresponse()
        buffer, total = bytearray(MIB), 0
        while count := response.readinto(buffer):
            total += count
        connection.close()
        assert total >= expected
        return server.memory()

    after_small = fetch("/v1/files/small", 64 * MIB)
    after_large = fetch("/v1/files/large", HOLE)

    assert after_large < after_small + 8 * MIB
    assert after_large < 120 * MIB


def test_memory_does_not_grow_with_slow_clients(start_server: StartServer) -> None:
    server = start_server()
    sparse(server, "big", 64 * MIB)
    before = server.memory()

    readers = []
    for _ in range(100):
        connection = connect(server)
        connection.request("GET", "/v1/files/big")
        readers.append((connection, connection.getresponse()))
    time.sleep(1)
    during, descriptors = server.memory(), server.descriptors()
    for connection, response in readers:
        response.close()
        connection.close()
    time.sleep(1)

    assert during < before + 12 * MIB
    assert server.descriptors() < descriptors - 150


def test_a_slow_disk_reader_does_not_hold_up_others(start_server: StartServer) -> None:
    server = start_server()
    sparse(server, "big", 512 * MIB)
    stop = threading.Event()

    def pull() -> None:
        while not stop.is_set():
            connection = connect(server)
            connection.request("GET", "/v1/files/big")
            response = connection.getresponse()
            while not stop.is_set() and response.read(MIB):
                pass
            response.close()
            connection.close()

    pullers = [threading.Thread(target=pull) for _ in range(2)]
    for puller in pullers:
        puller.start()
    slowest = 0.0
    connection = connect(server)
    for _ in range(50):
        started = time.monotonic()
        connection.request("GET", "/livez")
        connection.getresponse().read()
        slowest = max(slowest, time.monotonic() - started)
    stop.set()
    for puller in pullers:
        puller.join()
    connection.close()

    # A bound against standing still, not a measure of speed.
    assert slowest < 2
