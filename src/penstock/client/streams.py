"""Streams: what was read is kept until the server has it, so a broken connection loses nothing."""

import asyncio

from penstock.client import tus
from penstock.client.answers import FileInfo
from penstock.client.destination import Destination
from penstock.client.file_reader import READ_PIECE, sha256_hex
from penstock.client.plain import put_plain
from penstock.client.readers import Reader, Source, open_reader
from penstock.client.spans import Block
from penstock.client.uploading import Upload
from penstock.errors import PenstockError, ServerUnavailable, UploadGone

BLOCK = 8 << 20
"""Bytes that are read and sent together; of one stream two blocks at most are in memory."""


async def put_stream(destination: Destination, source: Source) -> FileInfo:
    """Store what a stream gives until its end."""
    reader = await open_reader(source)
    blocks = _Blocks(reader)
    try:
        first = await blocks.next()
        if len(first) < BLOCK:
            return await _put_block(destination, first, reader)
        return await _put_blocks(destination, first, blocks, reader)
    finally:
        await reader.close()


class _Blocks:
    """A stream in blocks, read into two buffers in turn: a block is good until the next but one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._buffers = (bytearray(BLOCK + READ_PIECE), bytearray(BLOCK + READ_PIECE))
        self._ended = False

    async def next(self) -> memoryview:
        """The next bytes, fewer than a block only at the end, after which nothing is read."""
        buffer, size = self._buffers[0], 0
        while size < BLOCK and not self._ended:
            piece = await self._reader.read()
            buffer[size : size + len(piece)] = piece
            size += len(piece)
            self._ended = not piece
        self._buffers = self._buffers[::-1]
        return memoryview(buffer)[:size]


async def _put_block(destination: Destination, block: memoryview, reader: Reader) -> FileInfo:
    """One block is all there is."""
    backoff = destination.http.backoff()
    while True:
        try:
            read, _ = await Block(block, 0).begin(0)
            return await put_plain(destination, read, len(block), reader.digester)
        except PenstockError as error:
            await destination.http.retry(backoff, error, progressed=False)


async def _put_blocks(
    destination: Destination, first: memoryview, blocks: _Blocks, reader: Reader
) -> FileInfo:
    """Send block by block; how many there are is told with the end, which is an empty one."""
    upload = await _begin(destination)
    try:
        size = await _send_all(upload, first, blocks)
        await upload.verify(size, sha256_hex(reader.digester))
        await upload.send(Block(b"", size, length=size))
    except UploadGone as error:
        raise ServerUnavailable(
            f"{destination.http.base} lost what it had of {destination.key} ({error.detail}); "
            "send it again"
        ) from error
    except BaseException:
        await upload.abandon()  # nobody can give the rest of it any more
        raise
    return await destination.stored(reader.digester, upload.standing)


async def _send_all(upload: Upload, first: memoryview, blocks: _Blocks) -> int:
    """Send the stream, reading the next block while one is sent; answers its length."""
    block, at = first, 0
    while block:
        following = asyncio.create_task(blocks.next())
        try:
            await upload.send(Block(block, at))
            at += len(block)
            block = await following
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    return at


async def _begin(destination: Destination) -> Upload:
    http = destination.http
    backoff = http.backoff()
    while True:
        try:
            location, standing = await tus.create(http, destination.metadata())
            break
        except PenstockError as error:
            await http.retry(backoff, error, progressed=False)
    return Upload(http, backoff, location, standing, lambda sent: destination.progress(sent, None))
