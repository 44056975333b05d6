"""``/files/{name}``: put, get and delete one file."""

import re
from contextlib import aclosing
from functools import partial
from sys import maxsize

from aiohttp import web

from penstock.cluster.fields import CRC32
from penstock.downloads import Representation
from penstock.errors import BadRequest, DigestMismatch, NotFound
from penstock.node.arriving import Arriving
from penstock.node.context import node_of
from penstock.node.names import name_of
from penstock.node.shelf import CONTENT_TYPE
from penstock.server.receiving import body_of
from penstock.server.sending import answer
from penstock.server.serving import serving_of
from penstock.server.uploads.direct import STRETCH, Direct
from penstock.server.wire import Wire
from penstock.stores.interface import OpenFile

"""The CRC-32 that the body is to have, eight hexadecimal digits."""

_FATE = "nothing was stored"
_is_crc32 = re.compile(r"[0-9A-Fa-f]{8}", re.ASCII).fullmatch


async def put_file(request: web.Request) -> web.Response:
    """``PUT /files/{name}``: create or replace a file, all or nothing."""
    name, wanted, shelf = name_of(request), _crc32_wanted(request), node_of(request).shelf
    with serving_of(request).traffic:
        async with shelf.arriving(request.content_length) as arriving:
            await _take_in(request, arriving)
            if wanted is not None and wanted != arriving.crc32:
                raise DigestMismatch(f"the bytes received have another CRC-32; {_FATE}")
            info = await shelf.keep(arriving, name)
            crc32 = f"{arriving.crc32:08x}"
    told = {"fullSize": shelf.used, "success": True, "size": info.size, "crc32": crc32}
    return web.json_response(told)


async def get_file(request: web.Request) -> web.StreamResponse:
    """``GET`` and ``HEAD /files/{name}``."""
    name = name_of(request)
    with serving_of(request).traffic:
        try:
            file = await node_of(request).shelf.open(name)
        except NotFound:
            raise NotFound("file does not exist") from None
        try:
            info = file.info
            what = Representation(info.size, info.etag, info.modified_ns, CONTENT_TYPE)
            return await answer(request, what, {}, partial(_send, file))
        finally:
            file.close()


async def delete_file(request: web.Request) -> web.Response:
    """``DELETE /files/{name}``; it is no error if there is none."""
    name, shelf = name_of(request), node_of(request).shelf
    with serving_of(request).traffic:
        await shelf.delete(name)
    return web.json_response({"fullSize": shelf.used, "ok": True})


async def _send(file: OpenFile, wire: Wire, start: int, stop: int) -> None:
    await wire.send_file(file.fd, start, stop)


def _crc32_wanted(request: web.Request) -> int | None:
    if "Content-Range" in request.headers:
        raise BadRequest("a part of a file cannot be replaced; send the whole file")
    value = request.headers.get(CRC32)
    if value is None:
        return None
    if not _is_crc32(value):
        raise BadRequest(f"{CRC32} must be eight hexadecimal digits")
    return int(value, 16)


async def _take_in(request: web.Request, arriving: Arriving) -> None:
    """The body goes into the file; a long one from the socket by a worker thread."""
    stall_timeout = serving_of(request).settings.stall_timeout
    received = 0
    direct = None
    async with aclosing(body_of(request, most=maxsize, fate=_FATE)) as body:
        async for data in body:
            await arriving.put(data)
            received += len(data)
            direct = Direct.take_over(request, received, stall_timeout, _FATE)
            if direct is not None:
                break
    if direct is not None:
        async with direct:
            while direct.left:
                await direct.ready()
                await arriving.pull(direct.read, min(direct.left, STRETCH))
    await arriving.drain()
