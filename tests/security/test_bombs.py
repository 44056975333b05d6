"""Bodies that are small until somebody decompresses them.

If one of these failed, a kilobyte would fill the memory or the disk of the server. It decompresses
nothing: what comes in a coding is refused. The console client does, of servers that it is sent to.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import PenstockError
from tests.faults import Source, faulty, with_headers
from tests.pulls.pulling import hasten, pulled
from tests.security.speaking import answer_in, ask, head, said
from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import OCTETS, metadata

MIB = 1 << 20
ZEROS = 64 * MIB
BOMB = gzip.compress(bytes(ZEROS), 9)
JSON_BOMB = gzip.compress(b'{"keys": ["a"]' + b" " * (32 * MIB) + b"}", 9)

JSON = "Content-Type: application/json"
FORM = "Content-Type: multipart/form-data; boundary=b"
TUS = [
    "Tus-Resumable: 1.0.0",
    f"Content-Type: {OCTETS}",
    f"Upload-Length: {len(BOMB)}",
    f"Upload-Metadata: {metadata(filename='bomb')}",
]
CODINGS = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-gzip", "GZIP"]

DOORS = {
    "put": ("PUT", "/v1/files/bomb", []),
    "form": ("POST", "/v1/files", [FORM]),
    "upload": ("POST", "/upload", ["X-File-Name: bomb"]),
    "stream-upload": ("POST", "/stream-upload", []),
    "file-upload": ("POST", "/file-upload", [FORM]),
    "api/upload": ("POST", "/api/upload", [FORM]),
    "tus": ("POST", "/v1/uploads", TUS),
    "draft": ("PUT", "/v1/files/bomb", ["Upload-Complete: ?1", "Upload-Draft-Interop-Version: 8"]),
}


async def stored(api: Api) -> list[dict[str, object]]:
    files: list[dict[str, object]] = json.loads(await api.get("/v1/files"))["files"]
    return files


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
async def test_no_upload_is_decompressed(
    api: Api, door: tuple[str, str, list[str]], coding: str
) -> None:
    method, path, fields = door

    answer = await ask(api.port, method, path, f"Content-Encoding: {coding}", *fields, body=BOMB)

    assert answer.status < 500
    assert all(file["size"] == len(BOMB) for file in await stored(api))


@pytest.mark.parametrize(
    "path",
    ["/v1/zip", "/v1/zips", "/v1/shares", "/v1/pulls", "/v1/archives", "/api/download",
     "/create-job", "/v1/tokens"],
)  # fmt: skip
async def test_no_json_is_decompressed(api: Api, path: str) -> None:
    await api.put("a", b"x")

    answer = await ask(api.port, "POST", path, JSON, "Content-Encoding: gzip", body=JSON_BOMB)

    assert 400 <= answer.status < 500


@pytest.mark.parametrize("coding", ["gzip", "deflate", "x", "chunked, gzip", "gzip, chunked"])
async def test_no_transfer_coding_is_decompressed(api: Api, coding: str) -> None:
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BOMB), BOMB)
    fields = f"Transfer-Encoding: {coding}", "Content-Type: application/octet-stream"
    answer = answer_in(await said(api.port, head("PUT", "/v1/files/bomb", *fields) + chunks))

    assert answer.status < 500
    assert all(file["size"] == len(BOMB) for file in await stored(api))


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
async def test_a_pull_is_not_decompressed(
    start_api: StartApi, source: Source, monkeypatch: pytest.MonkeyPatch, coding: str
) -> None:
    hasten(monkeypatch)
    api = await start_api(remote_allow="127.0.0.1", remote_tries=1)
    url = source.serve("/a", BOMB, etag='"a"', headers={"Content-Encoding": coding})

    pull = await pulled(api, url)

    assert pull["state"] == "failed"
    assert await stored(api) == []


async def test_the_client_takes_no_more_than_it_was_told(source: Source, tmp_path: Path) -> None:
    """A download of a few bytes that a server sends as a bomb."""
    url = source.serve(
        "/a",
        BOMB,
        always=with_headers(Content_Encoding="gzip", Content_Range="bytes 0-9/10", ETag='"a"'),
    )
    target = tmp_path / "a"

    with pytest.raises(PenstockError):
        async with Client(source.url) as client:
            await client.download(url, target)
    left = await asyncio.to_thread(lambda: [path.stat().st_size for path in tmp_path.iterdir()])
    assert all(size < MIB for size in left)


async def test_a_zip_is_stored_not_unpacked(api: Api) -> None:
    """What is in a file is nobody's business here, so a ZIP bomb is a small file."""
    bomb = zlib.compress(bytes(ZEROS), 9)

    document = await api.put("bomb.zip", bomb)

    assert document["size"] == len(bomb)
    assert len(await api.get("/v1/zip?key=bomb.zip")) < len(bomb) + 1000
