"""A relay before the server of file_upload itself.

``PENSTOCK_FILE_UPLOAD`` names a checkout of github.com/ekediala/file_upload, which is built with
Go. Its server listens on port 8000 and serves the folder ``files`` of its working directory.
"""

import asyncio
import os
import random
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.client.proxy import Proxy, proxy_to
from tests.relay.conftest import Caller, StartRelay

PORT = 8000
CHUNK = 524_288
COMPLETE = b"Download complete"
ALREADY = b"File already downloaded"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout, go = os.environ.get("PENSTOCK_FILE_UPLOAD"), shutil.which("go")
    if not checkout or go is None:
        pytest.skip("needs Go, and PENSTOCK_FILE_UPLOAD with a checkout of file_upload")
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", PORT)):
        pytest.skip(f"something listens on port {PORT} already")
    built = tmp_path_factory.mktemp("file_upload") / "server"
    setting = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    subprocess.run(
        [go, "build", "-o", built, "./cmd/server"], cwd=checkout, env=setting, check=True
    )
    return built


@pytest.fixture
async def proxy(program: Path, tmp_path: Path) -> AsyncIterator[Proxy]:
    """The server of file_upload, behind a proxy that counts."""
    (tmp_path / "files").mkdir()
    process = subprocess.Popen([program], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    for _ in range(100):
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", PORT)):
            break
        await asyncio.sleep(0.05)
    async with proxy_to(f"http://127.0.0.1:{PORT}") as made:
        yield made
    process.terminate()
    process.communicate(timeout=30)


@pytest.fixture
async def relay(proxy: Proxy, start_relay: StartRelay) -> Caller:
    return await start_relay(proxy.url)


def serve(folder: Path, name: str, size: int) -> bytes:
    content = random.Random(size).randbytes(size)
    (folder / "files" / name).write_bytes(content)
    return content


async def test_first_and_second_call(relay: Caller, proxy: Proxy, tmp_path: Path) -> None:
    content = serve(tmp_path, "film.bin", 1_300_000)

    said = [await relay.get("/download/film.bin") for _ in range(2)]

    assert said == [COMPLETE, ALREADY]
    assert (relay.folder / "film.bin").read_bytes() == content
    assert len(proxy.ranges) == 3


@pytest.mark.parametrize("size", [CHUNK - 1, 2 * CHUNK - 1, 1, 0])
async def test_every_size_comes_whole(relay: Caller, tmp_path: Path, size: int) -> None:
    content = serve(tmp_path, "any.bin", size)

    said = await relay.get("/download/any.bin")

    assert said == COMPLETE
    assert (relay.folder / "any.bin").read_bytes() == content


async def test_texts_come_in_gzip(relay: Caller, proxy: Proxy, tmp_path: Path) -> None:
    content = b"All that is gold does not glitter\n" * 50_000
    (tmp_path / "files" / "long.txt").write_bytes(content)

    said = await relay.get("/download/long.txt")

    assert said == COMPLETE
    assert (relay.folder / "long.txt").read_bytes() == content
    assert proxy.answered < len(content) // 4


async def test_a_beginning_that_cannot_be_proven_is_fetched_anew(
    relay: Caller, tmp_path: Path
) -> None:
    content = serve(tmp_path, "stale.bin", 1_000_000)
    (relay.folder / "stale.bin").write_bytes(bytes(600_000))

    said = await relay.get("/download/stale.bin")

    assert said == COMPLETE
    assert (relay.folder / "stale.bin").read_bytes() == content


async def test_a_missing_file_is_an_error_and_leaves_nothing(relay: Caller) -> None:
    response, _ = await relay.call("/download/nope")

    assert response.status == 503  # that server says 500 to what it does not have
    assert os.listdir(relay.folder) == [".penstock"]
