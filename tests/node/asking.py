"""What tests put into nodes, by HTTP that is correct and by HTTP that is not."""

import asyncio
import json
import random
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.node.nodes import NodeHere

MIB = 1 << 20
PART = random.Random(7).randbytes(3 * MIB + 17)
LONG = random.Random(8).randbytes(40 * MIB + 3)
"""So long that a worker thread reads it from the socket."""


def crc32(data: bytes) -> str:
    return f"{zlib.crc32(data):08x}"


async def put(node: NodeHere, name: str, data: Any, **headers: str) -> dict[str, Any]:
    """Put a file; answers what the node says."""
    response, body = await node.call("PUT", f"/files/{name}", data, **headers)
    assert response.status == 200, body
    told: dict[str, Any] = json.loads(body)
    return told


async def get(node: NodeHere, name: str) -> bytes:
    response, body = await node.call("GET", f"/files/{name}")
    assert response.status == 200, body
    return body


async def used(node: NodeHere) -> int:
    """Bytes that the node says its files have."""
    _, body = await node.call("GET", "/health")
    return int(json.loads(body)["used"])


def left_in(folder: Path) -> list[str]:
    """Every file that lies below the ``files`` of a node, its own lock aside."""
    files = folder / "files"
    found = (str(path.relative_to(files)) for path in files.rglob("*") if path.is_file())
    return sorted(set(found) - {".penstock/lock"})


async def lines(
    node: NodeHere, method: str, path: str, document: object = None
) -> list[dict[str, Any]]:
    """An answer of one JSON object per line, without the last one, which says that it is all."""
    data = None if document is None else json.dumps(document).encode()
    response, body = await node.call(method, path, data)
    assert response.status == 200, body
    assert response.content_type == "application/x-ndjson"
    *found, end = [json.loads(line) for line in body.splitlines()]
    assert end == {"end": True}
    return found


@asynccontextmanager
async def begun(
    port: int, name: str, head: Sequence[str], body: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A PUT of which the head and so much of the body has been sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        fields = "".join(f"{field}\r\n" for field in head)
        writer.write(f"PUT /files/{name} HTTP/1.1\r\nHost: node\r\n{fields}\r\n".encode())
        writer.write(body)
        await writer.drain()
        yield reader, writer
    finally:
        writer.transport.abort()
