"""What a node has: ``/parts`` as far as it knows, ``/check`` as it stands on the disk."""

import errno
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from aiohttp import HttpVersion11, web

from penstock.errors import BadRequest, HttpTooOld, NotFound
from penstock.node.context import node_of
from penstock.node.names import check_name
from penstock.node.shelf import Shelf
from penstock.octets.digests import Digester
from penstock.server.chunked import send_chunk
from penstock.server.receiving import small_body
from penstock.server.sending import send_chunked
from penstock.server.serving import serving_of
from penstock.server.wire import Wire
from penstock.stores.interface import OpenFile
from penstock.threads import use_in_thread

_MOST = 1 << 20
"""Bytes of a list of names."""

_STRETCH = 16 << 20
_PIECE = 1 << 20
_BROKEN = frozenset({errno.EIO, errno.EBADMSG, errno.EUCLEAN})
"""What a disk says of a file that it cannot find its way to."""

_FIELDS = {"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"}


async def list_parts(request: web.Request) -> web.StreamResponse:
    """``GET /parts?after=NAME``: every file after that name, in bytewise order of names."""
    after = request.query.get("after", "")
    return await _answer(request, _listed(node_of(request).shelf, after))


async def check_parts(request: web.Request) -> web.StreamResponse:
    """``POST /check``: the files of these names, read again from the disk."""
    names = _names(await small_body(request, _MOST))
    return await _answer(request, _checked(node_of(request).shelf, names))


async def _answer(request: web.Request, lines: AsyncGenerator[bytes, None]) -> web.StreamResponse:
    """A JSON object on each line; the last one says that nothing is missing."""
    if request.version < HttpVersion11:
        raise HttpTooOld("the length of this is not known beforehand, so it needs HTTP/1.1")

    async def send_all(wire: Wire) -> dict[str, str]:
        async with aclosing(lines):
            async for data in lines:
                await send_chunk(wire, data)
        await send_chunk(wire, _line({"end": True}))
        return {}

    with serving_of(request).traffic:
        return await send_chunked(request, 200, _FIELDS, send_all)


async def _listed(shelf: Shelf, after: str) -> AsyncGenerator[bytes, None]:
    async with aclosing(shelf.files(after)) as batches:
        async for batch in batches:
            lines = [
                _line({"name": file.key, "size": file.size, "crc32": _hex(file.crc32)})
                for file in batch
            ]
            if lines:
                yield b"".join(lines)


async def _checked(shelf: Shelf, names: list[str]) -> AsyncGenerator[bytes, None]:
    for name in names:
        yield _line(await _check(shelf, name))


async def _check(shelf: Shelf, name: str) -> dict[str, object]:
    try:
        file = await shelf.open(name)
    except NotFound:
        return {"name": name, "missing": True}
    except OSError as error:
        if error.errno not in _BROKEN:
            raise  # something is wrong with the node, and nobody knows of the file
        return {"name": name, "size": 0, "crc32": None}
    try:
        digester = Digester(sha256=False)
        while await use_in_thread(_read_on, file, digester):
            pass
    except OSError:
        # The disk does not give it any more: whatever it was, it is not that now.
        return {"name": name, "size": file.info.size, "crc32": None}
    finally:
        file.close()
    return {"name": name, "size": digester.size, "crc32": _hex(digester.crc32)}


def _read_on(file: OpenFile, digester: Digester) -> bool:
    """Digest the next few MiB, from the disk and not from memory; answers whether there are more.

    In a worker thread.
    """
    start = digester.size
    os.posix_fadvise(file.fd, start, _STRETCH, os.POSIX_FADV_DONTNEED)
    try:
        while digester.size < start + _STRETCH:
            data = os.pread(file.fd, _PIECE, digester.size)
            if not data:
                return False
            digester.update(data)
    finally:
        # Nor is what others read pushed out of memory for it.
        os.posix_fadvise(file.fd, start, _STRETCH, os.POSIX_FADV_DONTNEED)
    return True


def _names(body: bytes) -> list[str]:
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    names = given.get("names") if isinstance(given, dict) else None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest('say which files: {"names": ["..."]}')
    return [check_name(name) for name in names]


def _hex(crc32: int | None) -> str | None:
    return None if crc32 is None else f"{crc32:08x}"


def _line(document: Mapping[str, object]) -> bytes:
    return json.dumps(document).encode() + b"\n"
