"""Files in memory: the local store's twin, for tests and for trying things out.

Everything is gone when the process ends, and every file costs its size in memory.
"""

import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Self

from penstock.errors import KeyConflict, NotFound, PreconditionFailed, SourceChanged
from penstock.octets.digests import Digester
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.interface import (
    ALWAYS,
    Checksum,
    Condition,
    FileInfo,
    Page,
)
from penstock.stores.keys import check_key, check_prefix

PIECE = 1 << 20


class MemoryStore:
    """A dictionary of files behind the store interface."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[FileInfo, bytes]] = {}
        self._versions = itertools.count(1)

    async def stat(self, key: str) -> FileInfo:
        return self._get(key)[0]

    async def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        info, data = self._get(key)
        if etag is not None and info.etag != etag:
            raise SourceChanged(f"{key!r} changed since this transfer began; start it again")
        stop = info.size if stop is None else stop
        for at in range(start, stop, PIECE):
            yield data[at : min(at + PIECE, stop)]

    async def write(
        self, key: str, *, size: int | None = None, want_sha256: bool = False
    ) -> "MemoryWriter":
        return MemoryWriter(self, check_key(key))

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        check_prefix(prefix)
        files: list[FileInfo] = []
        prefixes: list[str] = []
        last = ""
        for key in sorted(self._files):
            if not key.startswith(prefix):
                continue
            rolled = _common_prefix(key, prefix, delimiter)
            item = rolled or key
            if item <= after or item == last:
                continue
            if len(files) + len(prefixes) == limit:
                return Page(files, prefixes, next=last)
            last = item
            if rolled:
                prefixes.append(rolled)
            else:
                files.append(self._files[key][0])
        return Page(files, prefixes, next=None)

    async def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        # A folder is here as long as a file is in it: none is empty.
        yield (await self.list(prefix, limit=len(self._files) + 1)).files

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> None:
        info, _ = self._get(key)
        self._require(condition, info.etag, key)
        del self._files[key]

    async def checksum(self, key: str, *, etag: str | None = None) -> FileInfo:
        info, _ = self._get(key)
        if etag is not None and info.etag != etag:
            raise SourceChanged(f"{key!r} changed since this transfer began; start it again")
        return info

    async def check(self) -> None:
        """Memory is always there."""

    async def close(self) -> None:
        self._files.clear()

    def put(self, info: FileInfo, data: bytes, condition: Condition) -> FileInfo:
        """Replace what is stored at the key, if the condition allows it."""
        current = self._files.get(info.key)
        self._require(condition, current[0].etag if current else None, info.key)
        self._refuse_conflict(info.key)
        stored = info._replace(etag=f"m{next(self._versions):x}")
        self._files[info.key] = (stored, data)
        return stored

    def _refuse_conflict(self, key: str) -> None:
        """A file cannot stand where another key has a folder: folders of the real twin do."""
        parents = {key[:at] for at, character in enumerate(key) if character == "/"}
        if parents & self._files.keys():
            raise KeyConflict(f"a part of {key!r} is a file, so nothing can be stored below it")
        if any(other.startswith(key + "/") for other in self._files):
            raise KeyConflict(f"{key!r} is a folder; choose another key or remove its files first")

    def _get(self, key: str) -> tuple[FileInfo, bytes]:
        try:
            return self._files[check_key(key)]
        except KeyError:
            raise NotFound(f"nothing is stored at {key!r}", key=key) from None

    def _require(self, condition: Condition, etag: str | None, key: str) -> None:
        if not condition.allows(etag):
            raise PreconditionFailed(f"{key!r} is another version than the condition allows")


class MemoryWriter:
    """A file on its way into a :class:`MemoryStore`."""

    def __init__(self, store: MemoryStore, key: str) -> None:
        self._store = store
        self._key = key
        self._data = bytearray()
        self._digester = Digester()

    async def write(self, data: bytes) -> None:
        self._data += data
        self._digester.update(data)

    async def checksum(self) -> Checksum:
        return Checksum(self._digester.sha256, self._digester.crc32)

    async def commit(
        self,
        key: str | None = None,
        *,
        content_type: str | None = None,
        condition: Condition = ALWAYS,
    ) -> FileInfo:
        key = check_key(self._key if key is None else key)
        info = FileInfo(
            key=key,
            size=len(self._data),
            modified_ns=time.time_ns(),
            etag="",
            content_type=content_type or content_type_of_bytes(self._data[:FIRST], key),
            sha256=self._digester.sha256,
            crc32=self._digester.crc32,
        )
        return self._store.put(info, bytes(self._data), condition)

    async def abort(self) -> None:
        self._data.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """The common prefix that rolls ``key`` up, or nothing."""
    if not delimiter:
        return ""
    head, found, _ = key[len(prefix) :].partition(delimiter)
    return prefix + head + delimiter if found else ""
