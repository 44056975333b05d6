"""``POST /upload`` answers as the file service of s3testcase does, but for its faults."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import pytest

from penstock.server.compat import file_service
from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.programs import curl
from tests.server.test_put import sha256_field, stored

DATA = random.Random(6).randbytes(900_000)
LONG = "a/" * 250 + "b" * 13  # 513 characters


async def upload(
    api: Api, name: str, data: object = DATA, **headers: str
) -> tuple[aiohttp.ClientResponse, bytes]:
    return await api.call("POST", "/upload", data, X_File_Name=name, **headers)


async def test_curl_uploads_a_file(api: Api) -> None:
    head, body = await curl(
        "--data-binary", "@-", "-H", "X-File-Name: docs/a b.bin", "-H", "Content-Type: video/mp4",
        f"http://127.0.0.1:{api.port}/upload", stdin=DATA,
    )  # fmt: skip

    served, data = await api.call("GET", "/v1/files/docs/a%20b.bin")
    assert head.startswith("HTTP/1.1 200 ")
    assert "\nContent-Length: 0\n" in head
    assert body == b""
    assert data == DATA
    assert served.headers["Content-Type"] == "video/mp4"


async def test_the_answer_tells_where_it_is_and_what_to_verify(api: Api) -> None:
    response, _ = await upload(api, "docs/a b.bin")

    served, _ = await api.call("HEAD", "/v1/files/docs/a%20b.bin")
    assert response.headers["Location"] == "/v1/files/docs/a%20b.bin"
    assert response.headers["ETag"] == served.headers["ETag"]
    assert response.headers["Repr-Digest"] == sha256_field(DATA)


async def test_a_body_of_no_bytes_is_a_file_of_no_bytes(api: Api) -> None:
    response, _ = await upload(api, "empty", b"")

    assert response.status == 200
    assert await api.get("/v1/files/empty") == b""


async def test_the_same_name_again_is_a_new_version(api: Api) -> None:
    await upload(api, "a", b"old")

    response, _ = await upload(api, "a", b"new")

    assert response.status == 200
    assert await api.get("/v1/files/a") == b"new"


@pytest.mark.parametrize(
    ("octets", "name"),
    [
        ("Отчёт/жук.txt".encode(), "Отчёт/жук.txt"),
        ("Отчёт/жук.txt".encode("cp1251"), "Отчёт/жук.txt"),
        ("漢字 ü".encode(), "漢字 ü"),
        (b"100%.txt", "100%.txt"),
        (b"a%20b+c.txt", "a%20b+c.txt"),
    ],
)
async def test_a_name_is_utf8_or_windows_1251_and_never_decoded_further(
    api: Api, octets: bytes, name: str
) -> None:
    head, _ = await curl(
        "--data-binary", "x", "-H", b"X-File-Name: " + octets,
        f"http://127.0.0.1:{api.port}/upload",
    )  # fmt: skip

    assert head.startswith("HTTP/1.1 200 ")
    assert f"\nLocation: /v1/files/{quote(name)}\n" in head
    assert await stored(api) == [name]


async def pieces() -> AsyncIterator[bytes]:
    yield b"of unknown length"


NO_NAME = "Missing X-File-Name header or filename is empty"
TOO_LONG = "Filename too long"
UNSAFE = "Filename is not URL safety"
NO_LENGTH = "Request content size is not set"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", NO_NAME),
        (LONG, TOO_LONG),
        ("a" * 256, TOO_LONG),
        ("ж/" * 255 + "ж" * 200, TOO_LONG),
        ("../a", UNSAFE),
        ("/etc/passwd", UNSAFE),
        ("a//b", UNSAFE),
        ("a/", UNSAFE),
        (".penstock/tmp/a", UNSAFE),
        ("a", NO_LENGTH),
    ],
)
async def test_what_is_wrong_is_told_in_the_services_words_and_order(
    api: Api, name: str, reason: str
) -> None:
    # The body has no length either, which is what is checked last.
    response, body = await upload(api, name, pieces())

    assert response.status == 400
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert body.decode() == f"{reason}\n"
    assert await stored(api) == []


async def test_a_request_without_a_name_is_refused(api: Api) -> None:
    response, body = await api.call("POST", "/upload", b"x")

    assert response.status == 400
    assert body.decode() == f"{NO_NAME}\n"


async def test_512_characters_are_not_too_long(api: Api) -> None:
    response, _ = await upload(api, LONG[:512], b"x")

    assert response.status == 200


async def announce(
    api: Api, length: int, body: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin an upload of ``length`` bytes with the first of them."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"POST /upload HTTP/1.1\r\nHost: x\r\nX-File-Name: a\r\nContent-Length: {length}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return reader, writer


async def test_more_than_10_gib_are_refused_at_once(api: Api) -> None:
    reader, writer = await announce(api, file_service.MAX_UPLOAD + 1)

    answer = (await reader.readuntil(b"large\n")).decode()

    assert answer.startswith("HTTP/1.1 413 ")
    assert "\r\nConnection: close\r\n" in answer
    assert answer.endswith("\r\n\r\nRequest body too large\n")
    writer.close()


async def test_as_many_bytes_as_allowed_are_taken(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_service, "MAX_UPLOAD", 1000)

    fits, _ = await upload(api, "fits", bytes(1000))
    over, _ = await upload(api, "over", bytes(1001))

    assert (fits.status, over.status) == (200, 413)
    assert await stored(api) == ["fits"]


async def test_the_servers_own_limit_counts_too(start_api: StartApi) -> None:
    api = await start_api(max_body="10KiB")

    response, body = await upload(api, "a", io.BytesIO(DATA))

    assert response.status == 413
    assert body == b"Request body too large\n"
    assert await stored(api) == []


async def test_a_body_that_stalls_is_ended_and_leaves_nothing(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.2)
    reader, writer = await announce(api, 1000, b"half")

    answer = await reader.readuntil(b"stored\n")

    tmp = api.services.settings.data / "files/.penstock/tmp"
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert await stored(api) == []
    assert await eventually(lambda: not any(tmp.iterdir()))
    writer.close()


async def test_an_upload_cut_by_the_client_leaves_what_was_there(api: Api) -> None:
    await upload(api, "a", b"old")
    _, writer = await announce(api, 1000, b"half")
    tmp = api.services.settings.data / "files/.penstock/tmp"
    assert await eventually(lambda: any(tmp.iterdir()))

    writer.close()
    await writer.wait_closed()

    assert await eventually(lambda: not any(tmp.iterdir()))
    assert await api.get("/v1/files/a") == b"old"


async def test_a_folder_stands_where_the_file_should_go(api: Api) -> None:
    await upload(api, "a/b", b"x")

    response, body = await upload(api, "a", b"x")

    assert response.status == 409
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert b"folder" in body


async def test_a_body_that_is_not_the_announced_one_is_refused(api: Api) -> None:
    response, _ = await upload(api, "a", b"other", Repr_Digest=sha256_field(DATA))

    assert response.status == 400
    assert await stored(api) == []


async def test_a_condition_is_kept(api: Api) -> None:
    await upload(api, "a", b"old")

    response, _ = await upload(api, "a", b"new", If_None_Match="*")

    assert response.status == 412
    assert await api.get("/v1/files/a") == b"old"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_only_post_uploads(api: Api, method: str) -> None:
    response, _ = await api.call(method, "/upload", X_File_Name="a")

    assert response.status == 405
    assert response.headers["Allow"] == "POST"
