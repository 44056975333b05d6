"""A file that is still being uploaded, read while it arrives and verified once it is stored.

The server names the upload (``Follow-Id``) and sends only what is durable of it. So a reader whose
connection broke asks for the rest of that very upload from the byte it has, in this run or in a
later one: what is there is the beginning of the same bytes, or the server says that it cannot be.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import aiohttp

from penstock.client.answers import FileInfo, Version, understood
from penstock.client.file_reader import sha256_hex
from penstock.client.get import get
from penstock.client.http import Http
from penstock.client.part_file import PartFile
from penstock.client.progress import Progress
from penstock.client.several import Transfer
from penstock.client.sinks import PartSink, Sink, StreamSink
from penstock.client.targets import Target, file_path
from penstock.errors import (
    DigestMismatch,
    NotFound,
    OffsetMismatch,
    PenstockError,
    ServerUnavailable,
    UploadGone,
)
from penstock.threads import use_in_thread

_FIELD: Final = "Follow-Id"
_TAG: Final = re.compile(r'"follow:([\w-]+)"', re.ASCII)
"""How the state of a part names an upload: as no server names a version."""

_ANY: Final = "1"
_MOST_REFUSALS: Final = 2
_IDENTITY: Final = {"Accept-Encoding": "identity"}


async def follow(http: Http, key: str, target: Target, progress: Progress) -> Transfer:
    """Read ``key`` along to ``target``; see :meth:`penstock.client.Client.follow`."""
    path = await file_path(target)
    if path is not None:
        info = await _to_file(http, key, path, progress)
    elif isinstance(target, str | os.PathLike):
        device = await use_in_thread(open, target, "wb", buffering=0)
        with device:
            info = await _Following(http, key, StreamSink(device), progress).run()
    else:
        sink = StreamSink(target)
        info = await _Following(http, key, sink, progress).run()
        await sink.finish()
    return await get(http, key, target, progress) if info is None else Transfer(info)


async def _to_file(http: Http, key: str, path: str, progress: Progress) -> FileInfo | None:
    part = await PartFile.open(path, str(http.url(http.file_path(key))), in_order=True)
    try:
        info = await _Following(http, key, await PartSink.open(part), progress).run()
        if info is not None:
            await part.commit()
    except (DigestMismatch, UploadGone):
        await part.discard()
        raise
    finally:
        await part.close()
    return info


class _Following:
    """One upload on its way into ``sink``."""

    def __init__(self, http: Http, key: str, sink: Sink, progress: Progress) -> None:
        self._http = http
        self._key = key
        self._path = http.file_path(key)
        self._sink = sink
        self._progress = progress
        self._name = ""

    async def run(self) -> FileInfo | None:
        """Read to the end; answers the file that the upload became, ``None`` if there is none.

        :raises UploadGone: the upload failed, or its file was replaced at once.
        :raises DigestMismatch: the bytes that came are not those that were stored.
        """
        if not (await self._take_up() or await self._begin()):
            return None
        backoff, refusals = self._http.backoff(), 0
        while True:
            before = self._sink.offset
            try:
                await self._advance()
                return await self._verified()
            except OffsetMismatch as error:
                # What is sent is never taken back, but another server may not know of it yet.
                refusals += 1
                if refusals > _MOST_REFUSALS:
                    raise UploadGone(f"{error.detail}; run the command again") from error
                await self._http.retry(backoff, error, progressed=self._sink.offset > before)
            except PenstockError as error:
                await self._http.retry(backoff, error, progressed=self._sink.offset > before)

    async def _take_up(self) -> bool:
        """Go on with what an earlier run left, if that is a part of an upload that is known."""
        version = self._sink.version
        named = _TAG.fullmatch(version.etag or "") if version is not None else None
        if named is None or not self._sink.offset:
            return False
        self._name = named[1]
        try:
            await self._ask(self._name, self._sink.offset)
        except (NotFound, OffsetMismatch):
            return False
        return True

    async def _begin(self) -> bool:
        """Find the upload; whether there is one."""
        try:
            told = await self._ask(_ANY)
        except NotFound:
            return False
        if _FIELD not in told:
            return False
        self._name = told[_FIELD]
        await self._sink.begin(Version(etag=f'"follow:{self._name}"', size=None))
        return True

    async def _ask(self, name: str, offset: int | None = None) -> Mapping[str, str]:
        query = [("follow", name)] + ([] if offset is None else [("offset", str(offset))])
        final = (OffsetMismatch,)
        told, _ = await self._http.call(
            "HEAD", self._http.url(self._path, query), final=final, headers=_IDENTITY
        )
        return told

    async def _advance(self) -> None:
        """One request: everything from the sink's offset on, if the connection holds."""
        query = [("follow", self._name), ("offset", str(self._sink.offset))]
        url = self._http.url(self._path, query)
        async with self._http.request("GET", url, headers=_IDENTITY) as response:
            total = self._total(response)
            self._progress(self._sink.offset, total)
            while data := await self._http.read(response):
                await self._sink.write(data)
                self._progress(self._sink.offset, total)
        if total not in (None, self._sink.offset):
            raise ServerUnavailable(f"{self._http.base} sent {self._sink.offset} of {total} bytes")

    def _total(self, response: aiohttp.ClientResponse) -> int | None:
        """Bytes of the whole; ``None`` if nobody knows yet."""
        told = response.headers
        if told.get(_FIELD) != self._name or told.get("Content-Encoding", "identity") != "identity":
            raise PenstockError(f"{self._http.base} did not send the upload that was asked for")
        if "Content-Length" in told:
            return self._sink.offset + int(told["Content-Length"])
        if "Transfer-Encoding" not in told:
            raise PenstockError(f"{self._http.base} does not tell whether what it sent is whole")
        return None

    async def _verified(self) -> FileInfo:
        """Hold what came against the digest of the file that this very upload became."""
        size, digester = self._sink.offset, self._sink.digester
        headers = {**_IDENTITY, "Want-Repr-Digest": "sha-256=10"}
        url = self._http.url(self._path, [("follow", self._name)])
        patience = self._http.answer_seconds(size)
        try:
            told, _ = await self._http.ask("HEAD", url, headers=headers, answer_within=patience)
        except UploadGone as error:
            raise UploadGone(
                f"{self._key} was replaced or removed before what came of it could be verified; "
                "run the command again"
            ) from error
        if "ETag" not in told:
            raise ServerUnavailable(f"{self._http.base} has not stored the upload yet")
        info = understood(lambda told: FileInfo.from_headers(self._key, self._path, told), told)
        if (info.size, info.sha256) != (size, sha256_hex(digester)):
            raise DigestMismatch(
                f"the bytes that came of {self._key} are not those that were stored; "
                "run the command again"
            )
        return replace(info, crc32=f"{digester.crc32:08x}")
