"""The client of the load: what it takes for a failure, and what for wrong."""

import time
from collections.abc import Iterator

import pytest

from load.wire import Failed, Wire, Wrong, digest, file_path, pieces, same
from tests.conftest import StartServer
from tests.serving import RunningServer

CONTENT = b"of the file" * 1000


@pytest.fixture
def wire(server: RunningServer) -> Iterator[Wire]:
    wire = Wire(server.url, "", 30.0)
    yield wire
    wire.close()


def test_what_was_put_is_got(wire: Wire) -> None:
    wire.ask("PUT", file_path("a b/ü.bin"), 201, body=CONTENT).read()

    assert b"".join(pieces(wire.ask("GET", file_path("a b/ü.bin"), 200))) == CONTENT


def test_another_status_is_a_failure_with_what_the_server_said(wire: Wire) -> None:
    with pytest.raises(Failed, match="404"):
        wire.ask("GET", file_path("none"), 200)


def test_other_bytes_are_wrong() -> None:
    counted: list[int] = []
    found = digest(iter([b"a", b"bc"]), counted.append)

    with pytest.raises(Wrong, match="file: SHA-256"):
        same(found, digest(iter([b"abd"]), counted.append), "file")
    assert counted == [1, 2, 3]


def test_a_connection_that_the_server_has_closed_is_made_anew(start_server: StartServer) -> None:
    server = start_server(idle_timeout=1)
    wire = Wire(server.url, "", 30.0)
    assert wire.ask_json("GET", "/debug/memory", 200)
    before = server.descriptors()

    while server.descriptors() == before:
        time.sleep(0.05)

    assert wire.ask_json("GET", "/debug/memory", 200)
    wire.close()
