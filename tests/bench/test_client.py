"""The load generator believes no answer that ended early."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import client

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


def job(port: int, keep: Path | None = None) -> client.Job:
    """A GET of whatever :func:`answering` has to say."""
    return {"kind": "fetch", "port": port, "path": "/", "keep": str(keep or "")}


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A server on this port that gives one answer, whatever it is asked, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(_serve, listener, answer)
        yield listener.getsockname()[1]
        served.result()


def _serve(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as asked:
        while asked.readline().strip():
            pass
        connection.sendall(answer)
