"""What tests say to a server in tus 1.0."""

import asyncio
import base64
import hashlib
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tests.eventually import eventually
from tests.server.conftest import Api

VERSION = "1.0.0"
OCTETS = "application/offset+octet-stream"
_LARGE = 1 << 20
DATA = bytes(range(256)) * 1000


def metadata(**pairs: str | bytes) -> str:
    """``Upload-Metadata``; underscores in keys stand for hyphens."""
    encoded = {
        name.replace("_", "-"): base64.b64encode(
            value.encode() if isinstance(value, str) else value
        ).decode()
        for name, value in pairs.items()
    }
    return ",".join(f"{name} {value}" for name, value in encoded.items())


def checksum(algorithm: str, digest: bytes) -> str:
    """``Upload-Checksum``."""
    return f"{algorithm} {base64.b64encode(digest).decode()}"


def sha1(data: bytes) -> str:
    """``Upload-Checksum`` by SHA-1."""
    return checksum("sha1", hashlib.sha1(data).digest())


def sha256_field(data: bytes) -> str:
    """``Repr-Digest``."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


async def ask(
    api: Api, method: str, path: str, data: Any = None, **headers: str
) -> aiohttp.ClientResponse:
    """A request of tus; header names are written with underscores."""
    response, _ = await api.call(method, path, data, **{"Tus_Resumable": VERSION, **headers})
    return response


async def create(api: Api, data: bytes | None = None, /, **headers: str) -> aiohttp.ClientResponse:
    """``POST /v1/uploads``, with the first bytes if there are ``data``."""
    if data is not None:
        headers = {"Content_Type": OCTETS, **headers}
    return await ask(api, "POST", "/v1/uploads", data, **headers)


async def begin(api: Api, length: int | None, key: str = "file.bin", **headers: str) -> str:
    """An upload of so many bytes, ``None`` for later; answers its path."""
    size = {"Upload_Defer_Length": "1"} if length is None else {"Upload_Length": str(length)}
    named = {"Upload_Metadata": metadata(filename=key)} if key else {}
    response = await create(api, **{**size, **named, **headers})
    assert response.status == 201
    return response.headers["Location"]


async def begin_part(api: Api, data: bytes, *, complete: bool = True) -> str:
    """A partial upload of ``data``, of which nothing is there unless it is ``complete``."""
    url = await begin(api, len(data), "", Upload_Concat="partial")
    if complete:
        assert (await patch(api, url, 0, data)).status == 204
    return url


async def patch(
    api: Api, url: str, offset: int, data: Any = b"", **headers: str
) -> aiohttp.ClientResponse:
    """``PATCH`` with the bytes from ``offset`` on."""
    if isinstance(data, bytes) and len(data) > _LARGE:
        data = io.BytesIO(data)
    fields = {"Content_Type": OCTETS, "Upload_Offset": str(offset), **headers}
    return await ask(api, "PATCH", url, data, **fields)


async def head(api: Api, url: str, **headers: str) -> aiohttp.ClientResponse:
    """``HEAD``."""
    return await ask(api, "HEAD", url, **headers)


async def offset_of(api: Api, url: str) -> int:
    """The offset that a ``HEAD`` tells."""
    response = await head(api, url)
    assert response.status == 200
    return int(response.headers["Upload-Offset"])


async def code_of(response: aiohttp.ClientResponse) -> str:
    """The ``code`` of a problem."""
    document: dict[str, str] = await response.json()
    return document["code"]


async def stored(api: Api, key: str = "file.bin") -> bytes | None:
    """The file at a key, ``None`` if there is none."""
    response, body = await api.call("GET", f"/v1/files/{key}")
    return body if response.status == 200 else None


async def becomes(api: Api, data: bytes, key: str = "file.bin") -> bool:
    """Whether the file at a key has these bytes within some seconds."""
    for _ in range(200):
        if await stored(api, key) == data:
            return True
        await asyncio.sleep(0.05)
    return False


async def arrived(api: Api, count: int) -> None:
    """Until so many bytes of the one upload that is under way have come in."""
    held = api.services.uploads._holding._held
    assert await eventually(lambda: sum(session.offset for session in held.values()) == count)


async def let_go(api: Api) -> None:
    """Until no upload is under way any more."""
    assert await eventually(lambda: not api.services.uploads._holding._held)


@asynccontextmanager
async def half_sent(
    port: int, head: str, body: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A request of which the head and some of the body are sent; ``head`` lacks its last lines."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{head}\r\nHost: x\r\nTus-Resumable: {VERSION}\r\n\r\n".encode() + body)
        await writer.drain()
        yield reader, writer
    finally:
        writer.transport.abort()


def patch_head(url: str, offset: int, length: int, *more: str) -> str:
    """The head of a ``PATCH`` that announces ``length`` bytes."""
    lines = [
        f"PATCH {url} HTTP/1.1",
        f"Content-Type: {OCTETS}",
        f"Upload-Offset: {offset}",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join(lines)


async def status_of(reader: asyncio.StreamReader) -> int:
    """The status in the answer's first line."""
    async with asyncio.timeout(30):
        line = await reader.readline()
    return int(line.split()[1])
