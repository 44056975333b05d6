"""The layouts of a ZIP: what is known of its members decides, and the answer tells."""

import asyncio
import io
import random
import re
import subprocess
import zipfile

import aiohttp
import pytest

from tests.conftest import StartServer
from tests.server.conftest import Api, StartApi

MIB = 1 << 20
TEXT = b"".join(b"%d: a line that repeats itself, as lines of logs do\n" % n for n in range(60_000))
NOISE = random.Random(3).randbytes(3 * MIB)
FILES = {
    "d/big.txt": TEXT,
    "d/empty": b"",
    "d/noise.bin": NOISE,
    "d/photo.jpg": NOISE[: 2 * MIB],
    "d/small.txt": TEXT[:5000],
}


async def strangers_files(api: Api) -> None:
    """Files that lay in the folder before: nobody knows their CRC-32."""
    folder = api.services.settings.data / "files"
    await asyncio.to_thread((folder / "d").mkdir)
    for key, data in FILES.items():
        await asyncio.to_thread((folder / key).write_bytes, data)


@pytest.fixture
async def strange(start_api: StartApi) -> Api:
    """An application that reads nothing in advance for its CRC-32."""
    api = await start_api(zip_read_first=0)
    await strangers_files(api)
    return api


@pytest.fixture(params=["", "memory://"], ids=["local", "memory"])
async def stocked(request: pytest.FixtureRequest, start_api: StartApi) -> Api:
    """An application that holds FILES and knows all of them."""
    api = await start_api(store=request.param)
    for key, data in FILES.items():
        await api.put(key, data)
    return api


def contents(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def methods(data: bytes) -> dict[str, int]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: info.compress_type for info in archive.infolist()}


async def test_members_of_unknown_crc32_come_in_stored_blocks(strange: Api) -> None:
    response, body = await strange.call("GET", "/v1/zip?prefix=d/")

    assert response.headers["X-Zip-Layout"] == "stored-blocks"
    assert response.headers["Content-Length"] == str(len(body))
    assert contents(body) == FILES


async def test_a_little_is_read_first_so_that_every_reader_opens_it(start_api: StartApi) -> None:
    api = await start_api()
    await strangers_files(api)

    response, body = await api.call("GET", "/v1/zip?prefix=d/")

    assert response.headers["X-Zip-Layout"] == "stored"
    assert contents(body) == FILES


async def test_what_is_read_first_is_bounded_and_all_or_nothing(start_api: StartApi) -> None:
    api = await start_api(zip_read_first=MIB)
    await strangers_files(api)

    answers = [await api.call("GET", "/v1/zip?prefix=d/") for _ in range(3)]

    assert {response.headers["X-Zip-Layout"] for response, _ in answers} == {"stored-blocks"}
    assert len({response.headers["ETag"] for response, _ in answers}) == 1
    assert contents(answers[0][1]) == FILES


async def test_a_second_download_gives_the_same_bytes(strange: Api) -> None:
    first, body = await strange.call("GET", "/v1/zip?prefix=d/")
    second, again = await strange.call("GET", "/v1/zip?prefix=d/")

    assert body == again
    assert first.headers["ETag"] == second.headers["ETag"]


async def test_what_was_sent_before_can_be_resumed(strange: Api) -> None:
    response, body = await strange.call("GET", "/v1/zip?prefix=d/")

    for start in (1, 70_000, len(body) // 2, len(body) - 100):
        part = await strange.get(
            "/v1/zip?prefix=d/", Range=f"bytes={start}-", If_Range=response.headers["ETag"]
        )
        assert part == body[start:]


async def test_a_range_behind_what_was_never_sent_gets_the_whole(strange: Api) -> None:
    head, _ = await strange.call("HEAD", "/v1/zip?prefix=d/")
    size = int(head.headers["Content-Length"])
    response, body = await strange.call("GET", "/v1/zip?prefix=d/", Range=f"bytes={size - 50}-")

    assert response.status == 200
    assert contents(body) == FILES


async def test_a_download_that_broke_goes_on_where_it_was(strange: Api) -> None:
    url = f"http://127.0.0.1:{strange.port}/v1/zip?prefix=d/"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        etag = response.headers["ETag"]
        begun = await response.content.readexactly(4 * MIB)

    rest, data = await strange.call(
        "GET", "/v1/zip?prefix=d/", Range=f"bytes={len(begun)}-", If_Range=etag
    )

    assert rest.status == 206
    assert contents(begun + data) == FILES


@pytest.mark.parametrize("level", ["fast", "best"])
async def test_deflate_makes_it_smaller(stocked: Api, level: str) -> None:
    response, body = await stocked.call("GET", f"/v1/zip?prefix=d/&compress=deflate&level={level}")

    assert response.headers["X-Zip-Layout"] == "deflate"
    assert "Content-Length" not in response.headers
    assert "ETag" not in response.headers
    assert contents(body) == FILES
    assert len(body) < sum(map(len, FILES.values())) - 0.7 * len(TEXT)


async def test_auto_leaves_alone_what_does_not_shrink(stocked: Api) -> None:
    body = await stocked.get("/v1/zip?prefix=d/&compress=auto")

    assert contents(body) == FILES
    assert methods(body)["d/photo.jpg"] == zipfile.ZIP_STORED
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.getinfo("d/noise.bin").compress_size < len(NOISE) + 1000
        assert archive.getinfo("d/big.txt").compress_size < len(TEXT) // 3


async def test_auto_of_compressed_types_alone_keeps_its_length(stocked: Api) -> None:
    response, body = await stocked.call("GET", "/v1/zip?key=d/photo.jpg&compress=auto")

    assert response.headers["X-Zip-Layout"] == "stored"
    assert response.headers["Content-Length"] == str(len(body))


async def test_a_report_leaves_out_what_is_missing(stocked: Api) -> None:
    response, body = await stocked.call("GET", "/v1/zip?key=d/small.txt&key=d/gone&on_error=report")

    found = contents(body)
    assert response.status == 200
    assert found["small.txt"] == FILES["d/small.txt"]
    assert re.fullmatch(
        rb"Download Error Report\n=====================\nGenerated: \S+Z\n\n"
        rb"Total requested: 2\nSuccessful: 1\nFailed: 1\n\nFailed files:\n  - d/gone: not stored\n",
        found["_download_errors.txt"],
    )


async def test_a_report_without_failures_is_not_there(stocked: Api) -> None:
    body = await stocked.get("/v1/zip?prefix=d/&on_error=report")

    assert contents(body) == FILES


async def test_the_report_never_takes_the_name_of_a_file(stocked: Api) -> None:
    await stocked.put("e/_download_errors.txt", b"mine")

    body = await stocked.get("/v1/zip?prefix=e/&key=gone&on_error=report")

    assert contents(body)["e/_download_errors.txt"] == b"mine"
    assert b"gone: not stored" in contents(body)["_download_errors.txt"]


@pytest.mark.parametrize(
    ("query", "status"), [("prefix=d/", b"complete"), ("key=gone", b"incomplete; failed=1")]
)
async def test_a_trailer_tells_whether_all_is_there(
    stocked: Api, query: str, status: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stocked.port)
    path = f"/v1/zip?{query}&on_error=report"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()

    assert b"Trailer: X-Zip-Status\r\n" in answer
    assert answer.endswith(b"\r\n0\r\nX-Zip-Status: " + status + b"\r\n\r\n")


async def test_a_connection_lives_on_after_a_chunked_zip(stocked: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stocked.port, limit=64 * MIB)
    for _ in range(2):
        writer.write(b"GET /v1/zip?key=d/small.txt&compress=deflate HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await reader.readuntil(b"\r\n0\r\nX-Zip-Status: complete\r\n\r\n")
    writer.close()


async def test_http_1_0_is_told_that_it_could_not_see_a_cut(stocked: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stocked.port)
    writer.write(b"GET /v1/zip?prefix=d/&compress=deflate HTTP/1.0\r\nHost: x\r\n\r\n")
    answer = await reader.read()
    writer.close()

    assert answer.startswith((b"HTTP/1.1 505 ", b"HTTP/1.0 505 "))


async def test_a_head_tells_the_layout(stocked: Api) -> None:
    response, body = await stocked.call("HEAD", "/v1/zip?prefix=d/&compress=deflate")

    assert (response.status, body) == (200, b"")
    assert response.headers["X-Zip-Layout"] == "deflate"


async def test_a_range_of_a_deflated_zip_gets_the_whole(stocked: Api) -> None:
    response, body = await stocked.call(
        "GET", "/v1/zip?prefix=d/&compress=deflate", Range="bytes=100-"
    )

    assert response.status == 200
    assert contents(body) == FILES


async def test_a_version_of_a_deflated_zip_cannot_be_asked_for(stocked: Api) -> None:
    response, _ = await stocked.call("GET", "/v1/zip?prefix=d/&compress=deflate", If_Match='"z1-0"')

    assert response.status == 412


@pytest.mark.parametrize("query", ["compress=zip", "level=9", "on_error=skip"])
async def test_an_unknown_choice_is_refused(stocked: Api, query: str) -> None:
    response, _ = await stocked.call("GET", f"/v1/zip?prefix=d/&{query}")

    assert response.status == 400


@pytest.mark.parametrize("query", ["compress=deflate", "on_error=report", "compress=store"])
async def test_a_file_that_changes_on_the_way_cuts_the_zip(api: Api, query: str) -> None:
    for number in range(12):
        await api.put(f"d/{number:02d}", random.Random(number).randbytes(8 * MIB))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1 << 16)
    head = f"GET /v1/zip?prefix=d/&{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    await reader.readuntil(b"\r\n\r\n")

    changing = api.services.settings.data / "files/d/11"
    await asyncio.to_thread(changing.write_bytes, bytes(8 * MIB))
    received = bytearray()
    try:
        while data := await reader.read(MIB):
            received = (received + data)[-1000:]
    except ConnectionResetError:
        received.clear()

    assert query == "on_error=report" or b"PK\5\6" not in received
    writer.close()


def test_memory_does_not_grow_with_what_is_deflated(start_server: StartServer) -> None:
    server = start_server()
    for name, mebibytes in (("first", 50), ("second", 400)):
        with (server.data / "files" / name).open("wb") as file:
            for number in range(mebibytes):
                file.write(random.Random(number).randbytes(MIB // 8) + bytes(MIB * 7 // 8))

    def deflate(name: str) -> int:
        url = f"{server.url}/v1/zip?key={name}&compress=deflate"
        subprocess.run(["curl", "-fsS", "-o", "/dev/null", url], check=True)
        return server.memory()

    before, after = deflate("first"), deflate("second")
    (server.data / "files/second").unlink()

    assert after - before < 16 * MIB
