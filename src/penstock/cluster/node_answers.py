"""What storage nodes answer, held against what was asked."""

import json
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import aiohttp
from aiohttp.http_exceptions import LineTooLong

from penstock.cluster.trouble import Kind, NodeFailed

Document: TypeAlias = Mapping[str, Any]

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_CRC32: Final = re.compile(r"[0-9a-f]{8}")
_LONGEST_ERROR: Final = 4096
_LONGEST_LINE: Final = 64 << 10


class NodePart(NamedTuple):
    """A part that a node has; ``crc32`` if it knows it without reading."""

    name: str
    size: int
    crc32: int | None


class Checked(NamedTuple):
    """What is on a node's disk under a name: no ``size`` if nothing is, no ``crc32`` if the disk
    does not give its bytes."""

    name: str
    size: int | None
    crc32: int | None

    @property
    def missing(self) -> bool:
        """Whether nothing is there."""
        return self.size is None


class Kept(NamedTuple):
    """What a node says it stored."""

    size: int
    crc32: int


async def failed(node: str, response: aiohttp.ClientResponse) -> NodeFailed:
    """What an answer that is no success says."""
    text = await response.content.read(_LONGEST_ERROR)
    try:
        told = json.loads(text).get("error")
    except (ValueError, AttributeError):
        told = None
    reason = f"it answers {response.status}: {told}" if told else f"it answers {response.status}"
    return NodeFailed(_kind(response), node, reason)


def _kind(response: aiohttp.ClientResponse) -> Kind:
    if response.status == 404:
        return Kind.MISSING
    if response.status == 421:  # another node has its address now
        return Kind.UNREACHABLE
    if response.status == 507:
        return Kind.FULL
    # Of a body, that it has another CRC-32; of a range, that the part is too short for it.
    if response.status == 416 or (response.status == 400 and response.method == "PUT"):
        return Kind.BAD
    return Kind.REFUSED


def check_range(node: str, response: aiohttp.ClientResponse, start: int, stop: int) -> None:
    """Hold the head of an answer against the range that was asked for.

    :raises NodeFailed: it is another one.
    """
    told = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status != 206 or told is None:
        raise NodeFailed(Kind.REFUSED, node, "its answer does not say which range it is")
    if (int(told[1]), int(told[2]) + 1) != (start, stop):
        raise NodeFailed(Kind.BAD, node, "a part is shorter than it was")


def kept_of(node: str, body: bytes) -> Kept:
    """What the answer to a PUT says is stored now."""
    try:
        told = json.loads(body)
        return Kept(int(told["size"]), int(told["crc32"], 16))
    except (ValueError, KeyError, TypeError) as error:
        raise NodeFailed(Kind.REFUSED, node, "it does not say what it kept") from error


async def small(node: str, response: aiohttp.ClientResponse) -> bytes:
    """The body of an answer that has few bytes.

    :raises NodeFailed: it has more.
    """
    body = b""
    while len(body) <= _LONGEST_LINE:
        data = await response.content.read(_LONGEST_LINE)
        if not data:
            return body
        body += data
    raise _nonsense(node)


async def documents(node: str, response: aiohttp.ClientResponse) -> AsyncGenerator[Document, None]:
    """The lines of an answer in NDJSON up to the one that ends it.

    :raises NodeFailed: it broke off, or is no such answer.
    """
    while True:
        try:
            line = await response.content.readline(max_line_length=_LONGEST_LINE)
            document = json.loads(line) if line else None
        except (ValueError, LineTooLong) as error:
            raise _nonsense(node) from error
        if document is None:
            raise NodeFailed(Kind.UNREACHABLE, node, "its answer was cut short")
        if not isinstance(document, dict):
            raise _nonsense(node)
        if document.get("end") is True:
            await response.read()  # the end of the body, so that the connection can be kept
            return
        yield document


def part_of(node: str, line: Document) -> NodePart:
    """A line of the list of parts."""
    name, size, crc32 = line.get("name"), line.get("size"), line.get("crc32")
    if not isinstance(name, str) or not isinstance(size, int):
        raise _nonsense(node)
    return NodePart(name, size, _crc32(node, crc32))


def checked_of(node: str, line: Document) -> Checked:
    """A line of what a node found."""
    name = line.get("name")
    if isinstance(name, str) and line.get("missing") is True:
        return Checked(name, None, None)
    size = line.get("size")
    if not isinstance(name, str) or not isinstance(size, int):
        raise _nonsense(node)
    return Checked(name, size, _crc32(node, line.get("crc32")))


def _crc32(node: str, told: object) -> int | None:
    if told is None:
        return None
    if not isinstance(told, str) or not _CRC32.fullmatch(told):
        raise _nonsense(node)
    return int(told, 16)


def _nonsense(node: str) -> NodeFailed:
    return NodeFailed(Kind.REFUSED, node, "its answer is not understood")
