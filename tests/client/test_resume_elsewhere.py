"""Creating, appending and resuming are plain tus 1.0: they work with a server that is not ours."""

import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from penstock.client import tus, tus_fields
from penstock.client.file_reader import FileReader, sha256_hex
from penstock.client.http import Http
from penstock.client.spans import Block, FileSpan
from penstock.client.uploading import Upload
from penstock.errors import UploadGone
from tests.client.conftest import MIB
from tests.client.proxy import proxy_to
from tests.client.uploads import random_file, sha256_of
from tests.npm import node, npm_packages

SIZE = 20 * MIB + 17
PACKAGES = ("@tus/server@2.4.5", "@tus/file-store@2.1.1")


@dataclass(frozen=True)
class Elsewhere:
    """A running server, and the folder where it keeps uploads by their ids."""

    url: str
    folder: Path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    place = tmp_path_factory.mktemp("node")
    (place / "node_modules").symlink_to(npm_packages(*PACKAGES))
    program = place / "server.mjs"
    shutil.copyfile(Path(__file__).with_name("tus_node.mjs"), program)
    folder = place / "files"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [node(), str(program), str(folder), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield Elsewhere(f"http://127.0.0.1:{port}", folder)
        process.kill()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return random_file(tmp_path / "film.mkv", SIZE)


@asynccontextmanager
async def speaking_to(url: str) -> AsyncIterator[Http]:
    http = Http(url, limit_rate=None, timeout=30, tries=20)
    try:
        yield http
    finally:
        await http.close()


async def begun(http: Http, length: int | None) -> Upload:
    metadata = tus_fields.metadata_field(filename="a film.mkv", filetype="video/x-film")
    location, standing = await tus.create(http, metadata, length=length)
    return Upload(http, http.backoff(), location, standing, lambda sent: None)


def stored(elsewhere: Elsewhere, upload: Upload) -> Path:
    return elsewhere.folder / upload.location.rpartition("/")[2]


async def test_a_file_through_cut_connections(elsewhere: Elsewhere, film: Path) -> None:
    reader, tail = await FileReader.open(film), SIZE - MIB
    reader.mark([tail])
    async with proxy_to(elsewhere.url) as proxy, speaking_to(proxy.url) as http:
        proxy.cut_requests = [5 * MIB, 200, 4 * MIB]
        upload = await begun(http, SIZE)

        await upload.send(FileSpan(reader, 0, tail))
        await upload.verify(tail, await reader.sha256_at(tail))
        await upload.send(Block(await reader.rest(tail), tail, checked=True))

        assert proxy.cut_requests == []
    await reader.close()
    assert upload.standing.complete
    assert sha256_of(stored(elsewhere, upload)) == sha256_of(film) == sha256_hex(reader.digester)


async def test_blocks_whose_length_is_told_at_the_end(elsewhere: Elsewhere, film: Path) -> None:
    data = film.read_bytes()
    async with proxy_to(elsewhere.url) as proxy, speaking_to(proxy.url) as http:
        proxy.cut_requests = [3 * MIB, 200, 9 * MIB]
        upload = await begun(http, None)

        for at in range(0, SIZE, 8 * MIB):
            await upload.send(Block(data[at : at + 8 * MIB], at))
        await upload.send(Block(b"", SIZE, length=SIZE))

        assert proxy.cut_requests == []
    assert upload.standing.complete
    assert stored(elsewhere, upload).read_bytes() == data


async def test_an_upload_that_is_no_more(elsewhere: Elsewhere) -> None:
    async with speaking_to(elsewhere.url) as http:
        upload = await begun(http, SIZE)
        await upload.abandon()

        with pytest.raises(UploadGone):
            await upload.send(Block(bytes(MIB), 0))
