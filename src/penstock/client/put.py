"""Uploads: a file or a stream goes out, and what the server stored is held against it."""

import asyncio
import os

from penstock.client.answers import FileInfo, understood
from penstock.client.http import CONNECT_SECONDS, Http, Progress, json_of
from penstock.client.listing import stat
from penstock.client.readers import (
    Path,
    Reader,
    Source,
    digest_file,
    is_file,
    open_reader,
    sha256_hex,
)
from penstock.client.several import Transfer
from penstock.errors import DigestMismatch, NotFound, PenstockError, SourceChanged, Stalled

# From here on it is worth a round trip to hear a refusal before the body is sent.
EXPECT_FROM = 1 << 20


async def put(
    http: Http, source: Source, key: str, progress: Progress, content_type: str | None = None
) -> Transfer:
    """Store ``source`` at ``key``; see :meth:`penstock.client.Client.put`."""
    http.file_path(key)  # a bad key is told before the source is opened
    if isinstance(source, str | os.PathLike) and await is_file(source):
        return await _put_file(http, source, key, progress, content_type)
    return await _put_stream(http, source, key, progress, content_type)


async def _put_file(
    http: Http, path: Path, key: str, progress: Progress, content_type: str | None
) -> Transfer:
    backoff = http.backoff()
    while True:
        try:
            reader = await open_reader(path)
            try:
                same = await _same(http, path, reader, key)
                if same is not None and content_type in (None, same.content_type):
                    return Transfer(same, skipped=True)
                return Transfer(await _send(http, reader, key, progress, content_type))
            finally:
                await reader.close()
        except SourceChanged:
            raise
        except PenstockError as error:
            await http.retry(backoff, error, progressed=False)


async def _put_stream(
    http: Http, source: Source, key: str, progress: Progress, content_type: str | None
) -> Transfer:
    """As a file, but what was read of a stream cannot be read again."""
    backoff = http.backoff()
    reader = await open_reader(source)
    try:
        while True:
            try:
                return Transfer(await _send(http, reader, key, progress, content_type))
            except PenstockError as error:
                if reader.digester.size:
                    raise
                await http.retry(backoff, error, progressed=False)
    finally:
        await reader.close()


async def _same(http: Http, path: Path, reader: Reader, key: str) -> FileInfo | None:
    """What is stored at ``key`` if it is what the file holds; hashes only if the sizes agree."""
    try:
        info = await stat(http, key, once=True)
        if info.size != reader.size:
            return None
        if info.sha256 is None:
            info = await stat(http, key, digest=True, once=True)
    except NotFound:
        return None
    return info if info.sha256 == sha256_hex(await digest_file(path)) else None


async def _send(
    http: Http, reader: Reader, key: str, progress: Progress, content_type: str | None
) -> FileInfo:
    body = _Body(http, reader, progress)
    try:
        async with asyncio.timeout(CONNECT_SECONDS + http.timeout) as body.patience:
            info = await _request(http, body, key, content_type)
    except TimeoutError:
        if not body.begun:  # a proxy that knows no Expect: do not wait for its leave again
            http.expects = False
        raise Stalled(f"{http.base} took no bytes for {http.timeout:g} s") from None
    except PenstockError:
        if body.error is not None:
            raise body.error from None
        raise
    _verify(reader, info)
    return info


async def _request(http: Http, body: "_Body", key: str, content_type: str | None) -> FileInfo:
    size = body.reader.size
    headers = {} if size is None else {"Content-Length": str(size)}
    if content_type is not None:
        headers["Content-Type"] = content_type
    async with http.request(
        "PUT",
        http.url(http.file_path(key)),
        answer_within=http.answer_seconds(size),
        data=body,
        headers=headers,
        skip_auto_headers=["Content-Type"],
        expect100=http.expects and (size is None or size >= EXPECT_FROM),
    ) as response:
        return understood(FileInfo.from_json, json_of(await response.read()))


class _Body:
    """The body of one request: pieces of a source, watched while the connection takes them."""

    def __init__(self, http: Http, reader: Reader, progress: Progress) -> None:
        self.reader = reader
        self.error: Exception | None = None
        self.begun = False
        self.patience: asyncio.Timeout
        self._http = http
        self._progress = progress
        self._rest = memoryview(b"")
        self._sent = 0

    def __aiter__(self) -> "_Body":
        return self

    async def __anext__(self) -> memoryview:
        """The next piece; while it is fetched only the source can be waited for."""
        self.begun = True
        self.patience.reschedule(None)
        self._progress(self._sent, self.reader.size)
        piece = await self._next()
        if not piece:
            raise StopAsyncIteration
        await self._http.throttle(len(piece))
        self._sent += len(piece)
        self.patience.reschedule(asyncio.get_running_loop().time() + self._http.timeout)
        return piece

    async def _next(self) -> memoryview:
        if not self._rest:
            try:
                self._rest = memoryview(await self.reader.read())
            except Exception as error:
                self.error = error  # aiohttp reports it as a broken connection
                raise
        piece, self._rest = self._rest[: self._http.piece], self._rest[self._http.piece :]
        return piece


def _verify(reader: Reader, info: FileInfo) -> None:
    """Hold what the server stored against what was sent; a server may not tell its digest."""
    told = info.sha256 or info.crc32
    sent = sha256_hex(reader.digester) if info.sha256 else f"{reader.digester.crc32:08x}"
    if info.size != reader.digester.size or (told is not None and told != sent):
        raise DigestMismatch(
            f"the server stored other bytes at {info.key} than were sent; send them again",
            key=info.key,
        )
