"""What tests say to a server in the IETF draft, on a socket, so that interim responses are seen."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from multidict import CIMultiDict

from tests.server.conftest import Api

VERSION = "8"
OCTETS = "application/partial-upload"
DATA = bytes(range(256)) * 1000
PATIENCE = 30.0


@dataclass
class Head:
    """The status and fields of one response."""

    status: int
    headers: CIMultiDict[str]


@dataclass
class Answer(Head):
    """A final response, and the interim ones before it."""

    body: bytes = b""
    interim: list[Head] = field(default_factory=list)

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def offset(self) -> int:
        return int(self.headers["Upload-Offset"])


class Talk:
    """One connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def begin(
        self, method: str, path: str, data: bytes = b"", /, http: str = "1.1", **headers: str
    ) -> None:
        """The head of a request and the first bytes of its body; names with underscores."""
        fields = {"Host": "x", **{name.replace("_", "-"): v for name, v in headers.items()}}
        lines = [f"{method} {path} HTTP/{http}", *(f"{n}: {v}" for n, v in fields.items())]
        await self.send("\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + data)

    async def head(self) -> Head:
        """The next response's head, interim or final."""
        async with asyncio.timeout(PATIENCE):
            text = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = text.split("\r\n")[:-2]
        headers: CIMultiDict[str] = CIMultiDict()
        for line in lines:
            name, _, value = line.partition(": ")
            headers.add(name, value)
        return Head(int(first.split()[1]), headers)

    async def answer(self, method: str) -> Answer:
        """The final response with its body, and the interim ones before it."""
        interim = []
        while (head := await self.head()).status < 200:
            interim.append(head)
        body = b""
        if method != "HEAD" and head.status != 204:
            async with asyncio.timeout(PATIENCE):
                body = await self._reader.readexactly(int(head.headers["Content-Length"]))
        return Answer(head.status, head.headers, body, interim)

    def cut(self) -> None:
        """Break off, as a client does that loses its network."""
        self._writer.transport.abort()


@asynccontextmanager
async def talk(port: int) -> AsyncIterator[Talk]:
    """A connection that is cut at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    conversation = Talk(reader, writer)
    try:
        yield conversation
    finally:
        conversation.cut()


async def ask(port: int, method: str, path: str, data: bytes = b"", /, **headers: str) -> Answer:
    """One request on a connection of its own; header names are written with underscores."""
    length = {"Content_Length": str(len(data))} if "Transfer_Encoding" not in headers else {}
    async with talk(port) as conversation:
        await conversation.begin(method, path, data, **{**length, **headers})
        return await conversation.answer(method)


async def put(port: int, key: str, data: bytes = b"", /, **headers: str) -> Answer:
    """An upload that is begun at the file itself."""
    return await ask(port, "PUT", f"/v1/files/{quote(key)}", data, **headers)


async def post(port: int, data: bytes = b"", name: str = "file.bin", /, **headers: str) -> Answer:
    """An upload that is begun at ``/v1/uploads``."""
    named = {"Content_Disposition": f'inline; filename="{name}"'} if name else {}
    return await ask(port, "POST", "/v1/uploads", data, **{**named, **headers})


async def begin(port: int, data: bytes = b"", key: str = "file.bin", /, **headers: str) -> str:
    """An upload with its first bytes; answers its path."""
    answer = await put(port, key, data, **{"Upload_Complete": "?0", **headers})
    assert answer.status == 201
    return answer.headers["Location"]


async def patch(
    port: int, url: str, offset: int, data: bytes = b"", complete: str = "?0", /, **headers: str
) -> Answer:
    """The bytes from ``offset`` on."""
    fields = {
        "Content_Type": OCTETS,
        "Upload_Offset": str(offset),
        "Upload_Complete": complete,
        **headers,
    }
    return await ask(port, "PATCH", url, data, **fields)


async def look(port: int, url: str, **headers: str) -> Answer:
    """``HEAD`` of an upload."""
    return await ask(port, "HEAD", url, **headers)


def digest(data: bytes) -> str:
    """``Repr-Digest`` and ``Content-Digest``."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def chunked(data: bytes, *, ended: bool = True) -> bytes:
    """A body in one chunk, perhaps without the last chunk that ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data) + (b"0\r\n\r\n" if ended else b"")


def limits(answer: Head) -> dict[str, int]:
    """``Upload-Limit``."""
    members = [member.split("=") for member in answer.headers["Upload-Limit"].split(", ")]
    return {name: int(value) for name, value in members}


def files_of(api: Api, url: str) -> list[Path]:
    """The files that hold the bytes of an upload."""
    found = api.services.settings.data.rglob(f"{url.rpartition('/')[2]}*")
    return [path for path in found if path.stat().st_size]


def kept(api: Api, url: str) -> int:
    """Bytes of an upload that are on the disk, counted or not."""
    return sum(path.stat().st_size for path in files_of(api, url))
