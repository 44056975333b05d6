"""GET /v1/files/{key} in a content coding: when, which, and what its fields say."""

import asyncio
import gzip
import os
import random
import time
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.server.coding import TEXT, decoded, times_open
from tests.server.conftest import Api, StartApi
from tests.server.programs import curl, run
from tests.server.test_put import sha256_field

SMALL = TEXT[:20_000]
NOISE = random.Random(4).randbytes(1_000_000)
URL = "/v1/files/logs/big.txt"
ASKING = b"GET /v1/files/%s HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"


@pytest.fixture
async def etag(api: Api) -> str:
    """The ETag of TEXT as it is; it is at URL."""
    return str((await api.put("logs/big.txt", TEXT))["etag"])


def tag(etag: str, coding: str) -> str:
    return f'{etag[:-1]}-{coding}"'


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_large_file_is_sent_in_chunks(api: Api, etag: str, coding: str) -> None:
    response, body = await api.call("GET", URL, Accept_Encoding=coding)

    assert response.status == 200
    assert response.headers["Content-Encoding"] == coding
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.headers["ETag"] == tag(etag, coding)
    assert response.headers["Vary"] == "Accept-Encoding"
    assert response.headers["Accept-Ranges"] == "none"
    assert len(body) < len(TEXT) / 2
    assert decoded(coding, body) == TEXT


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
async def test_a_small_file_has_a_length(api: Api, coding: str) -> None:
    await api.put("small.txt", SMALL)

    response, body = await api.call("GET", "/v1/files/small.txt", Accept_Encoding=coding)

    assert response.headers["Content-Encoding"] == coding
    assert response.headers["Content-Length"] == str(len(body))
    assert decoded(coding, body) == SMALL


async def test_without_a_wish_a_file_is_sent_as_it_is(api: Api, etag: str) -> None:
    response, body = await api.call("GET", URL, Accept_Encoding="identity")

    assert body == TEXT
    assert "Content-Encoding" not in response.headers
    assert response.headers["ETag"] == etag
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, zstd;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("deflate", None),
        ("*;q=0", None),
    ],
)
async def test_the_client_chooses(api: Api, etag: str, accept: str, coding: str | None) -> None:
    response, body = await api.call("GET", URL, Accept_Encoding=accept)

    assert response.headers.get("Content-Encoding") == coding
    assert decoded(coding, body) == TEXT


@pytest.mark.parametrize("key", ["big.txt", "small.txt"])
async def test_head_says_the_same_and_sends_nothing(api: Api, key: str) -> None:
    await api.put(key, TEXT if key == "big.txt" else SMALL)

    got, _ = await api.call("GET", f"/v1/files/{key}", Accept_Encoding="gzip")
    head, body = await api.call("HEAD", f"/v1/files/{key}", Accept_Encoding="gzip")

    unlike = {"Date", "X-Request-ID", "Transfer-Encoding"}
    assert (head.status, body) == (200, b"")
    assert {name: value for name, value in head.headers.items() if name not in unlike} == {
        name: value for name, value in got.headers.items() if name not in unlike
    }


async def test_the_digest_is_of_what_it_says_it_is(api: Api, etag: str) -> None:
    coded, _ = await api.call("GET", URL, Accept_Encoding="gzip", Want_Repr_Digest="sha-256=1")
    plain, _ = await api.call("GET", URL, Accept_Encoding="identity")

    assert "Repr-Digest" not in coded.headers
    assert coded.headers["Unencoded-Digest"] == sha256_field(TEXT)
    assert plain.headers["Repr-Digest"] == sha256_field(TEXT)


@pytest.mark.parametrize("key", ["a.txt", "a.bin", "a.jpg"])
async def test_what_does_not_shrink_is_sent_as_it_is(api: Api, key: str) -> None:
    await api.put(key, NOISE, Content_Type="text/plain" if key == "a.txt" else "")

    response, body = await api.call("GET", f"/v1/files/{key}", Accept_Encoding="gzip, br, zstd")

    assert body == NOISE
    assert "Content-Encoding" not in response.headers
    assert ("Vary" in response.headers) == (key == "a.txt")


@pytest.mark.parametrize(("size", "coding"), [(8191, None), (8192, "gzip")])
async def test_little_is_sent_as_it_is(api: Api, size: int, coding: str | None) -> None:
    await api.put("a.txt", TEXT[:size])

    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip")

    assert response.headers.get("Content-Encoding") == coding
    assert decoded(coding, body) == TEXT[:size]


async def test_what_a_file_is_may_be_known_by_its_bytes_alone(api: Api) -> None:
    await api.put("README", SMALL)

    response, _ = await api.call("GET", "/v1/files/README", Accept_Encoding="gzip")

    assert response.headers["Content-Encoding"] == "gzip"


async def test_no_transform_is_respected(api: Api, etag: str) -> None:
    response, body = await api.call(
        "GET", URL, Accept_Encoding="gzip", Cache_Control="max-age=0, no-transform"
    )

    assert "Content-Encoding" not in response.headers
    assert body == TEXT


async def test_it_can_be_switched_off(start_api: StartApi) -> None:
    api = await start_api(compress=False)
    await api.put("a.txt", SMALL)

    response, body = await api.call("GET", "/v1/files/a.txt", Accept_Encoding="gzip")

    assert body == SMALL
    assert {"Content-Encoding", "Vary"}.isdisjoint(response.headers)


async def test_a_range_is_of_the_file_as_it_is(api: Api, etag: str) -> None:
    response, body = await api.call("GET", URL, Accept_Encoding="gzip", Range="bytes=10-99999")

    assert (response.status, body) == (206, TEXT[10:100_000])
    assert "Content-Encoding" not in response.headers
    assert response.headers["ETag"] == etag
    assert response.headers["Vary"] == "Accept-Encoding"


async def test_a_coded_transfer_is_never_gone_on_with_by_a_range(api: Api, etag: str) -> None:
    response, body = await api.call(
        "GET", URL, Accept_Encoding="gzip", Range="bytes=9-", If_Range=tag(etag, "gzip")
    )

    assert (response.status, body) == (200, TEXT)
    assert response.headers["ETag"] == etag


@pytest.mark.parametrize("coding", ["gzip", "br", "identity"])
async def test_what_the_client_has_in_some_coding_is_not_sent_again(
    api: Api, etag: str, coding: str
) -> None:
    has = etag if coding == "identity" else tag(etag, coding)

    response, body = await api.call(
        "GET", URL, Accept_Encoding="gzip, br, zstd", If_None_Match=f'"old", {has}'
    )

    assert (response.status, body) == (304, b"")
    assert response.headers["ETag"] == has
    assert response.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in response.headers


async def test_a_coding_that_is_not_accepted_any_more_is_sent_anew(api: Api, etag: str) -> None:
    response, body = await api.call(
        "GET", URL, Accept_Encoding="identity", If_None_Match=tag(etag, "gzip")
    )

    assert (response.status, body) == (200, TEXT)


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_the_version_that_is_wanted_is_sent_however_it_is_coded(
    api: Api, etag: str, coding: str
) -> None:
    wanted = etag if coding == "identity" else tag(etag, coding)

    response, body = await api.call("GET", URL, Accept_Encoding="gzip, zstd", If_Match=wanted)
    other, _ = await api.call("GET", URL, Accept_Encoding="gzip", If_Match='"other"')

    assert response.status == 200
    assert response.headers["ETag"] == wanted
    assert decoded(response.headers.get("Content-Encoding"), body) == TEXT
    assert other.status == 412


async def test_who_read_a_version_in_a_coding_may_replace_it(api: Api, etag: str) -> None:
    replaced, _ = await api.call("PUT", URL, b"new", If_Match=tag(etag, "gzip"))
    late, _ = await api.call("DELETE", URL, If_Match=tag(etag, "gzip"))

    assert (replaced.status, late.status) == (200, 412)


async def test_another_version_has_other_tags_in_every_coding(api: Api, etag: str) -> None:
    await api.put("logs/big.txt", TEXT[::-1])

    response, body = await api.call(
        "GET", URL, Accept_Encoding="gzip", If_None_Match=tag(etag, "gzip")
    )

    assert response.status == 200
    assert gzip.decompress(body) == TEXT[::-1]


async def test_http_1_0_is_never_sent_what_could_be_cut_unseen(api: Api, etag: str) -> None:
    await api.put("small.txt", SMALL)

    large, whole = await curl(
        "--http1.0", "-H", "Accept-Encoding: gzip", f"http://127.0.0.1:{api.port}{URL}"
    )
    small, body = await curl(
        *("--http1.0", "-H", "Accept-Encoding: gzip"),
        f"http://127.0.0.1:{api.port}/v1/files/small.txt",
    )

    assert whole == TEXT
    assert f"\nContent-Length: {len(TEXT)}\n" in large
    assert "\nContent-Encoding: gzip" in small
    assert gzip.decompress(body) == SMALL


async def test_the_end_of_a_small_body_is_not_held_back(api: Api) -> None:
    await api.put("small.txt", SMALL)
    seconds = []

    for _ in range(10):
        started = time.perf_counter()
        await api.get("/v1/files/small.txt", Accept_Encoding="gzip")
        seconds.append(time.perf_counter() - started)

    # A kernel that waits for more waits 40 ms, each time.
    assert min(seconds) < 0.035


async def test_curl_undoes_it(api: Api, etag: str) -> None:
    body = await run("curl", "-sSf", "--compressed", f"http://127.0.0.1:{api.port}{URL}")

    assert body == TEXT


async def test_curl_goes_on_where_it_broke_off(api: Api, etag: str, tmp_path: Path) -> None:
    part = tmp_path / "part"
    await asyncio.to_thread(part.write_bytes, TEXT[:777_777])

    await run(
        *("curl", "-sSf", "--compressed", "-C", "-", "-o", part),
        f"http://127.0.0.1:{api.port}{URL}",
    )

    assert await asyncio.to_thread(part.read_bytes) == TEXT


async def test_a_store_without_descriptors_does_it_too(start_api: StartApi) -> None:
    api = await start_api(store="memory://")
    await api.put("big.txt", TEXT)
    await api.put("small.txt", SMALL)

    assert gzip.decompress(await api.get("/v1/files/big.txt", Accept_Encoding="gzip")) == TEXT
    assert gzip.decompress(await api.get("/v1/files/small.txt", Accept_Encoding="gzip")) == SMALL


async def test_a_file_cut_short_while_it_is_sent_never_looks_complete(api: Api) -> None:
    path = api.services.settings.data / "files/shrinking.txt"
    await asyncio.to_thread(path.write_bytes, b"")
    await asyncio.to_thread(lambda: os.truncate(path, 4 << 30))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1 << 16)
    writer.write(
        b"GET /v1/files/shrinking.txt HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")

    await asyncio.to_thread(lambda: os.truncate(path, 1))
    try:
        body = await reader.read()
    except ConnectionResetError:
        body = b""

    assert b"Transfer-Encoding: chunked" in head
    assert not body.endswith(b"0\r\n\r\n")
    writer.close()


async def test_a_reader_that_leaves_frees_its_transfer_and_the_file(api: Api) -> None:
    path = api.services.settings.data / "files/big.txt"
    await asyncio.to_thread(path.write_bytes, b"")
    await asyncio.to_thread(lambda: os.truncate(path, 64 << 30))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(ASKING % b"big.txt")
    await reader.readuntil(b"\r\n\r\n")
    assert api.services.traffic.transfers == times_open(path) == 1

    writer.transport.abort()

    assert await eventually(lambda: api.services.traffic.transfers == 0)
    assert times_open(path) == 0


async def test_a_slow_reader_is_given_up(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.3)
    path = api.services.settings.data / "files/noise.txt"
    noise = random.Random(5).randbytes(1 << 20).hex().encode()
    await asyncio.to_thread(path.write_bytes, noise * 16)
    _, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
    writer.write(ASKING % b"noise.txt")

    assert await eventually(lambda: api.services.traffic.transfers == 1)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    writer.close()


async def test_a_cold_file_comes_from_the_disk_byte_for_byte(api: Api, etag: str) -> None:
    def evict() -> None:
        with (api.services.settings.data / "files/logs/big.txt").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    await asyncio.to_thread(evict)

    assert gzip.decompress(await api.get(URL, Accept_Encoding="gzip")) == TEXT
