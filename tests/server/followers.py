"""Readers of a file that is still arriving, and writers that take their time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

PATIENCE = 60.0
_PIECE = 256 << 10


@dataclass
class Follower:
    """A ``GET`` whose head has come; what came of its body is in ``body``."""

    response: aiohttp.ClientResponse
    body: bytearray = field(default_factory=bytearray)

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Any:
        return self.response.headers

    @property
    def name(self) -> str:
        """What the upload is called by its readers."""
        name: str = self.headers["Follow-Id"]
        return name

    async def has(self, count: int) -> bytes:
        """Read until so many bytes are there; answers all that are."""
        while len(self.body) < count:
            assert await self._read(), "it ended early"
        return bytes(self.body)

    async def end(self) -> bytes:
        """Read to the end, which must be a good one; answers all that came."""
        while await self._read():
            pass
        return bytes(self.body)

    async def cut(self) -> bytes:
        """Read until the connection is cut; answers what came before."""
        with pytest.raises(aiohttp.ClientError):
            await self.end()
        return bytes(self.body)

    async def digest(self) -> tuple[int, str]:
        """Size and SHA-256 of what comes to a good end; nothing of it is kept."""
        size, sha256 = 0, hashlib.sha256()
        while data := await asyncio.wait_for(self.response.content.read(_PIECE), PATIENCE):
            sha256.update(data)
            size += len(data)
        return size, sha256.hexdigest()

    async def _read(self) -> bytes:
        data = await asyncio.wait_for(self.response.content.readany(), PATIENCE)
        self.body += data
        return data


@asynccontextmanager
async def follow(
    port: int, key: str = "file.bin", query: str = "follow", folder: str = "", **headers: str
) -> AsyncIterator[Follower]:
    """Ask for a file with ``?follow``; header names are written with underscores.

    ``folder`` is where a proxy has the server.
    """
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    # A small buffer: what is not read waits at the server.
    connection = aiohttp.ClientSession(auto_decompress=False, read_bufsize=16 << 10)
    url = f"http://127.0.0.1:{port}{folder}/v1/files/{key}?{query}"
    async with connection as session, session.get(url, headers=fields) as response:
        yield Follower(response)


@dataclass
class Sending:
    """A request whose body is sent piece by piece."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    chunked: bool

    async def send(self, data: bytes) -> None:
        """Send the next bytes of the body."""
        framed = b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data
        self.writer.write(framed)
        await asyncio.wait_for(self.writer.drain(), PATIENCE)

    async def end(self) -> int:
        """End the body; answers the status."""
        if self.chunked:
            self.writer.write(b"0\r\n\r\n")
        async with asyncio.timeout(PATIENCE):
            line = await self.reader.readline()
        return int(line.split()[1])


@asynccontextmanager
async def sending(
    port: int, method: str, path: str, length: int | None, **headers: str
) -> AsyncIterator[Sending]:
    """A request with a body of ``length`` bytes, or in chunks; broken off at the end."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    fields = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines = [f"{method} {path} HTTP/1.1", "Host: x", framing, *fields, "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write("\r\n".join(lines).encode())
        yield Sending(reader, writer, chunked=length is None)
    finally:
        writer.transport.abort()
