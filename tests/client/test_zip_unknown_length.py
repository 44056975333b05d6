"""ZIPs whose length shows only at their end: they start again, and a cut one is never taken."""

import asyncio
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import DigestMismatch, PenstockError, ServerUnavailable
from tests.client.conftest import MIB
from tests.client.fetching import UNSIZED, fetching_server
from tests.client.proxy import Proxy, listening
from tests.client.test_zip import filled, unzipped
from tests.faults import Source
from tests.serving import RunningServer

TEXT = b"".join(b"line %d of a text that can be made smaller\n" % n for n in range(50_000))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


def gets(proxy: Proxy) -> int:
    """How often the ZIP was asked for."""
    return sum(head.startswith(b"GET ") for head in proxy.heads)


async def test_compression(client: Client, tmp_path: Path) -> None:
    await client.put(io.BytesIO(TEXT), "compress/text.txt")
    sizes = {}
    for compress, level in (("store", "fast"), ("auto", "fast"), ("deflate", "best")):
        target = tmp_path / f"{compress}.zip"
        info = await client.zip(
            target,
            keys=["compress/text.txt"],
            compress=compress,  # type: ignore[arg-type]
            level=level,  # type: ignore[arg-type]
        )
        assert unzipped(target) == {"text.txt": TEXT}
        assert info.size == target.stat().st_size
        sizes[info.layout, level] = info.size

    assert sizes["deflate", "best"] < sizes["deflate", "fast"] < sizes["stored", "fast"]


async def test_it_starts_again_when_it_breaks(proxy: Proxy, source: Source, tmp_path: Path) -> None:
    content = os.urandom(6 * MIB)
    urls = [source.serve("/unsized.bin", content, always=UNSIZED)]
    proxy.cut_answers = [4 * MIB, 2 * MIB]

    async with Client(proxy.url) as shaky:
        info = await shaky.zip(tmp_path / "x.zip", urls=urls)

    assert unzipped(tmp_path / "x.zip") == {"unsized.bin": content}
    assert (info.layout, info.etag) == ("deflate", None)
    assert (gets(proxy), proxy.ranges) == (3, [])
    assert os.listdir(tmp_path) == ["x.zip"]


async def test_it_is_given_up_after_so_many_tries(proxy: Proxy, tmp_path: Path) -> None:
    """That each try comes further than the one before is no progress: all of it is lost."""
    async with Client(proxy.url) as client:
        contents = await filled(client, "given-up/")
    proxy.cut_answers = [MIB, 2 * MIB, 3 * MIB]
    proxy.heads.clear()

    async with Client(proxy.url, tries=3) as shaky:
        with pytest.raises(ServerUnavailable):
            await shaky.zip(tmp_path / "x.zip", prefixes=["given-up/"], compress="deflate")
        assert sorted(os.listdir(tmp_path)) == ["x.zip.part", "x.zip.part.json"]
        assert gets(proxy) == 3
        await shaky.zip(tmp_path / "x.zip", prefixes=["given-up/"], compress="deflate")

    assert unzipped(tmp_path / "x.zip") == contents
    assert os.listdir(tmp_path) == ["x.zip"]


async def test_into_a_stream_it_fails_when_it_breaks(proxy: Proxy) -> None:
    async with Client(proxy.url) as client:
        await filled(client, "stream/")
    proxy.cut_answers = [2 * MIB]
    proxy.heads.clear()
    stream = io.BytesIO()

    async with Client(proxy.url) as shaky:
        with pytest.raises(ServerUnavailable, match="cut short"):
            await shaky.zip(stream, prefixes=["stream/"], compress="deflate")

    assert MIB < len(stream.getvalue()) < 2 * MIB
    assert gets(proxy) == 1


async def test_a_flipped_byte_is_noticed(proxy: Proxy, tmp_path: Path) -> None:
    async with Client(proxy.url) as client:
        await filled(client, "flipped/")
    proxy.flip_answer = 2 * MIB + MIB // 2

    async with Client(proxy.url) as shaky:
        with pytest.raises(DigestMismatch, match="damaged"):
            await shaky.zip(tmp_path / "x.zip", prefixes=["flipped/"], compress="deflate")

    assert os.listdir(tmp_path) == []


SELECTED = (
    b'{"url": "/v1/zips/1", "name": "x.zip", "layout": "deflate", "size": null, "etag": null, '
    b'"crc32": null, "entries": 0, "renamed": [], "expires": "2030-01-01T00:00:00Z"}'
)
EMPTY_ZIP = b"PK\5\6" + bytes(18)


@pytest.mark.parametrize(
    ("head", "body", "error"),
    [
        (b"Transfer-Encoding: chunked", b"16\r\n" + EMPTY_ZIP + b"\r\n0\r\n\r\n", None),
        (b"Transfer-Encoding: chunked", b"16\r\n" + EMPTY_ZIP + b"\r\n", ServerUnavailable),
        (b"Transfer-Encoding: chunked", b"16\r\n" + EMPTY_ZIP[:9], ServerUnavailable),
        (b"Transfer-Encoding: chunked", b"", ServerUnavailable),
        (b"Connection: close", EMPTY_ZIP, PenstockError),
    ],
    ids=["whole", "no last chunk", "half a chunk", "nothing", "nothing tells the end"],
)
async def test_only_the_last_chunk_makes_it_whole(
    tmp_path: Path, head: bytes, body: bytes, error: type[PenstockError] | None
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if request.startswith(b"POST"):
            length = b"Content-Length: %d" % len(SELECTED)
            writer.write(b"HTTP/1.1 201 Created\r\n" + length + b"\r\n\r\n" + SELECTED)
            await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)
        writer.close()
        await writer.wait_closed()

    async with listening(answer) as url, Client(url, tries=1) as client:
        if error is None:
            await client.zip(tmp_path / "x.zip", keys=["any"])
        else:
            with pytest.raises(error):
                await client.zip(tmp_path / "x.zip", keys=["any"])

    assert (tmp_path / "x.zip").exists() == (error is None)
