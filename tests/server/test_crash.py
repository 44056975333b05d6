"""``kill -9`` in the middle of uploads: no torn file, no acknowledged file lost."""

import base64
import hashlib
import http.client
import random
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.serving import RunningServer

ROUNDS = 50
KEYS = 6


def connect(server: RunningServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)


class Uploader(threading.Thread):
    """Replaces one key again and again, and remembers what was acknowledged."""

    def __init__(self, server: RunningServer, key: str, seed: int) -> None:
        super().__init__()
        self._server = server
        self._key = key
        self._random = random.Random(seed)
        self.sent: list[str] = []
        self.acknowledged = -1

    def run(self) -> None:
        try:
            while True:
                size = self._random.choice([16, 1000, 100_000, 3_000_000])
                data = self._random.randbytes(size)
                digest = hashlib.sha256(data).hexdigest()
                self.sent.append(digest)
                with closing(connect(self._server)) as connection:
                    connection.request("PUT", f"/v1/files/{self._key}", body=data)
                    if connection.getresponse().status in (200, 201):
                        self.acknowledged = len(self.sent) - 1
        except (OSError, http.client.HTTPException):
            return  # the server was killed


def digest_of(server: RunningServer, key: str) -> str | None:
    """The SHA-256 of what the server sends, held against what it says; None: nothing there."""
    with closing(connect(server)) as connection:
        connection.request("GET", f"/v1/files/{key}", headers={"Want-Repr-Digest": "sha-256=1"})
        response = connection.getresponse()
        body = response.read()
    if response.status == 404:
        return None
    assert response.status == 200
    digest = hashlib.sha256(body)
    assert response.headers["Repr-Digest"] == f"sha-256=:{_base64(digest.digest())}:"
    return digest.hexdigest()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_fifty_kills_lose_and_tear_nothing(start_server: StartServer, tmp_path: Path) -> None:
    moments = random.Random(1)
    data = tmp_path / "data"
    server = start_server(data)
    known: dict[str, str | None] = {}
    for round_number in range(ROUNDS):
        uploaders = [Uploader(server, f"d/{n}", round_number * 100 + n) for n in range(KEYS)]
        for uploader in uploaders:
            uploader.start()
        time.sleep(moments.uniform(0.0, 0.4))
        server.kill()
        for uploader in uploaders:
            uploader.join()

        server = start_server(data)

        assert list((data / "files/.penstock/tmp").iterdir()) == []
        for n, uploader in enumerate(uploaders):
            found = digest_of(server, f"d/{n}")
            # The version acknowledged last, or the one that was on its way when the kill came.
            possible: list[str | None] = [known.get(f"d/{n}"), *uploader.sent]
            assert found in possible[uploader.acknowledged + 1 :]
            known[f"d/{n}"] = found
