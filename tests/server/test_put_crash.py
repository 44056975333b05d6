"""``kill -9`` or a full disk in a plain PUT: what was durable is gone on with."""

import hashlib
import http.client
import json
import random
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import StartServer
from tests.server.drafting import OCTETS, digest
from tests.serving import RunningServer

MIB = 1 << 20
WHOLE = random.Random(5).randbytes(96 * MIB)


def ask(
    server: RunningServer, method: str, path: str, data: bytes = b"", **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request(method, path, data, fields)
        response = connection.getresponse()
        return response, response.read()


def uploads(server: RunningServer) -> list[dict[str, Any]]:
    _, body = ask(server, "GET", "/v1/uploads?key=a")
    found: list[dict[str, Any]] = json.loads(body)["uploads"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("protocol", ["draft", "tus"])
def test_a_put_outlives_its_server(
    start_server: StartServer, tmp_path: Path, protocol: str
) -> None:
    server = start_server(tmp_path / "data")
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=60)) as connection:
        head = f"PUT /v1/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: {len(WHOLE)}\r\n\r\n"
        connection.sendall(head.encode() + WHOLE[: 80 * MIB])
        # What it said to be durable may not be lost.
        while not (told := uploads(server)[0]["offset"]):
            pass
        server.kill()

    server = start_server(tmp_path / "data")
    (upload,) = uploads(server)
    state, _ = ask(server, "HEAD", upload["url"], Want_Repr_Digest="sha-256=1")
    offset = int(state.headers["Upload-Offset"])

    assert offset >= told
    assert state.headers["Repr-Digest"] == digest(WHOLE[:offset])
    if protocol == "draft":
        fields = {"Content_Type": OCTETS, "Upload_Complete": "?1"}
    else:
        fields = {"Content_Type": "application/offset+octet-stream", "Tus_Resumable": "1.0.0"}
    final, _ = ask(
        server, "PATCH", upload["url"], WHOLE[offset:], Upload_Offset=str(offset), **fields
    )
    assert final.status == (201 if protocol == "draft" else 204)
    _, stored = ask(server, "GET", "/v1/files/a")
    assert hashlib.sha256(stored).digest() == hashlib.sha256(WHOLE).digest()
    assert uploads(server) == []


def test_a_put_that_fills_the_disk_goes_on_when_there_is_space(
    start_server: StartServer, small_disk: Path
) -> None:
    server = start_server(store=small_disk.as_uri())
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(8 << 20))
    data = WHOLE[: 10 * MIB]

    full = stream(server, data)
    offset = int(full.headers["Upload-Offset"])
    ballast.unlink()
    rest = {"Content_Type": OCTETS, "Upload_Complete": "?1", "Upload_Offset": str(offset)}
    final, _ = ask(server, "PATCH", full.headers["Content-Location"], data[offset:], **rest)

    assert full.status == 507
    assert 0 < offset < len(data)
    assert final.status == 201
    assert ask(server, "GET", "/v1/files/a")[1] == data
    assert server.stop() == 0


def stream(server: RunningServer, data: bytes) -> http.client.HTTPResponse:
    """The answer to a PUT of unknown length."""
    pieces = (data[at : at + MIB] for at in range(0, len(data), MIB))
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("PUT", "/v1/files/a", pieces, encode_chunked=True)
        return connection.getresponse()
