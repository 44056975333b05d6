"""Heads, chunk sizes and trailers without an end.

If one of these failed, one connection would fill the memory of the server.
"""

import socket
from collections.abc import Iterator

import pytest

from tests.security.speaking import LAST, Line, answer_in, head, statuses
from tests.serving import RunningServer

MIB = 1 << 20
MOST = 64 * MIB
"""Bytes after which an attacker takes no for an answer."""
CHUNKED = head("PUT", "/v1/files/endless", "Transfer-Encoding: chunked")

ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "the method": (b"", b"A" * 8192),
    "the target": (b"GET /", b"a" * 8192),
    "the query": (b"GET /v1/zip?", b"key=a&" * 1000),
    "the name of a field": (head("GET", "/livez")[:-2], b"A" * 8192),
    "the value of a field": (head("GET", "/livez")[:-2] + b"X: ", b"a" * 8192),
    "fields": (head("GET", "/livez")[:-2], b"X: a\r\n" * 1000),
    "fields of one name": (head("GET", "/livez")[:-2], b"Cookie: a=b\r\n" * 1000),
    "a folded field": (head("GET", "/livez")[:-2] + b"X: a", b"\r\n a" * 1000),
    "a trailer": (CHUNKED + b"0\r\nX: ", b"a" * 8192),
    "trailers": (CHUNKED + b"0\r\n", b"X: a\r\n" * 1000),
}


PASSED_OVER: dict[str, tuple[bytes, bytes]] = {
    "empty lines": (b"", b"\r\n" * 4000),
    "the size of a chunk": (CHUNKED, b"0" * 8192),
    "an extension of a chunk": (CHUNKED + b"1;", b"a" * 8192),
    "extensions of a chunk": (CHUNKED + b"1", b";a=b" * 2000),
}
"""What is passed over as it comes, until no byte of a head or a body has come for too long:
``test_slow_clients.py`` has that."""


@pytest.fixture
def server(hurried: RunningServer) -> RunningServer:
    return hurried


def _repeated(piece: bytes, most: int) -> Iterator[bytes]:
    for _ in range(0, most, len(piece)):
        yield piece


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_is_hung_up_on(
    server: RunningServer, line: Line, begin: bytes, piece: bytes
) -> None:
    before = server.memory()

    came, sent = _sent(server, begin, piece)

    assert sent < MOST
    assert all(400 <= status < 500 for status in statuses(came))
    assert server.memory() < before + 24 * MIB
    assert statuses(line.said(LAST)) == [200]


@pytest.mark.parametrize(("begin", "piece"), PASSED_OVER.values(), ids=PASSED_OVER)
def test_what_is_passed_over_without_an_end_costs_no_memory(
    server: RunningServer, line: Line, begin: bytes, piece: bytes
) -> None:
    before = server.memory()

    came, _ = _sent(server, begin, piece)

    assert all(400 <= status < 500 for status in statuses(came))
    assert server.memory() < before + 24 * MIB
    assert statuses(line.said(LAST)) == [200]


def _sent(server: RunningServer, begin: bytes, piece: bytes) -> tuple[bytes, int]:
    """What the server says, and how many bytes were sent before it hung up."""
    came, sent = b"", 0
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        try:
            client.sendall(begin)
            for more in _repeated(piece, MOST):
                client.sendall(more)
                sent += len(more)
            came = client.recv(1 << 16)
        except ConnectionError:
            pass
    return came, sent


@pytest.mark.parametrize("count", [200, 5000])
def test_too_many_fields_are_refused(line: Line, count: int) -> None:
    octets = head("GET", "/livez", *[f"X-{number}: a" for number in range(count)])

    assert 400 <= answer_in(line.said(octets)).status < 500


@pytest.mark.parametrize("path", ["/v1/zip?", "/v1/files?", "/login?", "/v1/audit?"])
def test_a_query_of_many_fields_is_read_or_refused(line: Line, path: str) -> None:
    came = answer_in(line.said(head("GET", path + "&" * 30_000 + "a=b")))

    assert came.status < 500


@pytest.mark.parametrize(
    "path",
    ["/v1/zip", "/v1/zips", "/v1/shares", "/v1/pulls", "/v1/archives", "/v1/tokens", "/create-job",
     "/api/download", "/login"],
)  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [b"[" * 200_000, b'{"a":' * 100_000, b"1" * 100_000, b'"' + b"\\u0000" * 20_000 + b'"',
     b'{"expires_in": 1e999, "limit": NaN, "prefix": "a", "keys": ["a"]}', b"\xff\xfe", b"null"],
    ids=["arrays", "objects", "a number", "escapes", "no numbers", "UTF-16", "null"],
)  # fmt: skip
def test_json_that_is_a_trap_is_refused(line: Line, path: str, body: bytes) -> None:
    fields = ["Content-Type: application/json", f"Content-Length: {len(body)}"]

    answer = answer_in(line.said(head("POST", path, *fields) + body))

    assert 400 <= answer.status < 500
