"""PUT /v1/files/{key}."""

import asyncio
import base64
import hashlib
import zlib
from collections.abc import AsyncIterator

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi

DATA = bytes(range(256)) * 4000


def sha256_field(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


async def stored(api: Api) -> list[str]:
    return [info.key for info in (await api.services.store.list()).files]


async def test_a_new_file_is_created_and_described(api: Api) -> None:
    response, _ = await api.call("PUT", "/v1/files/a/b%20c.bin", DATA, Content_Type="image/png")

    document = await response.json()
    assert response.status == 201
    assert document["key"] == "a/b c.bin"
    assert document["size"] == len(DATA)
    assert document["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert document["crc32"] == f"{zlib.crc32(DATA):08x}"
    assert document["content_type"] == "image/png"
    assert document["etag"] == response.headers["ETag"]
    assert document["url"] == response.headers["Location"] == "/v1/files/a/b%20c.bin"
    assert await api.get(document["url"]) == DATA


async def test_replacing_answers_200(api: Api) -> None:
    await api.put("a", b"old")

    response, _ = await api.call("PUT", "/v1/files/a", b"new")

    assert response.status == 200
    assert await api.get("/v1/files/a") == b"new"


async def test_a_chunked_body_is_stored(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(DATA), 10_000):
            yield DATA[at : at + 10_000]

    response, _ = await api.call("PUT", "/v1/files/a", pieces())

    assert response.status == 201
    assert await api.get("/v1/files/a") == DATA


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a%2Fb", "a/b"),
        ("100%25.txt", "100%.txt"),
        ("a+b", "a+b"),
        ("%E6%97%A5%E6%9C%AC", "日本"),
        ("%22quoted%22", '"quoted"'),
        ("a%3Fb%23c", "a?b#c"),
    ],
)
async def test_percent_encoded_keys_are_decoded_once(api: Api, path: str, key: str) -> None:
    assert await raw_put(api, f"/v1/files/{path}") == 201
    assert await stored(api) == [key]


@pytest.mark.parametrize(
    "path", ["", "../x", "a/../b", "%2e%2e/x", "a//b", "a/", "%00", "a%0Ab", "%FF", "a%2F%2Fb"]
)
async def test_a_bad_key_is_refused_with_a_problem(api: Api, path: str) -> None:
    assert await raw_put(api, f"/v1/files/{path}") == 400
    assert await stored(api) == []


async def raw_put(api: Api, path: str) -> int:
    """A PUT whose path no client library tidies up; answers the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    head = f"PUT {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
    writer.write(head.encode() + b"x")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1])


async def test_create_only_refuses_to_replace(api: Api) -> None:
    await api.put("a", b"old")

    response, _ = await api.call("PUT", "/v1/files/a", b"new", If_None_Match="*")

    assert response.status == 412
    assert (await response.json())["code"] == "precondition-failed"
    assert await api.get("/v1/files/a") == b"old"


async def test_if_match_replaces_the_version_it_names(api: Api) -> None:
    etag = (await api.put("a", b"1"))["etag"]

    first, _ = await api.call("PUT", "/v1/files/a", b"2", If_Match=etag)
    second, _ = await api.call("PUT", "/v1/files/a", b"3", If_Match=etag)

    assert (first.status, second.status) == (200, 412)


@pytest.mark.parametrize("field", ["Content_Digest", "Repr_Digest"])
async def test_an_announced_digest_is_verified(api: Api, field: str) -> None:
    good, _ = await api.call("PUT", "/v1/files/good", DATA, **{field: sha256_field(DATA)})
    bad, _ = await api.call("PUT", "/v1/files/bad", DATA, **{field: sha256_field(b"other")})

    assert (good.status, bad.status) == (201, 400)
    assert (await bad.json())["code"] == "digest-mismatch"
    assert await stored(api) == ["good"]


async def test_a_content_coding_is_refused(api: Api) -> None:
    response, _ = await api.call("PUT", "/v1/files/a", b"x", Content_Encoding="gzip")

    assert response.status == 415
    assert response.headers["Accept-Encoding"] == "identity"


async def test_a_part_of_a_file_is_refused(api: Api) -> None:
    response, _ = await api.call("PUT", "/v1/files/a", b"x", Content_Range="bytes 0-0/2")

    assert response.status == 400


@pytest.mark.parametrize(
    ("given", "served"),
    [
        ("application/x-www-form-urlencoded", "text/plain"),
        ("application/octet-stream", "text/plain"),
        ("text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("nonsense", "text/plain"),
    ],
)
async def test_the_content_type_is_kept_or_guessed(api: Api, given: str, served: str) -> None:
    document = await api.put("a.txt", b"x", Content_Type=given)

    assert document["content_type"] == served


async def test_an_announced_body_over_the_limit_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")

    response, _ = await api.call("PUT", "/v1/files/a", bytes(1025))

    assert response.status == 413
    assert (await response.json())["code"] == "too-large"


async def test_a_chunked_body_over_the_limit_is_cut_off(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")

    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(800)
        yield bytes(800)

    response, _ = await api.call("PUT", "/v1/files/a", pieces())

    assert response.status == 413
    assert await stored(api) == []


async def test_more_transfers_than_allowed_are_told_to_come_back(start_api: StartApi) -> None:
    api = await start_api(max_transfers=1)
    api.services.traffic.transfers = 1

    response, _ = await api.call("PUT", "/v1/files/a", b"x")
    api.services.traffic.transfers = 0

    assert response.status == 503
    assert response.headers["Retry-After"] == "1"


async def test_a_stalled_upload_is_ended(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"PUT /v1/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")

    answer = await reader.readuntil(b"\r\n")

    assert b" 408 " in answer
    assert await stored(api) == []
    writer.close()


async def test_a_small_upload_cut_by_the_client_leaves_nothing(api: Api) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"PUT /v1/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n")
    writer.write(bytes(3_000_000))
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    tmp = api.services.settings.data / "files/.penstock/tmp"

    assert await eventually(lambda: api.services.traffic.transfers == 0)
    assert await eventually(lambda: not any(tmp.iterdir()))
    assert await stored(api) == []
    assert await api.services.uploads.open_for("a") == []


async def test_a_refused_upload_never_sends_its_body(api: Api) -> None:
    await api.put("a", b"old")
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        b"PUT /v1/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        b"Expect: 100-continue\r\nIf-None-Match: *\r\n\r\n"
    )

    assert b" 412 " in await reader.readuntil(b"\r\n")
    writer.close()


async def test_an_accepted_upload_is_told_to_continue(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(
        b"PUT /v1/files/a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    )

    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"body")
    assert b" 201 " in await reader.readuntil(b"\r\n")
    writer.close()


async def test_an_unknown_expectation_fails(api: Api) -> None:
    response, _ = await api.call("PUT", "/v1/files/a", b"x", Expect="a-miracle")

    assert response.status == 417


async def test_sha256_can_be_switched_off(start_api: StartApi) -> None:
    api = await start_api(sha256=False)

    document = await api.put("a", b"x")

    assert document["sha256"] is None
    assert document["crc32"] == f"{zlib.crc32(b'x'):08x}"


async def test_an_announced_digest_is_verified_even_then(start_api: StartApi) -> None:
    api = await start_api(sha256=False)

    response, _ = await api.call("PUT", "/v1/files/a", b"x", Content_Digest=sha256_field(b"x"))

    assert response.status == 201
