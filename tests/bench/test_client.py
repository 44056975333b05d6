"""The load generator believes no answer that ended early."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import client
from bench.connection import Connection, Refused

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunks_are_joined_without_their_sizes_and_trailers(tmp_path: Path) -> None:
    large = b"x" * 300_000
    chunks = b"3;name=value\r\nabc\r\n%x\r\n%s\r\n0\r\nDigest: none\r\n\r\n" % (len(large), large)

    with answering(CHUNKED + chunks) as port:
        done = client.run(job(port, tmp_path / "kept"))

    assert (tmp_path / "kept").read_bytes() == b"abc" + large
    assert done["bytes"] == 300_003


def test_what_is_not_kept_is_counted_all_the_same() -> None:
    with answering(CHUNKED + b"5\r\nabcde\r\n" * 9 + b"0\r\n\r\n") as port:
        done = client.run(job(port))

    assert done["bytes"] == 45


def test_without_a_length_the_end_of_the_connection_ends_the_answer() -> None:
    with answering(b"HTTP/1.0 200 OK\r\n\r\nabcde") as port:
        done = client.run(job(port))

    assert done["bytes"] == 5


@pytest.mark.parametrize(
    "answer",
    [
        CHUNKED + b"5\r\nabcde\r\n",
        CHUNKED + b"5\r\nabc",
        CHUNKED + b"5\r\nabcde\r\n0\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcde",
        b"HTTP/1.1 200 OK\r\nContent-",
    ],
    ids=["no last chunk", "inside a chunk", "inside the trailers", "before the length", "head"],
)
def test_a_cut_answer_is_an_error(answer: bytes) -> None:
    with (
        answering(answer) as port,
        pytest.raises(ConnectionError, match="the server closed the connection"),
    ):
        client.run(job(port))


def test_a_refusal_is_an_error_that_says_why() -> None:
    with (
        answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\n\r\nno such.") as port,
        pytest.raises(RuntimeError, match=r"404 Not Found.*no such"),
    ):
        client.run(job(port))


def test_a_head_tells_the_offset_and_has_no_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nUpload-Offset: 300\r\n\r\n"

    with answering(head) as port, Connection(port) as connection:
        assert connection.offset("/files/1") == 300


def test_the_place_of_an_upload_is_the_path_of_its_url() -> None:
    created = (
        b"HTTP/1.1 201 Created\r\nLocation: http://bench/files/aB-c\r\nContent-Length: 0\r\n\r\n"
    )

    with answering(created) as port, Connection(port) as connection:
        assert connection.create("/files", "name", 3) == "/files/aB-c"


def test_a_connection_that_the_server_closes_is_opened_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nUpload-Offset: 3\r\nConnection: close\r\n\r\n"

    with answering(answer, times=2) as port, Connection(port) as connection:
        assert [connection.offset("/files/1") for _ in range(2)] == [3, 3]


def test_a_refusal_has_its_status() -> None:
    with (
        answering(b"HTTP/1.1 423 Locked\r\nContent-Length: 0\r\n\r\n") as port,
        Connection(port) as connection,
        pytest.raises(Refused) as refused,
    ):
        connection.offset("/files/1")

    assert refused.value.status == 423


def test_a_silent_server_is_not_waited_for_longer_than_one_is_patient() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Connection(listener.getsockname()[1], patience=0.1) as connection,
        pytest.raises(BlockingIOError),
    ):
        connection.offset("/files/1")


def job(port: int, keep: Path | None = None) -> client.Job:
    """A GET of whatever :func:`answering` has to say."""
    return {"kind": "fetch", "port": port, "path": "/", "keep": str(keep or "")}


@contextmanager
def answering(answer: bytes, times: int = 1) -> Iterator[int]:
    """A server on this port that gives one answer, whatever it is asked, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(_serve, listener, answer, times)
        yield listener.getsockname()[1]
        served.result()


def _serve(listener: socket.socket, answer: bytes, times: int) -> None:
    for _ in range(times):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as asked:
            while asked.readline().strip():
                pass
            connection.sendall(answer)
