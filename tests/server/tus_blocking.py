"""tus 1.0 spoken by threads, to servers in processes of their own."""

import base64
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from tests.server.tus_speaking import OCTETS, VERSION, metadata, patch_head
from tests.serving import RunningServer

_PATIENCE = 60.0


def ask(
    server: RunningServer, method: str, path: str, body: bytes | None = None, /, **headers: str
) -> http.client.HTTPResponse:
    """A request; header names are written with underscores. The answer has been read."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    with closing(connection):
        connection.request(method, path, body, {"Tus-Resumable": VERSION, **fields})
        response = connection.getresponse()
        response.read()
        return response


def begin(server: RunningServer, length: int | None, key: str = "file.bin") -> str:
    """An upload of so many bytes, ``None`` for later; answers its path."""
    size = {"Upload_Defer_Length": "1"} if length is None else {"Upload_Length": str(length)}
    response = ask(server, "POST", "/v1/uploads", Upload_Metadata=metadata(filename=key), **size)
    assert response.status == 201
    return response.headers["Location"]


def patch(
    server: RunningServer, url: str, offset: int, data: bytes, **headers: str
) -> http.client.HTTPResponse:
    """``PATCH`` with the bytes from ``offset`` on."""
    fields = {"Content_Type": OCTETS, "Upload_Offset": str(offset), **headers}
    return ask(server, "PATCH", url, data, **fields)


def offset_of(server: RunningServer, url: str) -> int:
    """The offset that a ``HEAD`` tells."""
    response = ask(server, "HEAD", url)
    assert response.status == 200
    return int(response.headers["Upload-Offset"])


def stored(server: RunningServer, key: str = "file.bin") -> bytes | None:
    """The file at a key, held against the digest that the server tells; ``None``: there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    with closing(connection):
        connection.request("GET", f"/v1/files/{key}", headers={"Want-Repr-Digest": "sha-256=1"})
        response = connection.getresponse()
        body = response.read()
    if response.status == 404:
        return None
    assert response.status == 200
    digest = hashlib.sha256(body).hexdigest()
    assert _told(response.headers["Repr-Digest"]) == digest
    return body


def listed(server: RunningServer, key: str) -> list[dict[str, Any]]:
    """The unfinished uploads of a key."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    with closing(connection):
        connection.request("GET", f"/v1/uploads?key={key}")
        found: list[dict[str, Any]] = json.loads(connection.getresponse().read())["uploads"]
    return found


def _told(field: str) -> str:
    return base64.b64decode(field.partition("=:")[2].rstrip(":")).hex()


@contextmanager
def stalled(
    server: RunningServer, url: str, offset: int, length: int, data: bytes
) -> Iterator[socket.socket]:
    """A ``PATCH`` that announces ``length`` bytes, sends ``data`` and then nothing more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=_PATIENCE) as connection:
        head = patch_head(url, offset, length, f"Tus-Resumable: {VERSION}", "Host: x")
        connection.sendall(f"{head}\r\n\r\n".encode() + data)
        yield connection
