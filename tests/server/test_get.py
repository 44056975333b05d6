"""GET, HEAD and DELETE /v1/files/{key}, and the listing."""

import asyncio
import hashlib
import os
from email import message_from_bytes

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.test_put import sha256_field

DATA = bytes(range(256)) * 4000
URL = "/v1/files/docs/a.bin"


@pytest.fixture
async def etag(api: Api) -> str:
    """A stored file's ETag; the file is at URL and holds DATA."""
    return str((await api.put("docs/a.bin", DATA))["etag"])


async def test_a_file_comes_back_byte_for_byte_with_what_verifies_it(api: Api, etag: str) -> None:
    response, body = await api.call("GET", URL)

    assert (response.status, body) == (200, DATA)
    assert response.headers["ETag"] == etag
    assert response.headers["Repr-Digest"] == sha256_field(DATA)
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Content-Length"] == str(len(DATA))
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Last-Modified" in response.headers


async def test_head_says_the_same_and_sends_nothing(api: Api, etag: str) -> None:
    got, _ = await api.call("GET", URL)
    head, body = await api.call("HEAD", URL)

    unlike = {"Date", "X-Request-ID"}
    assert (head.status, body) == (200, b"")
    assert {name: value for name, value in head.headers.items() if name not in unlike} == {
        name: value for name, value in got.headers.items() if name not in unlike
    }


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=-5", -5, None),
        ("bytes=500000-", 500_000, None),
    ],
)
async def test_a_range_is_a_slice(
    api: Api, etag: str, header: str, start: int, stop: int | None
) -> None:
    response, body = await api.call("GET", URL, Range=header)

    assert (response.status, body) == (206, DATA[start:stop])


async def test_several_ranges_are_one_multipart_answer(api: Api, etag: str) -> None:
    response, body = await api.call("GET", URL, Range="bytes=0-9,600000-600099,-7")

    head = f"Content-Type: {response.headers['Content-Type']}\r\n\r\n".encode()
    parts = [part.get_payload(decode=True) for part in message_from_bytes(head + body).walk()][1:]
    assert response.status == 206
    assert parts == [DATA[:10], DATA[600_000:600_100], DATA[-7:]]


async def test_a_range_outside_is_416_with_the_size(api: Api, etag: str) -> None:
    response, _ = await api.call("GET", URL, Range="bytes=99999999-")

    assert response.status == 416
    assert response.headers["Content-Range"] == f"bytes */{len(DATA)}"
    assert (await response.json())["code"] == "range-not-satisfiable"


async def test_if_range_with_a_stale_etag_gives_the_whole(api: Api, etag: str) -> None:
    fresh, _ = await api.call("GET", URL, Range="bytes=0-9", If_Range=etag)
    stale, _ = await api.call("GET", URL, Range="bytes=0-9", If_Range='"stale"')

    assert (fresh.status, stale.status) == (206, 200)


async def test_what_the_client_has_is_not_sent_again(api: Api, etag: str) -> None:
    response, body = await api.call("GET", URL, If_None_Match=etag)

    assert (response.status, body) == (304, b"")
    assert response.headers["ETag"] == etag


async def test_another_version_than_asked_for_is_412(api: Api, etag: str) -> None:
    response, _ = await api.call("GET", URL, If_Match='"other"')

    assert response.status == 412


async def test_an_empty_file_has_an_empty_body(api: Api) -> None:
    await api.put("empty", b"")

    response, body = await api.call("GET", "/v1/files/empty")

    assert (response.status, body, response.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    ("key", "disposition"),
    [
        ("a.txt", 'inline; filename="a.txt"'),
        ("a.svg", 'attachment; filename="a.svg"'),
        ("a.html", 'attachment; filename="a.html"'),
        ("naïve.txt", "inline; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
        ('a"b.txt', "inline; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt"),
        ("100%.txt", "inline; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
async def test_the_file_name_is_for_old_and_new_readers(
    api: Api, key: str, disposition: str
) -> None:
    url = (await api.put(key.replace("%", "%25"), b"x"))["url"]

    response, _ = await api.call("GET", url)

    assert response.headers["Content-Disposition"] == disposition


async def test_a_download_can_be_forced(api: Api) -> None:
    await api.put("a.txt", b"x")

    response, _ = await api.call("GET", "/v1/files/a.txt?download=1")

    assert response.headers["Content-Disposition"].startswith("attachment;")


async def test_a_strangers_file_gets_its_digest_when_it_is_wanted(api: Api) -> None:
    path = api.services.settings.data / "files/old"
    await asyncio.to_thread(path.write_bytes, DATA)

    plain, _ = await api.call("HEAD", "/v1/files/old")
    wanted, _ = await api.call("HEAD", "/v1/files/old", Want_Repr_Digest="sha-256=10")

    assert "Repr-Digest" not in plain.headers
    assert wanted.headers["Repr-Digest"] == sha256_field(DATA)


async def test_a_file_cut_short_while_it_is_sent_never_looks_complete(api: Api) -> None:
    path = api.services.settings.data / "files/shrinking"
    await asyncio.to_thread(path.write_bytes, b"")
    await asyncio.to_thread(lambda: os.truncate(path, 64 << 20))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/files/shrinking HTTP/1.1\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")

    await asyncio.to_thread(lambda: os.truncate(path, 1))
    try:
        body = await reader.read()
    except ConnectionResetError:
        body = b""

    assert b"Content-Length: 67108864" in head
    assert len(body) < 64 << 20
    writer.close()


async def test_a_slow_reader_is_given_up(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.3)
    path = api.services.settings.data / "files/big"
    await asyncio.to_thread(path.write_bytes, bytes(32 << 20))
    _, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=1024)
    writer.write(b"GET /v1/files/big HTTP/1.1\r\nHost: x\r\n\r\n")

    assert await eventually(lambda: api.services.traffic.transfers == 1)
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    writer.close()


async def test_a_reader_that_leaves_frees_its_transfer_at_once(api: Api) -> None:
    path = api.services.settings.data / "files/big"
    await asyncio.to_thread(path.write_bytes, bytes(32 << 20))
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /v1/files/big HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert api.services.traffic.transfers == 1

    writer.transport.abort()

    assert await eventually(lambda: api.services.traffic.transfers == 0)


async def test_nothing_there_is_404(api: Api) -> None:
    response, _ = await api.call("GET", "/v1/files/nothing")

    assert response.status == 404
    assert (await response.json())["code"] == "not-found"


async def test_a_deleted_file_is_gone(api: Api, etag: str) -> None:
    response, _ = await api.call("DELETE", URL)
    again, _ = await api.call("DELETE", URL)

    assert (response.status, again.status) == (204, 404)


async def test_a_delete_may_be_conditional(api: Api, etag: str) -> None:
    refused, _ = await api.call("DELETE", URL, If_Match='"other"')
    done, _ = await api.call("DELETE", URL, If_Match=etag)

    assert (refused.status, done.status) == (412, 204)


async def test_the_listing_comes_in_pages(api: Api) -> None:
    for number in range(5):
        await api.put(f"p/{number}", b"x")

    first, _ = await api.call("GET", "/v1/files?prefix=p/&limit=3")
    page = await first.json()
    second, _ = await api.call("GET", f"/v1/files?prefix=p/&limit=3&after={page['next']}")
    rest = await second.json()

    assert [file["key"] for file in page["files"] + rest["files"]] == [f"p/{n}" for n in range(5)]
    assert rest["next"] is None


async def test_the_listing_shows_folders(api: Api, etag: str) -> None:
    response, _ = await api.call("GET", "/v1/files?delimiter=/")

    assert await response.json() == {"files": [], "prefixes": ["docs/"], "next": None}


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=00010000", "limit=x", "delimiter=x", "prefix=/"]
)
async def test_a_listing_that_cannot_be_is_refused(api: Api, query: str) -> None:
    response, _ = await api.call("GET", f"/v1/files?{query}")

    assert response.status == 400


async def test_bytes_are_the_same_from_a_store_without_descriptors(start_api: StartApi) -> None:
    api = await start_api(store="memory://")
    await api.put("a", DATA)

    assert await api.get("/v1/files/a") == DATA
    assert await api.get("/v1/files/a", Range="bytes=10-1000000") == DATA[10:1000001]
    assert hashlib.sha256(DATA).hexdigest() == (await api.put("b", DATA))["sha256"]


async def test_a_cold_file_comes_from_the_disk_byte_for_byte(api: Api) -> None:
    await api.put("cold", DATA)

    def evict() -> None:
        with (api.services.settings.data / "files/cold").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    await asyncio.to_thread(evict)

    assert await api.get("/v1/files/cold") == DATA
