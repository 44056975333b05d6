"""ZIPs of files that other servers have."""

import asyncio
import io
import os
import threading
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from penstock.client import Client, RemoteUrl
from penstock.errors import DigestMismatch, RemoteRefused, ServerUnavailable, SourceFailed
from tests.client.conftest import MIB
from tests.client.fetching import DYING, UNSIZED, fetching_server
from tests.client.proxy import Proxy, proxy_to
from tests.client.test_zip import unzipped
from tests.conftest import StartServer
from tests.faults import Source
from tests.serving import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


async def test_urls_beside_stored_files(client: Client, source: Source, tmp_path: Path) -> None:
    await client.put(io.BytesIO(b"stored"), "beside/stored.txt")
    content = os.urandom(2 * MIB)
    urls = [
        source.serve("/film.mkv", content, etag='"1"'),
        source.serve("/a%20b.txt", b"text", etag='"1"'),
    ]

    info = await client.zip(tmp_path / "x.zip", keys=["beside/stored.txt"], urls=urls)

    assert unzipped(tmp_path / "x.zip") == {
        "stored.txt": b"stored",
        "film.mkv": content,
        "a b.txt": b"text",
    }
    assert (info.layout, info.entries, info.failures) == ("stored-blocks", 3, [])
    assert info.size == (tmp_path / "x.zip").stat().st_size
    assert info.crc32 == f"{zlib.crc32((tmp_path / 'x.zip').read_bytes()):08x}"


async def test_a_name_and_headers_of_ones_own(
    client: Client, source: Source, tmp_path: Path
) -> None:
    url = RemoteUrl(source.serve("/17", b"seventeen"), name="in/it.txt", headers={"X-Key": "k"})

    await client.zip(tmp_path / "x.zip", urls=[url])

    assert unzipped(tmp_path / "x.zip") == {"in/it.txt": b"seventeen"}
    assert {request.headers.get("x-key") for request in source.requests} == {"k"}


def test_secrets_are_not_in_the_repr() -> None:
    url = RemoteUrl("https://u:secret@h/?sig=secret", headers={"Authorization": "secret"})

    assert "secret" not in repr(url)


async def test_what_is_told_beforehand_makes_an_exact_zip(
    client: Client, source: Source, tmp_path: Path
) -> None:
    url = RemoteUrl(
        source.serve("/known", b"known"),
        size=5,
        crc32=f"{zlib.crc32(b'known'):08x}",
        modified=datetime(2024, 2, 29, 12, tzinfo=UTC),
    )

    info = await client.zip(tmp_path / "x.zip", urls=[url])

    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        (member,) = archive.infolist()
    assert info.layout == "stored"
    assert member.date_time == (2024, 2, 29, 12, 0, 0)


async def test_a_zip_that_broke_goes_on(
    client: Client, proxy: Proxy, source: Source, tmp_path: Path
) -> None:
    content = os.urandom(12 * MIB)
    urls = [source.serve("/broken.bin", content, etag='"1"')]
    proxy.cut_answers = [9 * MIB]

    async with Client(proxy.url) as shaky:
        await shaky.zip(tmp_path / "x.zip", urls=urls)

    assert unzipped(tmp_path / "x.zip") == {"broken.bin": content}
    assert len(proxy.ranges) == 1
    assert proxy.answered < 13 * MIB


class Gate(io.BytesIO):
    """A stream that takes 6 MiB, and more only when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self.opened = threading.Event()

    def write(self, data: Any) -> int:
        if self.tell() > 6 * MIB:
            self.reached.set()
            assert self.opened.wait(60)
        return super().write(data)


async def test_a_stream_goes_on_although_the_server_must_start_again(
    start_server: StartServer, source: Source, tmp_path: Path
) -> None:
    """The CRC-32 of what came before is lost with the server's memory: it sends all again."""
    content = os.urandom(12 * MIB)
    urls = [source.serve("/again.bin", content, etag='"1"')]
    server = start_server(remote_allow="127.0.0.1")
    stream = Gate()

    async with proxy_to(server.url) as proxy, Client(proxy.url) as client:
        proxy.cut_answers = [10 * MIB]
        zipping = asyncio.ensure_future(client.zip(stream, urls=urls))
        assert await asyncio.to_thread(stream.reached.wait, 60)
        server.kill()
        await asyncio.to_thread(
            start_server, server.data, port=server.port, remote_allow="127.0.0.1"
        )
        proxy.answered = 0
        stream.opened.set()
        await zipping

    (tmp_path / "x.zip").write_bytes(stream.getvalue())
    assert unzipped(tmp_path / "x.zip") == {"again.bin": content}
    assert len(proxy.ranges) == 1
    assert proxy.answered > 12 * MIB


async def test_a_flipped_byte_is_noticed_without_a_promised_crc32(
    proxy: Proxy, source: Source, tmp_path: Path
) -> None:
    urls = [source.serve("/flipped.bin", os.urandom(6 * MIB), etag='"1"')]
    proxy.flip_answer = 3 * MIB

    async with Client(proxy.url) as shaky:
        with pytest.raises(DigestMismatch, match=r"'flipped\.bin' in the ZIP that came is damaged"):
            await shaky.zip(tmp_path / "x.zip", urls=urls)

    assert os.listdir(tmp_path) == []


async def test_a_url_that_cannot_be_fetched_is_told_at_once(
    proxy: Proxy, source: Source, tmp_path: Path
) -> None:
    urls = [source.serve("/there", b"x"), f"{source.url}/not-there?sig=secret"]

    async with Client(proxy.url) as client:
        with pytest.raises(SourceFailed) as caught:
            await client.zip(tmp_path / "x.zip", urls=urls)

    assert caught.value.extra["sources"] == [
        {"url": f"{source.url}/not-there", "reason": "HTTP 404"}
    ]
    assert sum(head.startswith(b"POST ") for head in proxy.heads) == 1
    assert os.listdir(tmp_path) == []


async def test_a_url_that_leads_inside_is_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(RemoteRefused, match="PENSTOCK_REMOTE_ALLOW"):
        await client.zip(tmp_path / "x.zip", urls=["http://10.0.0.1/"])


async def test_a_source_that_dies_leaves_no_zip(
    server: RunningServer, source: Source, tmp_path: Path
) -> None:
    urls = [
        source.serve("/dying.bin", bytes(4 * MIB), faults=[DYING] * 9, head_faults=[UNSIZED] * 9)
    ]

    async with Client(server.url, tries=2) as client:
        with pytest.raises(ServerUnavailable, match="cut short"):
            await client.zip(tmp_path / "x.zip", urls=urls)

    assert set(os.listdir(tmp_path)) <= {"x.zip.part", "x.zip.part.json"}
