"""tuspy, the Python client of tus's own authors."""

import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from tusclient.storage import filestorage

from tests.conftest import StartServer
from tests.server import tus_blocking as blocking
from tests.serving import RunningServer

DATA = random.Random(12).randbytes(3_000_000)


@pytest.fixture(scope="module")
def client(server: RunningServer) -> TusClient:
    return TusClient(f"{server.url}/v1/uploads")


class Kept(io.BytesIO):
    """Stays open when the client, to know it again, has read it."""

    def close(self) -> None:
        pass


def uploader(client: TusClient, key: str, data: bytes = DATA, /, **options: Any) -> Any:
    """What sends ``data``."""
    return client.uploader(file_stream=Kept(data), metadata={"filename": key}, **options)


@pytest.mark.parametrize("chunk_size", [700_000, 10_000_000])
def test_a_file_is_sent(server: RunningServer, client: TusClient, chunk_size: int) -> None:
    key = f"plain{chunk_size}"

    uploader(client, key, chunk_size=chunk_size).upload()

    assert blocking.stored(server, key) == DATA


def test_an_empty_file_is_sent(server: RunningServer, client: TusClient) -> None:
    uploader(client, "empty", b"").upload()

    assert blocking.stored(server, "empty") == b""


def test_a_file_without_metadata_is_sent(server: RunningServer, client: TusClient) -> None:
    sender = client.uploader(file_stream=io.BytesIO(DATA))

    sender.upload()

    assert sender.offset == len(DATA)


async def test_a_file_is_sent_asynchronously(server: RunningServer, client: TusClient) -> None:
    sender = client.async_uploader(
        file_stream=io.BytesIO(DATA), metadata={"filename": "async"}, chunk_size=1_000_000
    )

    await sender.upload()

    assert blocking.stored(server, "async") == DATA


def test_each_piece_is_sent_with_its_checksum(server: RunningServer, client: TusClient) -> None:
    uploader(client, "checked", chunk_size=700_000, upload_checksum=True).upload()

    assert blocking.stored(server, "checked") == DATA


def test_an_upload_goes_on_where_it_stopped(server: RunningServer, client: TusClient) -> None:
    first = uploader(client, "resumed", chunk_size=500_000)
    first.upload(stop_at=1_500_000)

    second = uploader(client, "resumed", url=first.url)

    assert second.offset == 1_500_000
    second.upload()
    assert blocking.stored(server, "resumed") == DATA


def test_an_upload_is_remembered(server: RunningServer, client: TusClient, tmp_path: Path) -> None:
    storage = filestorage.FileStorage(str(tmp_path / "storage"))  # type: ignore[no-untyped-call]
    options = {"store_url": True, "url_storage": storage, "chunk_size": 500_000}
    uploader(client, "remembered", **options).upload(stop_at=1_000_000)

    again = uploader(client, "remembered", **options)
    offset = again.offset
    again.upload()
    storage.close()  # type: ignore[no-untyped-call]

    assert offset == 1_000_000
    assert blocking.stored(server, "remembered") == DATA


def test_a_failed_last_step_is_not_taken_for_success(client: TusClient) -> None:
    wrong = {"filename": "wrong", "sha256": "0" * 64}
    sender = client.uploader(file_stream=io.BytesIO(DATA), metadata=wrong)

    with pytest.raises(TusUploadFailed):
        sender.upload()
    with pytest.raises(TusCommunicationError):  # this client takes any Upload-Offset for an answer
        client.uploader(file_stream=io.BytesIO(DATA), url=sender.url)


def test_an_empty_file_that_cannot_be_stored_is_not_taken_for_success(client: TusClient) -> None:
    wrong = {"filename": "wrong-empty", "sha256": "0" * 64}
    sender = client.uploader(file_stream=io.BytesIO(b""), metadata=wrong)

    with pytest.raises(TusCommunicationError):  # this client takes any Location for an answer
        sender.upload()


class Killer(threading.Thread):
    """Kills a server and starts it again, now and then, until it is told to stop."""

    def __init__(self, start: Callable[[], RunningServer]) -> None:
        super().__init__()
        self._start_server = start
        self._enough = threading.Event()
        self.server = start()

    def run(self) -> None:
        while not self._enough.wait(0.3):
            self.server.kill()
            self.server = self._start_server()

    def stop(self) -> RunningServer:
        """Let the server live; answers it."""
        self._enough.set()
        self.join()
        return self.server


@pytest.fixture
def killer(start_server: StartServer, tmp_path: Path, unused_tcp_port: int) -> Iterator[Killer]:
    killer = Killer(lambda: start_server(tmp_path / "data", port=unused_tcp_port))
    yield killer
    killer.stop()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_server_that_is_killed_gets_the_file(killer: Killer) -> None:
    client = TusClient(f"{killer.server.url}/v1/uploads")
    sender = uploader(client, "killed", chunk_size=50_000)
    sender.upload_chunk()
    killer.start()
    while sender.offset < len(DATA):
        try:
            sender.upload_chunk()
        except TusUploadFailed:
            sender = _again(client, sender.url)

    assert blocking.stored(killer.stop(), "killed") == DATA


def _again(client: TusClient, url: str) -> Any:
    """What goes on with an upload, once the server answers."""
    while True:
        try:
            return uploader(client, "killed", url=url, chunk_size=50_000)
        except TusCommunicationError:
            time.sleep(0.02)
