"""``/download/{name}`` answers as the server of file_upload does, but for its faults."""

import asyncio
import gzip
import random
from urllib.parse import quote

import aiohttp
import pytest

from tests.eventually import eventually
from tests.server.coding import TEXT, times_open
from tests.server.conftest import Api, StartApi
from tests.server.programs import curl

CHUNK = 524_288
NOISE = random.Random(3).randbytes(100_000)
PLAIN = {"Accept_Encoding": "identity"}
TAKES_GZIP = {"Accept_Encoding": "gzip"}


@pytest.fixture
async def etag(api: Api) -> str:
    """The ETag of t.txt, which holds TEXT."""
    return str((await api.put("t.txt", TEXT))["etag"])


async def ranged(
    api: Api, header: str, name: str = "t.txt", **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    return await api.call("GET", f"/download/{name}", Range=header, **{**PLAIN, **headers})


async def test_head_tells_the_size(api: Api, etag: str) -> None:
    head, body = await curl("-I", f"http://127.0.0.1:{api.port}/download/t.txt")

    assert head.startswith("HTTP/1.1 200 ")
    assert f"\nContent-Length: {len(TEXT)}\n" in f"{head}\n"
    assert f"\nETag: {etag}\n".lower() in f"{head}\n".lower()
    assert body == b""


async def test_a_range_is_a_slice(api: Api, etag: str) -> None:
    response, body = await ranged(api, "bytes=0-9")

    assert (response.status, body) == (206, TEXT[:10])
    assert response.headers["Content-Range"] == f"bytes 0-9/{len(TEXT)}"
    assert response.headers["Content-Length"] == "10"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.headers["ETag"] == etag
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(("last", "coding"), [(8190, None), (8191, "gzip")])
async def test_a_chunk_is_compressed_from_8192_bytes_on(
    api: Api, etag: str, last: int, coding: str | None
) -> None:
    response, body = await ranged(api, f"bytes=0-{last}", **TAKES_GZIP)

    assert response.status == 206
    assert response.headers.get("Content-Encoding") == coding
    assert response.headers["Content-Range"] == f"bytes 0-{last}/{len(TEXT)}"
    assert response.headers["Vary"] == "Accept-Encoding"
    assert (gzip.decompress(body) if coding else body) == TEXT[: last + 1]


async def test_a_file_comes_chunk_by_chunk(api: Api, etag: str) -> None:
    got = b""
    tags = set()
    for first in range(0, len(TEXT), CHUNK):
        last = min(first + CHUNK, len(TEXT)) - 1
        response, body = await ranged(api, f"bytes={first}-{last}", **TAKES_GZIP)
        assert response.headers["Content-Length"] == str(len(body))
        tags.add(response.headers["ETag"])
        got += gzip.decompress(body)

    assert got == TEXT
    # No cache may join them: they are not slices of one body.
    assert len(tags) == -(-len(TEXT) // CHUNK)
    assert etag not in tags


async def test_a_large_chunk_is_sent_while_it_is_compressed(api: Api, etag: str) -> None:
    response, body = await ranged(api, f"bytes=1-{len(TEXT) - 1}", **TAKES_GZIP)

    assert response.status == 206
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert gzip.decompress(body) == TEXT[1:]


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept_Encoding": "gzip;q=0"},
        {"Accept_Encoding": "br, zstd"},
        {"Accept_Encoding": "gzipped"},
        {"Accept_Encoding": "gzip", "Cache_Control": "no-transform"},
    ],
)
async def test_only_who_accepts_gzip_is_sent_it(
    api: Api, etag: str, headers: dict[str, str]
) -> None:
    response, body = await ranged(api, "bytes=0-99999", **headers)

    assert "Content-Encoding" not in response.headers
    assert body == TEXT[:100_000]


async def test_compression_can_be_switched_off(start_api: StartApi) -> None:
    api = await start_api(compress=False)
    await api.put("t.txt", TEXT)

    response, body = await ranged(api, "bytes=0-99999", **TAKES_GZIP)

    assert {"Content-Encoding", "Vary"}.isdisjoint(response.headers)
    assert body == TEXT[:100_000]


@pytest.mark.parametrize("name", ["n.bin", "n.jpg", "n.txt"])
async def test_what_does_not_get_smaller_is_sent_as_it_is(api: Api, name: str) -> None:
    await api.put(name, NOISE, Content_Type="text/plain" if name == "n.txt" else "")

    response, body = await ranged(api, f"bytes=0-{len(NOISE) - 1}", name, **TAKES_GZIP)

    assert "Content-Encoding" not in response.headers
    assert body == NOISE


async def test_a_strangers_file_without_an_extension_is_known_by_its_bytes(api: Api) -> None:
    path = api.services.settings.data / "files/README"
    await asyncio.to_thread(path.write_bytes, TEXT)

    response, body = await ranged(api, "bytes=0-99999", "README", **TAKES_GZIP)

    assert response.headers["Content-Type"] == "text/plain"
    assert gzip.decompress(body) == TEXT[:100_000]


async def test_without_a_range_it_says_what_it_needs(api: Api, etag: str) -> None:
    head, body = await curl(f"http://127.0.0.1:{api.port}/download/t.txt")

    assert head.startswith("HTTP/1.1 400 ")
    assert "\nX-Content-Type-Options: nosniff" in head
    assert "\nContent-Type: text/plain; charset=utf-8" in head
    assert body == b"Range header required\n"


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-", "bytes=-5", "items=0-1", "bytes=", "bytes=a-b", "bytes 0-5", "0-5",
        "bytes=0-5junk", "bytes=0-1,4-5", "bytes=0 - 5", f"bytes=0-{'9' * 5000}",
    ],
)  # fmt: skip
async def test_a_range_of_another_form_is_refused(api: Api, etag: str, header: str) -> None:
    response, body = await ranged(api, header)

    assert (response.status, body) == (400, b"Invalid range format\n")


@pytest.mark.parametrize(
    "header",
    [
        "bytes=5-2", f"bytes=0-{len(TEXT)}", "bytes=99999999-99999999",
        "bytes=-5-5", "bytes=-0-5", "bytes=0--1",
    ],
)  # fmt: skip
async def test_a_range_that_is_not_in_the_file_is_refused(api: Api, etag: str, header: str) -> None:
    response, body = await ranged(api, header)

    assert (response.status, body) == (416, b"Invalid range\n")
    assert response.headers["Content-Range"] == f"bytes */{len(TEXT)}"


async def test_no_range_is_in_an_empty_file(api: Api) -> None:
    await api.put("empty", b"")

    response, body = await ranged(api, "bytes=0-0", "empty")

    assert (response.status, body) == (416, b"Invalid range\n")


@pytest.mark.parametrize(
    "name", ["a..b", "%2Ftmp%2Fx", "docs%2Ft.txt", "..%2Ft.txt", "%FF", "a%00b", ".penstock"]
)
async def test_a_name_is_one_segment(api: Api, etag: str, name: str) -> None:
    url = f"http://127.0.0.1:{api.port}/download/{name}"

    head, body = await curl("--path-as-is", "-r", "0-9", url)

    assert head.startswith("HTTP/1.1 400 ")
    assert body == b"Bad Request\n"


async def test_nothing_there_is_404_and_tells_no_path(api: Api) -> None:
    response, body = await ranged(api, "bytes=0-9", "nope")
    head, _ = await api.call("HEAD", "/download/nope")

    assert (response.status, body) == (404, b"Not Found\n")
    assert head.status == 404


@pytest.mark.parametrize("name", ["a b.txt", "what?.txt", "100%.txt", "#1.txt", "漢字.txt"])
async def test_a_name_may_have_any_character(api: Api, name: str) -> None:
    await api.put(quote(name), TEXT)

    url = f"http://127.0.0.1:{api.port}/download/{quote(name)}"
    head, body = await curl("-r", "0-9", url)

    assert head.startswith("HTTP/1.1 206 ")
    assert body == TEXT[:10]


async def test_other_methods_are_not_allowed(api: Api, etag: str) -> None:
    response, _ = await api.call("DELETE", "/download/t.txt")

    assert response.status == 405
    assert response.headers["Allow"] == "GET,HEAD"


async def test_another_version_is_never_joined_to_what_came_before(api: Api, etag: str) -> None:
    refused, _ = await ranged(api, "bytes=10-19", If_Match='"other"')
    whole, body = await ranged(api, "bytes=10-19", If_Range='"other"', **TAKES_GZIP)
    part, rest = await ranged(api, "bytes=10-19", If_Range=etag)

    assert refused.status == 412
    assert (whole.status, body) == (200, TEXT)
    assert (part.status, rest) == (206, TEXT[10:20])


async def test_a_chunk_that_is_known_is_not_sent_again(api: Api, etag: str) -> None:
    first, _ = await ranged(api, "bytes=0-99999", **TAKES_GZIP)
    known, _ = await ranged(api, "bytes=0-99999", If_None_Match=first.headers["ETag"], **TAKES_GZIP)
    other, _ = await ranged(api, "bytes=1-99999", If_None_Match=first.headers["ETag"], **TAKES_GZIP)

    assert (known.status, other.status) == (304, 206)


async def test_no_descriptor_is_left_open(api: Api, etag: str) -> None:
    path = api.services.settings.data / "files/t.txt"

    for _ in range(5):
        await api.call("HEAD", "/download/t.txt")
        await ranged(api, "bytes=0-99999", **TAKES_GZIP)
        await ranged(api, "bytes=5-2")
        await api.call("GET", "/download/t.txt")

    assert await eventually(lambda: times_open(path) == 0)
