"""Bytes on a socket: what no well-kept client library would send."""

import asyncio
import re
import socket
from dataclasses import dataclass
from typing import NamedTuple

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""A request behind which the server hangs up."""


class Answer(NamedTuple):
    """One answer, as it stands on the wire; names of fields are in lower case."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field == name]


def answer_in(octets: bytes) -> Answer:
    """The first answer of what came; everything behind its head counts as its body."""
    head, _, body = octets.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    assert lines[0].startswith("HTTP/1."), octets[:200]
    pairs = (line.partition(":") for line in lines[1:])
    fields = [(name.lower(), value.strip()) for name, _, value in pairs]
    return Answer(int(lines[0].split()[1]), fields, body)


def statuses(octets: bytes) -> list[int]:
    """The status of every answer in what came."""
    return [int(found) for found in _STATUS.findall(octets)]


def head(method: str, path: str | bytes, *fields: str | bytes) -> bytes:
    """A request's head, in which nothing is tidied up, and after which the server hangs up."""
    target = path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: x", b"Connection: close"]
    lines += [
        field if isinstance(field, bytes) else field.encode("utf-8", "surrogateescape")
        for field in fields
    ]
    return b"\r\n".join([*lines, b"", b""])


async def said(port: int, octets: bytes, patience: float = 30.0) -> bytes:
    """Everything that the server says to ``octets`` until it hangs up, which it must."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(patience):
            writer.write(octets)
            return await _until_end(reader)
    finally:
        writer.transport.abort()


async def ask(
    port: int, method: str, path: str | bytes, *fields: str | bytes, body: bytes = b""
) -> Answer:
    """One request as it is, and its answer."""
    if body or method in ("PUT", "POST", "PATCH"):
        fields = (*fields, f"Content-Length: {len(body)}")
    return answer_in(await said(port, head(method, path, *fields) + body))


async def _until_end(reader: asyncio.StreamReader) -> bytes:
    came = bytearray()
    try:
        while piece := await reader.read(1 << 16):
            came += piece
    except ConnectionResetError:  # what it did not want to read is still under way
        pass
    return bytes(came)


@dataclass
class Line:
    """A connection to a server in another process, whose every wait is bounded."""

    port: int
    patience: float = 30.0

    def said(self, octets: bytes) -> bytes:
        """Everything that the server says to ``octets`` until it hangs up.

        :raises TimeoutError: it does not hang up.
        """
        with socket.create_connection(("127.0.0.1", self.port), self.patience) as client:
            came = bytearray()
            try:
                client.sendall(octets)
                while piece := client.recv(1 << 16):
                    came += piece
            except (ConnectionResetError, BrokenPipeError):
                # It hung up while more was under way; what it said before is still there.
                came += _rest(client)
            return bytes(came)


def _rest(client: socket.socket) -> bytes:
    try:
        return client.recv(1 << 16)
    except ConnectionError:
        return b""
