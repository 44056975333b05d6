"""A tus server against a model that knows only bytes: whatever is asked in whatever order."""

import hashlib
import socket
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.conftest import StartServer
from tests.server import tus_blocking as blocking
from tests.server.tus_speaking import VERSION, checksum, patch_head
from tests.serving import RunningServer

PIECES = st.binary(max_size=2000) | st.integers(0, 255).map(lambda n: bytes([n]) * 300_000)


class Place:
    """A server that can be killed and started again, and keys that nobody has used there."""

    def __init__(self, start: Callable[[], RunningServer]) -> None:
        self._start = start
        self.server = start()
        self.keys = map("file{}".format, count())

    def restart(self) -> None:
        self.server.kill()
        self.server = self._start()


class Machine(RuleBasedStateMachine):
    """Creates, appends, cuts, sends at wrong offsets, looks, tells lengths, ends and kills."""

    urls = Bundle("urls")

    place: Place

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, bytes] = {}
        self.lengths: dict[str, int | None] = {}
        self.keys: dict[str, str] = {}
        self.lives = 1

    @property
    def server(self) -> RunningServer:
        return self.place.server

    def left(self, url: str, data: bytes) -> bytes:
        """As much of ``data`` as the upload may still take."""
        length = self.lengths[url]
        return data if length is None else data[: length - len(self.sent[url])]

    def is_done(self, url: str) -> bool:
        return self.lengths[url] == len(self.sent[url])

    @rule(target=urls, length=st.none() | st.integers(0, 600_000))
    def create(self, length: int | None) -> str:
        key = next(self.place.keys)
        url = blocking.begin(self.server, length, key)
        self.sent[url], self.lengths[url], self.keys[url] = b"", length, key
        return url

    @rule(url=urls, data=PIECES)
    def append(self, url: str, data: bytes) -> None:
        data = self.left(url, data)
        response = blocking.patch(self.server, url, len(self.sent[url]), data)
        assert response.status == 204
        self.sent[url] += data
        assert response.headers["Upload-Offset"] == str(len(self.sent[url]))

    @rule(url=urls, data=PIECES, good=st.booleans())
    def append_with_checksum(self, url: str, data: bytes, *, good: bool) -> None:
        data = self.left(url, data)
        digest = hashlib.sha1(data if good else data + b"!").digest()
        was_done = self.is_done(url)
        response = blocking.patch(
            self.server, url, len(self.sent[url]), data, Upload_Checksum=checksum("sha1", digest)
        )
        if good or was_done:
            assert response.status == 204
            self.sent[url] += data
        else:
            assert response.status == 460

    @rule(url=urls, data=PIECES, off=st.integers(-1000, 1000).filter(bool))
    def append_elsewhere(self, url: str, data: bytes, off: int) -> None:
        offset = max(0, len(self.sent[url]) + off)
        if offset == len(self.sent[url]):
            return
        response = blocking.patch(self.server, url, offset, data)
        length = self.lengths[url]
        too_much = length is not None and offset + len(data) > length
        assert response.status in ((409, 413) if too_much else (409,))

    @rule(url=urls, data=PIECES)
    def append_and_leave(self, url: str, data: bytes) -> None:
        """The connection breaks: any number of the bytes may have come."""
        data = self.left(url, data)
        offset = len(self.sent[url])
        address = ("127.0.0.1", self.server.port)
        with socket.create_connection(address, timeout=30) as connection:
            announced = len(data) + (1 if self.lengths[url] is None else 0)
            head = patch_head(url, offset, announced, f"Tus-Resumable: {VERSION}", "Host: x")
            connection.sendall(f"{head}\r\n\r\n".encode() + data)
        self.look_after_a_break(url, data)

    def look_after_a_break(self, url: str, data: bytes) -> None:
        offset = blocking.offset_of(self.server, url)
        came = offset - len(self.sent[url])
        assert 0 <= came <= len(data)
        self.sent[url] += data[:came]

    @rule(url=urls)
    def look(self, url: str) -> None:
        response = blocking.ask(self.server, "HEAD", url)
        assert response.status == 200
        assert response.headers["Upload-Offset"] == str(len(self.sent[url]))
        length = self.lengths[url]
        assert response.headers.get("Upload-Length") == (None if length is None else str(length))
        assert response.headers.get("Upload-Defer-Length") == ("1" if length is None else None)

    @rule(url=urls, more=st.integers(0, 1000))
    def tell_the_length(self, url: str, more: int) -> None:
        offset, known = len(self.sent[url]), self.lengths[url]
        told = offset + more
        response = blocking.patch(self.server, url, offset, b"", Upload_Length=str(told))
        if known is None or known == told:
            assert response.status == 204
            self.lengths[url] = told
        else:
            assert response.status == 400

    @rule(url=urls)
    def read(self, url: str) -> None:
        body = blocking.stored(self.server, self.keys[url])
        assert body == (self.sent[url] if self.is_done(url) else None)

    @rule(url=consumes(urls))
    def terminate(self, url: str) -> None:
        assert blocking.ask(self.server, "DELETE", url).status == 204
        assert blocking.ask(self.server, "HEAD", url).status in (404, 410)
        assert blocking.patch(self.server, url, len(self.sent[url]), b"").status in (404, 410)

    @precondition(lambda self: self.lives > 0)
    @rule()
    def kill(self) -> None:
        self.lives -= 1
        self.place.restart()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_whatever_is_asked_in_whatever_order(start_server: StartServer, tmp_path: Path) -> None:
    class Here(Machine):
        place = Place(lambda: start_server(tmp_path / "data"))

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=10,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
