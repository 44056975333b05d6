"""``/upload`` and ``/files`` answer as the file service of s3testcase does, but for its faults."""

import asyncio
import io
import random
from collections.abc import AsyncIterator
from urllib.parse import quote

import aiohttp
import pytest

from penstock.errors import Busy
from penstock.server.compat import file_service
from penstock.stores import LocalStore
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


async def speak(api: Api, *lines: str, body: bytes = b"") -> tuple[str, bytes]:
    """The answer to a request of these very lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
    answer = await reader.read()
    writer.close()
    told, _, came = answer.partition(b"\r\n\r\n")
    return told.decode(), came


async def fetch(api: Api, target: str) -> tuple[str, bytes]:
    """``GET /files/`` and ``target`` to the letter, as no client would mend it."""
    return await speak(api, f"GET /files/{target} HTTP/1.1", "Host: x")


async def test_the_services_own_client_gets_what_it_expects(api: Api) -> None:
    """The requests that it sends, to the letter."""
    data = random.Random(4).randbytes(5_000_003)
    common = ("Host: 127.0.0.1:8100", "User-Agent: Go-http-client/1.1")

    put, nothing = await speak(
        api, "POST /upload HTTP/1.1", *common, f"Content-Length: {len(data)}",
        "Content-Type: application/octet-stream", "X-File-Name: a v1+.mp4",
        "Accept-Encoding: gzip", body=data,
    )  # fmt: skip
    got, came = await speak(
        api, "GET /files/a+v1%2B.mp4 HTTP/1.1", *common, "Accept-Encoding: gzip"
    )

    assert put.startswith("HTTP/1.1 200 ")
    assert "\r\nContent-Length: 0\r\n" in put
    assert nothing == b""
    assert got.startswith("HTTP/1.1 200 ")
    assert "\r\nContent-Length: 5000003\r\n" in got
    assert "\r\nContent-Type: application/octet-stream\r\n" in got
    assert "Content-Encoding" not in got
    assert came == data


async def test_curl_downloads_what_was_uploaded(api: Api) -> None:
    await upload(api, "v1.mp4", Content_Type="video/mp4")

    head, body = await curl(f"http://127.0.0.1:{api.port}/files/v1.mp4")

    assert head.startswith("HTTP/1.1 200 ")
    assert f"\nContent-Length: {len(DATA)}\n" in head
    assert "\nContent-Type: video/mp4\n" in head
    assert '\nContent-Disposition: attachment; filename="v1.mp4"\n' in head
    assert f"\nRepr-Digest: {sha256_field(DATA)}\n" in head
    assert body == DATA


async def test_a_download_without_a_known_type_is_octets(api: Api) -> None:
    await upload(api, "noise")

    response, _ = await api.call("GET", "/files/noise")

    assert response.headers["Content-Type"] == "application/octet-stream"


async def test_a_download_is_never_coded(api: Api) -> None:
    text = b"the same line again\n" * 5000
    await upload(api, "a.txt", text)

    response, body = await api.call("GET", "/files/a.txt", Accept_Encoding="gzip")

    assert "Content-Encoding" not in response.headers
    assert response.headers["Content-Length"] == str(len(text))
    assert body == text


async def test_a_file_of_no_bytes_comes_back(api: Api) -> None:
    await upload(api, "empty", b"")

    response, body = await api.call("GET", "/files/empty")

    assert (response.status, response.headers["Content-Length"], body) == (200, "0", b"")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("docs/a.bin", "docs/a.bin"),
        ("docs/a.bin", "docs%2Fa.bin"),
        ("a b.txt", "a%20b.txt"),
        ("a b.txt", "a+b.txt"),
        ("a+b.txt", "a%2Bb.txt"),
        ("a+b.txt", "a+b.txt"),
        ("a+b c.txt", "a%2Bb+c.txt"),
        ("100%.txt", "100%25.txt"),
        ("100%.txt", "100%.txt"),
        ("50%zz", "50%zz"),
        ("a%20b.txt", "a%2520b.txt"),
        ('say "hi".txt', "say%20%22hi%22.txt"),
        ("Отчёт/жук.txt", quote("Отчёт/жук.txt", safe="")),
        ("Отчёт/жук.txt", quote("Отчёт/жук.txt".encode("cp1251"))),
        ("Отчёт жук.txt", quote("Отчёт жук.txt".encode("cp1251")).replace("%20", "+")),
        ("a?b#c.txt", "a%3Fb%23c.txt"),
    ],
)
async def test_a_name_is_found_however_it_is_written(api: Api, name: str, target: str) -> None:
    await api.put(quote(name, safe=""), name.encode())

    head, body = await fetch(api, target)

    assert head.startswith("HTTP/1.1 200 ")
    assert body == name.encode()


async def test_a_plus_is_a_plus_before_it_is_a_space(api: Api) -> None:
    await api.put("a%2Bb", b"plus")
    await api.put("a%20b", b"space")

    assert await api.get("/files/a+b") == b"plus"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("docs/a.txt", 'attachment; filename="a.txt"'),
        ('a"b\\.txt', "attachment; filename=\"a_b_.txt\"; filename*=UTF-8''a%22b%5C.txt"),
        ("жук.txt", "attachment; filename=\"___.txt\"; filename*=UTF-8''%D0%B6%D1%83%D0%BA.txt"),
        ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
    ],
)
async def test_no_name_breaks_the_field_that_tells_it(api: Api, name: str, field: str) -> None:
    await api.put(quote(name, safe=""), b"x")

    response, _ = await api.call("GET", f"/files/{quote(name)}")

    assert response.headers["Content-Disposition"] == field


async def test_head_and_ranges_and_conditions_work_too(api: Api) -> None:
    await upload(api, "a")
    path = "/files/a"

    head, nothing = await api.call("HEAD", path)
    part, bytes_of_it = await api.call("GET", path, Range="bytes=100-299")
    known, _ = await api.call("GET", path, If_None_Match=head.headers["ETag"])
    other, _ = await api.call("GET", path, If_Match='"other"')
    beyond, _ = await api.call("GET", path, Range="bytes=9000000-")

    assert (head.status, head.headers["Content-Length"], nothing) == (200, str(len(DATA)), b"")
    assert (part.status, bytes_of_it) == (206, DATA[100:300])
    assert part.headers["Content-Range"] == f"bytes 100-299/{len(DATA)}"
    assert (known.status, other.status, beyond.status) == (304, 412, 416)
    assert beyond.headers["Content-Range"] == f"bytes */{len(DATA)}"


async def test_a_digest_that_is_not_known_is_worked_out_for_who_wants_it(
    start_api: StartApi,
) -> None:
    api = await start_api(sha256=False)
    await upload(api, "a")

    unknown, _ = await api.call("HEAD", "/files/a")
    wanted, _ = await api.call("HEAD", "/files/a", Want_Repr_Digest="sha-256=10")

    assert "Repr-Digest" not in unknown.headers
    assert wanted.headers["Repr-Digest"] == sha256_field(DATA)


@pytest.mark.parametrize(
    "target", ["missing", "a/b", "", "..%2Fa", "a%2F%2Fb", "%00", "a%0Ab", ".penstock/tmp/a"]
)
async def test_what_is_not_there_is_404_without_a_body(api: Api, target: str) -> None:
    await upload(api, "a")

    head, body = await fetch(api, target)

    assert head.startswith("HTTP/1.1 404 ")
    assert "\r\nContent-Length: 0\r\n" in head
    assert body == b""


async def test_a_name_of_no_encoding_is_told(api: Api) -> None:
    head, body = await fetch(api, "%98")  # neither UTF-8 nor Windows-1251

    assert head.startswith("HTTP/1.1 400 ")
    assert "\r\nContent-Type: text/plain; charset=utf-8\r\n" in head
    assert body == b"bad encoding of filename\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_405_without_a_body(api: Api, method: str) -> None:
    await upload(api, "a")

    response, body = await api.call(method, "/files/a")

    assert (response.status, body) == (405, b"")
    assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD"}


def _cannot(*arguments: object, **options: object) -> None:
    raise Busy("3 of 6 storage nodes are live; start the others", retry_after=5)


@pytest.mark.parametrize(("method", "path"), [("POST", "/upload"), ("GET", "/files/a")])
async def test_a_store_that_cannot_is_503_with_its_reason(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    for ability in ("write", "open_cached"):
        monkeypatch.setattr(LocalStore, ability, _cannot)

    response, body = await api.call(method, path, X_File_Name="a")

    assert response.status == 503
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Retry-After"] == "5"
    assert body == b"3 of 6 storage nodes are live; start the others\n"


async def test_who_accepts_problems_by_name_gets_them(api: Api) -> None:
    accept = {"Accept": "application/problem+json"}

    missing, _ = await api.call("GET", "/files/a", **accept)
    wrong, _ = await upload(api, "a", b"other", Repr_Digest=sha256_field(DATA), **accept)

    assert (missing.status, (await missing.json())["code"]) == (404, "not-found")
    assert (wrong.status, (await wrong.json())["code"]) == (400, "digest-mismatch")
