"""What a relay does not keep goes through it, each caller's answer by itself."""

import asyncio
import os
from base64 import b64encode

import aiohttp

from tests.faults import Source, chunked, status
from tests.relay.conftest import Caller, StartRelay
from tests.serving import RunningServer

KEY = "/v1/files/x"
TUS = {"Tus-Resumable": "1.0.0"}


async def test_an_upload_is_followed_through_the_relay(
    server: RunningServer, start_relay: StartRelay
) -> None:
    relay, content = await start_relay(server.url), os.urandom(200_000)
    async with aiohttp.ClientSession(server.url, headers=TUS) as session:
        path = await create(session, "followed.bin", len(content))
        await patch(session, path, content, 0, 100_000)

        async with relay.session.get("/v1/files/followed.bin?follow") as response:
            first = await response.content.readexactly(90_000)
            await patch(session, path, content, 100_000, len(content))
            rest = await response.read()

    assert response.headers["Follow-Id"]
    assert first + rest == content


async def test_an_upload_that_pauses_is_followed_for_longer_than_the_timeout(
    server: RunningServer, start_relay: StartRelay
) -> None:
    timeout = 0.3
    relay, content = await start_relay(server.url, timeout=timeout), os.urandom(2000)
    async with aiohttp.ClientSession(server.url, headers=TUS) as session:
        path = await create(session, "pausing.bin", len(content))
        await patch(session, path, content, 0, 1000)

        async with relay.session.get("/v1/files/pausing.bin?follow") as response:
            first = await response.content.readexactly(1000)
            await asyncio.sleep(4 * timeout)  # the pause
            await patch(session, path, content, 1000, 2000)
            rest = await response.read()

    assert first + rest == content


async def create(session: aiohttp.ClientSession, key: str, length: int) -> str:
    metadata = f"filename {b64encode(key.encode()).decode()}"
    fields = {"Upload-Length": str(length), "Upload-Metadata": metadata}
    async with session.post("/v1/uploads", headers=fields) as created:
        assert created.status == 201
        return "/v1/" + created.headers["Location"].partition("/v1/")[2]


async def patch(
    session: aiohttp.ClientSession, path: str, content: bytes, start: int, stop: int
) -> None:
    fields = {"Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
    async with session.patch(path, headers=fields, data=content[start:stop]) as done:
        assert done.headers["Upload-Offset"] == str(stop)


async def test_a_body_of_unknown_length_comes_in_chunks(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, b"hello" * 1000, etag='"v1"', always=chunked())

    response, body = await relay.call(KEY)
    head, _ = await relay.call(KEY, "HEAD")

    assert body == b"hello" * 1000
    assert "Content-Length" not in response.headers
    assert head.status == 200


async def test_a_body_of_unknown_length_is_not_for_old_clients(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, b"hello", etag='"v1"', always=chunked())

    assert (await old_get(relay)).startswith(b"HTTP/1.0 505 ")


async def old_get(relay: Caller) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(f"GET {KEY} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_an_error_of_the_upstream_is_passed_on_without_its_address(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    source.serve(KEY, b"hello", faults=[status(429, Retry_After="7")])

    response, body = await relay.call(KEY)

    assert response.status == 503
    assert response.headers["Retry-After"] == "7"
    assert source.url.encode() not in body
