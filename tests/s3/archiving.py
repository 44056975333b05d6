"""Folders of objects, the archives that a server makes of them, and what is in those."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
from isal.isal_zlib import crc32

from penstock.stores.s3.calls import Calls
from penstock.stores.s3.client import Call
from penstock.stores.s3.documents import crc32_field, parse
from penstock.stores.s3.signing import encoded
from tests.s3.files import content
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to, names_in, uploads_in
from tests.zipstream.corpus import Corpus, File
from tests.zipstream.readers import Reader

ENDED = ("done", "failed", "cancelled")

_AT_ONCE = 16

Members = Mapping[str, bytes]
"""Names as they are in the archive, and what is to be in them."""


def some_bytes(size: int, number: int = 0) -> bytes:
    """Bytes in no order, others for each number, and at little cost; 60 MiB at most."""
    start = number * 61 % 1_000_000
    return _pool()[start : start + size]


@cache
def _pool() -> bytes:
    return content(61 << 20, seed=6)


async def put_objects(
    server: S3Server, store_prefix: str, members: Members, *, summed: bool = False
) -> None:
    """Objects that another program puts there; ``summed``: with their CRC-32."""
    waiting = iter(members.items())

    async def put(calls: Calls) -> None:
        for name, data in waiting:
            fields = {"x-amz-checksum-crc32": crc32_field(crc32(data))} if summed else {}
            body = partial(_in_pieces, data) if data else b""
            await calls.put(f"{store_prefix}/{name}", fields, body, len(data))

    async with calls_to(server) as calls:
        await asyncio.gather(*(put(calls) for _ in range(_AT_ONCE)))


async def _in_pieces(data: bytes) -> AsyncIterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), 256 << 10):
        yield view[start : start + (256 << 10)]


@dataclass
class Archiving:
    """The archives of a server that ``session`` talks to."""

    session: aiohttp.ClientSession

    async def put(self, key: str, data: bytes) -> None:
        """A file that is put through the server, which knows its CRC-32 then."""
        path = f"/v1/files/{encoded(key, '/')}"
        async with self.session.put(path, data=io.BytesIO(data)) as answer:
            assert answer.status in (200, 201), await answer.text()

    async def plan(self, prefix: str) -> dict[str, Any]:
        """What an archive of a folder would take."""
        async with self.session.post("/v1/archives/plan", json={"prefix": prefix}) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def begin(self, prefix: str, *, status: int = 202, **wish: Any) -> dict[str, Any]:
        """Ask for an archive."""
        wished = {"prefix": prefix, **wish}
        async with self.session.post("/v1/archives", json=wished) as answer:
            assert answer.status == status, await answer.text()
            return dict(await answer.json())

    async def get(self, identity: str) -> dict[str, Any]:
        """How an archive stands."""
        async with self.session.get(f"/v1/archives/{identity}") as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def cancel(self, identity: str) -> None:
        """End an archive."""
        async with self.session.delete(f"/v1/archives/{identity}") as answer:
            assert answer.status in (200, 202), await answer.text()

    async def hurry(self, identity: str) -> None:
        """Let one that waits for its next attempt have it now, if it still waits."""
        async with self.session.post(f"/v1/archives/{identity}/retry") as answer:
            assert answer.status in (202, 409), await answer.text()

    async def ended(self, identity: str, seconds: float = 90) -> dict[str, Any]:
        """How an archive stands when nothing changes any more."""
        async with asyncio.timeout(seconds):
            while (archive := await self.get(identity))["state"] not in ENDED:
                await asyncio.sleep(0.05)
        return archive

    async def done(self, identity: str, seconds: float = 90) -> dict[str, Any]:
        """An archive that was made."""
        archive = await self.ended(identity, seconds)
        assert archive["state"] == "done", (archive["error"], await self.log(identity))
        return archive

    async def made(self, prefix: str, seconds: float = 90, **wish: Any) -> dict[str, Any]:
        """The archive of a folder, from the wish to the end."""
        return await self.done((await self.begin(prefix, **wish))["id"], seconds)

    async def log(self, identity: str) -> list[str]:
        """What was noted of it."""
        async with self.session.get(f"/v1/jobs/{identity}/log") as answer:
            return [line["text"] for line in (await answer.json())["lines"]]

    async def fetch(self, archive: Mapping[str, Any], path: Path) -> "Fetched":
        """The archive as a file: it is what was told of it."""
        fetched = Fetched(path)
        with path.open("wb") as file:
            async with self.session.get(archive["archive"]["url"]) as answer:
                assert answer.status == 200
                async for piece in answer.content.iter_chunked(4 << 20):
                    await asyncio.to_thread(fetched.take, file, piece)
        assert fetched.size == archive["size"] == archive["archive"]["size"]
        assert f"{fetched.crc32:08x}" == archive["archive"]["crc32"]
        return fetched


@dataclass
class Fetched:
    """An archive that was fetched, and what came."""

    path: Path
    size: int = 0
    crc32: int = 0
    _names: list[str] = field(default_factory=list)

    def take(self, file: BinaryIO, piece: bytes) -> None:
        file.write(piece)
        self.size += len(piece)
        self.crc32 = crc32(piece, self.crc32)

    @property
    def names(self) -> list[str]:
        """The members in their order."""
        if not self._names:
            with zipfile.ZipFile(self.path) as opened:
                self._names = opened.namelist()
        return self._names

    async def require(self, members: Members, readers: Iterable[Reader] = ()) -> None:
        """Every member is there once and whole, for Python and for these programs."""
        await asyncio.to_thread(self._require, members, readers)

    def _require(self, members: Members, readers: Iterable[Reader]) -> None:
        assert sorted(self.names) == sorted(members)
        with zipfile.ZipFile(self.path) as opened:
            wrong = [name for name, data in members.items() if opened.read(name) != data]
        assert wrong == []
        corpus = Corpus([File(name, members[name]) for name in self.names])
        for reader in readers:
            reader(self.path, corpus)


def named_in_zip(members: Members) -> Members:
    """The same by the names that they have in an archive, where Windows' rules hold too."""
    plan = Corpus([File(name) for name in members]).plan
    return {plan.name(i): data for i, data in enumerate(members.values())}


async def left_in(
    server: S3Server, store_prefix: str, but: Iterable[str] = ()
) -> tuple[list[str], list[str]]:
    """What lies in a store beside these files: objects, and multipart uploads."""
    known = {f"{store_prefix}/{name}" for name in but}
    names = [name for name in await names_in(server, f"{store_prefix}/") if name not in known]
    return names, await uploads_in(server, f"{store_prefix}/")


NOTHING: tuple[list[str], list[str]] = ([], [])


async def tags_of(server: S3Server, name: str) -> dict[str, str]:
    """The tags of an object."""
    async with calls_to(server) as calls:
        answer = await calls.client.call(Call("GET", name, parameters=[("tagging", "")]))
    tags = parse(answer.body).iter("Tag")
    return {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in tags}
