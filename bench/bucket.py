"""A bucket on an S3 server of one's own, filled and emptied from here."""

import asyncio
import base64
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from bench.peers.server import PeerMissing
from penstock.stores.s3.client import Call, Client
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.options import place_of
from penstock.stores.s3.trouble import Refused
from tests.s3.servers import S3Server, Unavailable, running

T = TypeVar("T")
_AT_ONCE = 16
_TRIES = 3


class Bucket:
    """What is done here is not measured."""

    def __init__(self, server: S3Server) -> None:
        self.server = server
        with suppress(Refused):  # it is there already
            self._run(lambda client: client.call(Call("PUT")))

    def fill(self, root: Path, folder: str) -> None:
        """Put all files of a folder, by their names below ``root``, with their CRC-32s: as the
        SDKs of Amazon do."""
        files = sorted(path for path in (root / folder).rglob("*") if path.is_file())

        async def put(client: Client, path: Path) -> None:
            await client.call(await asyncio.to_thread(_put, root, path))

        self._each(files, put)

    def clear(self, keys: Iterable[str]) -> None:
        """Remove what is there."""
        self._each(keys, lambda client, key: client.call(Call("DELETE", key)))

    def fetch(self, key: str, target: Path) -> None:
        """Write an object into a file."""

        with target.open("wb") as file:

            async def get(client: Client) -> None:
                async with client.open(Call("GET", key)) as response:
                    async for data in response.content.iter_any():
                        await asyncio.to_thread(file.write, data)

            self._run(get)

    def _each(self, items: Iterable[T], do: Callable[[Client, T], Awaitable[object]]) -> None:
        async def all_of_them(client: Client) -> None:
            turns = asyncio.Semaphore(_AT_ONCE)

            async def one(item: T) -> None:
                async with turns:
                    await do(client, item)

            await asyncio.gather(*map(one, items))

        self._run(all_of_them)

    def _run(self, work: Callable[[Client], Awaitable[object]]) -> None:
        options = self.server.options()
        place = place_of(f"s3://{self.server.bucket}", options, {})
        client = Client(place, Chain(options.credentials), _TRIES)

        async def run() -> None:
            try:
                await work(client)
            finally:
                await client.close()

        asyncio.run(run())


@contextmanager
def bucket(kind: str, folder: Path) -> Iterator[Bucket]:
    """A bucket on a server of that kind (see tests/s3/servers.py), whose data lies in ``folder``.

    :raises PeerMissing: the server cannot be had here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with running(kind, folder) as server:
            yield Bucket(server)
    except Unavailable as reason:
        raise PeerMissing(str(reason)) from None


def _put(root: Path, path: Path) -> Call:
    body = path.read_bytes()
    crc32 = base64.b64encode(zlib.crc32(body).to_bytes(4)).decode()
    headers = {"x-amz-checksum-crc32": crc32, "Content-Type": "application/octet-stream"}
    name = path.relative_to(root).as_posix()
    return Call("PUT", name, headers=headers, body=body, length=len(body))
