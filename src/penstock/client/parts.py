"""Big files go up in parts side by side, which the server joins without copying them."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Any

from penstock.client import tus
from penstock.client.answers import FileInfo
from penstock.client.cutting import Stretch
from penstock.client.destination import Destination
from penstock.client.file_reader import FileReader, Path
from penstock.client.part import Part
from penstock.client.retry import Backoff
from penstock.client.tus_fields import Standing
from penstock.client.unfinished import FINAL, Found, Left, listing
from penstock.client.uploading import DELETE_SECONDS
from penstock.errors import (
    DigestMismatch,
    PenstockError,
    ServerUnavailable,
    SourceChanged,
    UploadGone,
)


async def put_parts(
    destination: Destination,
    path: Path,
    reader: FileReader,
    stretches: Sequence[Stretch],
    left: Left | None,
    backoff: Backoff,
) -> FileInfo:
    """Send the parts of a file that the server lacks, and have them joined.

    ``reader`` takes the digests of the whole meanwhile. ``left`` is what an earlier run left.

    :raises UploadGone: a part got lost after it was sent.
    """
    sending = _Sending(destination, path, reader, stretches, left)
    workers = [sending.work() for _ in range(destination.http.parallel)]
    try:
        await _together([sending.digest(), *workers])
        await reader.check()
        end = await sending.join(backoff)
    except (SourceChanged, DigestMismatch):
        await sending.abandon()
        raise
    except UploadGone:
        raise
    except PenstockError:
        backoff.exhaust()  # each part was tried often enough
        raise
    return await destination.stored(reader.digester, end)


class _Sending:
    """The parts of one file on their way."""

    def __init__(
        self,
        destination: Destination,
        path: Path,
        reader: FileReader,
        stretches: Sequence[Stretch],
        left: Left | None,
    ) -> None:
        self._destination = destination
        self._http = destination.http
        self._reader = reader
        members = left.members if left is not None else ()
        self._group = members[0].group if members else token_hex(16)
        found: dict[int, Found] = {}
        for one in sorted(members, key=lambda one: one.offset):
            found[one.start] = one
        self._parts = [
            Part(path, reader.version, (start, start + size), found.get(start), self._moved)
            for start, size in stretches
        ]
        self._waiting = iter(self._parts)
        self._moved()

    async def work(self) -> None:
        """Send one part after the other, as long as some wait."""
        for part in self._waiting:
            async with self._http.part_slots:
                await part.send(self._destination, self._group)

    async def digest(self) -> None:
        """Digest each part while it is sent: so the disk is read once, if memory allows."""
        for part in self._parts:
            await part.begun.wait()
            await self._reader.digest_to(part.end)

    async def join(self, backoff: Backoff) -> Standing:
        """Have the whole put together, verified and stored.

        :raises DigestMismatch: it is not what was sent; nothing was stored.
        """
        size, sha256 = self._reader.size, self._reader.whole_sha256()
        metadata = self._destination.metadata(sha256=sha256)
        parts = [part.location for part in self._parts]
        while True:
            try:
                end = await self._joined()
                if end is None:
                    _, end = await tus.create(self._http, metadata, length=size, parts=parts)
                if end.complete:
                    return end
                raise ServerUnavailable(f"{self._http.base} has not joined the parts yet")
            except UploadGone:
                raise
            except PenstockError as error:
                await self._http.retry(backoff, error, progressed=False)

    async def abandon(self) -> None:
        """Remove the parts; what cannot be removed now will expire."""
        locations = {part.location for part in self._parts if part.location}
        with suppress(TimeoutError):
            async with asyncio.timeout(DELETE_SECONDS):
                with suppress(PenstockError):  # it lists those of which the answer got lost, too
                    found = await listing(self._http, self._destination.key)
                    locations |= {one.location for one in found if one.group == self._group}
                for location in locations:
                    with suppress(PenstockError):
                        await tus.delete(self._http, self._http.located(location))

    async def _joined(self) -> Standing | None:
        """How an earlier try to join has ended, if its answer got lost."""
        info = await self._destination.holds(self._reader)
        if info is not None:
            await self.abandon()
            return Standing(info.size, info.size, info.sha256, info.etag)
        ours = self._reader.whole_sha256()
        for one in await listing(self._http, self._destination.key):
            if one.kind == FINAL and one.metadata.get("sha256") == ours:
                url = self._http.located(one.location)
                return await tus.ask(self._http, url, self._reader.size, digest=True)
        return None

    def _moved(self) -> None:
        done = sum(part.done for part in self._parts)
        self._destination.progress(done, self._reader.size)


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at once; the first that fails ends the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
