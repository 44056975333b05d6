"""``kill -9`` and a full disk in the middle of uploads: what was acknowledged stays, whole."""

import http.client
import random
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.server import tus_blocking as blocking
from tests.server.tus_speaking import metadata
from tests.serving import RunningServer

ROUNDS = 20
SIZE = 48 << 20
PIECE = 1 << 20


class Sender(threading.Thread):
    """Sends an upload from its offset on, in one ``PATCH`` or in several, until it ends or dies."""

    def __init__(self, server: RunningServer, url: str, data: bytes, step: int) -> None:
        super().__init__()
        self._server = server
        self._url = url
        self._data = data
        self._step = step
        self.acknowledged = 0

    def run(self) -> None:
        with suppress(OSError, http.client.HTTPException):  # the server was killed
            offset = blocking.offset_of(self._server, self._url)
            self.acknowledged = offset
            while offset < len(self._data):
                piece = self._data[offset : offset + self._step]
                response = blocking.patch(self._server, self._url, offset, piece)
                if response.status != 204:
                    return
                offset = int(response.headers["Upload-Offset"])
                self.acknowledged = offset


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_kills_lose_and_tear_nothing(start_server: StartServer, tmp_path: Path) -> None:
    moments = random.Random(4)
    data = random.Random(7).randbytes(SIZE)
    server = start_server(tmp_path / "data")
    finished = 0
    url = blocking.begin(server, SIZE, "file0")
    for _ in range(ROUNDS):
        sender = Sender(server, url, data, moments.choice([PIECE, SIZE]))
        sender.start()
        time.sleep(moments.uniform(0.0, 0.5))
        server.kill()
        sender.join()

        server = start_server(tmp_path / "data")

        offset = blocking.offset_of(server, url)
        assert sender.acknowledged <= offset <= SIZE
        if offset == SIZE:
            assert blocking.stored(server, f"file{finished}") == data
            finished += 1
            url = blocking.begin(server, SIZE, f"file{finished}")
    rest = Sender(server, url, data, SIZE)
    rest.start()
    rest.join()
    assert blocking.stored(server, f"file{finished}") == data


@pytest.mark.slow
def test_a_kill_while_parts_are_joined_loses_nothing(
    start_server: StartServer, tmp_path: Path
) -> None:
    moments = random.Random(5)
    parts = [random.Random(n).randbytes(SIZE // 4) for n in range(2)]
    server = start_server(tmp_path / "data")
    urls = [_part(server, part) for part in parts]
    fields = {
        "Upload_Concat": f"final;{' '.join(urls)}",
        "Upload_Metadata": metadata(filename="joined"),
    }
    for _ in range(5):
        joining = threading.Thread(target=_quietly, args=(server, fields))
        joining.start()
        time.sleep(moments.uniform(0.0, 0.2))
        server.kill()
        joining.join()
        server = start_server(tmp_path / "data")
        assert blocking.stored(server, "joined") in (None, b"".join(parts))

    response = blocking.ask(server, "POST", "/v1/uploads", **fields)

    assert response.status == 201
    assert blocking.stored(server, "joined") == b"".join(parts)


def _part(server: RunningServer, data: bytes) -> str:
    response = blocking.ask(
        server, "POST", "/v1/uploads", Upload_Concat="partial", Upload_Length=str(len(data))
    )
    url = response.headers["Location"]
    assert blocking.patch(server, url, 0, data).status == 204
    return url


def _quietly(server: RunningServer, fields: dict[str, str]) -> None:
    with suppress(OSError, http.client.HTTPException):  # the server was killed
        blocking.ask(server, "POST", "/v1/uploads", **fields)


def test_a_full_disk_is_told_and_the_upload_goes_on_when_there_is_space(
    start_server: StartServer, small_disk: Path
) -> None:
    server = start_server(store=small_disk.as_uri())
    data = random.Random(1).randbytes(10 << 20)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(8 << 20))
    url = blocking.begin(server, None)

    full = blocking.patch(server, url, 0, data)
    offset = blocking.offset_of(server, url)
    ballast.unlink()
    rest = blocking.patch(server, url, offset, data[offset:], Upload_Length=str(len(data)))

    assert full.status == 507
    assert offset < len(data)
    assert rest.status == 204
    assert blocking.stored(server) == data
    assert server.stop() == 0


def test_an_upload_that_cannot_fit_is_refused_at_once(
    start_server: StartServer, small_disk: Path
) -> None:
    server = start_server(store=small_disk.as_uri())

    response = blocking.ask(server, "POST", "/v1/uploads", Upload_Length=str(17 << 20))

    assert response.status == 507
    assert server.stop() == 0


def test_parts_that_cannot_be_joined_for_want_of_space_are_joined_later(
    start_server: StartServer, small_disk: Path
) -> None:
    server = start_server(store=small_disk.as_uri())
    parts = [random.Random(n).randbytes(3 << 20) for n in range(2)]
    urls = [_part(server, part) for part in parts]
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(8 << 20))

    full = blocking.ask(
        server,
        "POST",
        "/v1/uploads",
        Upload_Concat=f"final;{' '.join(urls)}",
        Upload_Metadata=metadata(filename="joined"),
    )
    final = full.headers["Content-Location"]
    before = blocking.ask(server, "HEAD", final)
    ballast.unlink()
    after = blocking.ask(server, "HEAD", final)

    assert full.status == 507
    assert "Location" not in full.headers
    assert "Upload-Offset" not in before.headers
    assert after.headers["Upload-Offset"] == after.headers["Upload-Length"] == str(6 << 20)
    assert blocking.stored(server, "joined") == b"".join(parts)
    assert server.stop() == 0


def test_a_disk_that_is_full_of_everything_loses_nothing(
    start_server: StartServer, small_disk: Path, tmp_path: Path
) -> None:
    """The catalog lies there too, so nothing can be written down either."""
    server = start_server(
        tmp_path / "data",
        store=small_disk.as_uri(),
        catalog=f"sqlite:///{small_disk}/catalog.sqlite",
    )
    data = random.Random(1).randbytes(10 << 20)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(8 << 20))
    url = blocking.begin(server, None)

    full = blocking.patch(server, url, 0, data)
    looked = blocking.ask(server, "HEAD", url)
    ballast.unlink()
    offset = blocking.offset_of(server, url)
    rest = blocking.patch(server, url, offset, data[offset:], Upload_Length=str(len(data)))

    assert (full.status, looked.status) == (507, 507)
    assert rest.status == 204
    assert blocking.stored(server) == data
    assert server.stop() == 0
