"""Making the parts of an assembly: copied in S3, or read and sent."""

import asyncio
import logging
from contextlib import aclosing, suppress
from functools import partial
from typing import Final

from penstock.errors import PenstockError
from penstock.stores.composing import Blueprint, Course
from penstock.stores.s3.abilities import WITH_CRC32, Abilities
from penstock.stores.s3.calls import UNTYPED
from penstock.stores.s3.compose.assembly import Assembly, Task, missing
from penstock.stores.s3.compose.copying import CannotCopy, Source, copied
from penstock.stores.s3.compose.covering import Copy, Upload
from penstock.stores.s3.compose.finding import Finding
from penstock.stores.s3.compose.finishing import completed
from penstock.stores.s3.compose.keeping import Keeper, Kept
from penstock.stores.s3.compose.note import Note
from penstock.stores.s3.documents import Part, crc32_of
from penstock.stores.s3.integrity import integrity_of
from penstock.stores.s3.multipart import expected_etag, integrity_fields
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Broken, Refused
from penstock.stores.tasks import side_by_side, together
from penstock.threads import in_pool, to_the_end

_log = logging.getLogger("penstock.stores.s3")

_COPIES: Final = 16
_UPLOADS: Final = 4


class Filling:
    """``copied`` counts the parts that S3 has copied, ``found`` those of an earlier attempt; the
    ``note`` is to be given meanwhile."""

    def __init__(
        self,
        shared: Shared,
        able: Abilities,
        blueprint: Blueprint,
        course: Course,
        kept: Kept,
        note: Note,
    ) -> None:
        self._shared = shared
        self._calls = shared.calls
        self._able = able
        self._blueprint = blueprint
        self._course = course
        self._kept = kept
        self.note = note
        self._keeper = Keeper(course, kept)
        self._sending = asyncio.Semaphore(_UPLOADS)
        self._full: list[Assembly] = []
        self._size = 0
        self.copied = self.found = 0

    async def find(self, whole: Assembly) -> None:
        """See what an earlier attempt has made.

        :raises Refused: the upload is gone (404); or as :meth:`Client.call` does.
        """
        finding = Finding(self._calls, self._able, self._blueprint, self._kept, self.note.made)
        await finding.find(whole)
        self.found, self._size, self._full = finding.leaves, finding.size, finding.full
        self._course.progress(self._size)

    async def fill(self, whole: Assembly) -> None:
        """Make every part that is missing.

        :raises SourceChanged: a source is another version by now.
        """
        try:
            await side_by_side(self._close, self._full, _UPLOADS)
            copies = missing(whole, self.note.made, Copy)
            uploads = missing(whole, self.note.made, Upload)
            if self._able.copy_crc32:
                # What is uploaded may hold CRC-32s of what is copied.
                await side_by_side(self._copy, copies, _COPIES)
                await side_by_side(self._upload, uploads, _UPLOADS)
            else:
                await together(
                    side_by_side(self._copy, copies, _COPIES),
                    side_by_side(self._upload, uploads, _UPLOADS),
                )
        finally:
            try:
                await to_the_end(self._keeper.flush())
            except Exception:  # noqa: BLE001 - what came before is told; more is made again then
                _log.warning("how far a composition came is not written down", exc_info=True)

    async def resend(self, whole: Assembly, number: int) -> None:
        """Send a part that S3 has not got as it should."""
        part = whole.parts[number - 1]
        whole.have[number], _ = await self._sent(whole, number, part.start, part.stop)

    async def _copy(self, task: Task) -> None:
        assembly, number, piece = task
        assert isinstance(piece, Copy)
        await self._begin(assembly)
        stretch, length = piece.stretch, piece.stop - piece.start
        name = self._shared.name_of(stretch.key)
        source = Source(stretch.key, name, stretch.etag, piece.first, length, stretch.size)
        value = None
        try:
            part = await copied(
                self._calls, self._able, assembly.name, assembly.upload, number, source
            )
            value = _value(part.crc32)
            self.copied += 1
        except CannotCopy:
            part, value = await self._sent(assembly, number, piece.start, piece.stop)
        if value is not None:
            self._blueprint.copied(stretch, piece.start, piece.stop, value)
            if assembly.within is not None and self._able.copy_crc32:
                self._kept.crc32s[piece.start] = value
                await self._keeper.soon()
        await self._done(assembly, part, length)

    async def _upload(self, task: Task) -> None:
        assembly, number, piece = task
        await self._begin(assembly)
        part, _ = await self._sent(assembly, number, piece.start, piece.stop)
        await self._done(assembly, part, piece.stop - piece.start)

    async def _begin(self, assembly: Assembly) -> None:
        """Have an upload for it, and give a sign of life if one is due."""
        await self.note.renew()
        async with assembly.begun:
            if assembly.upload:
                return
            summed = WITH_CRC32 if self._able.crc32_of_multipart else {}
            fields = {"Content-Type": UNTYPED, **summed}
            assembly.upload = await self._calls.create(assembly.name, fields)
            self._kept.made[assembly.span] = assembly.upload
        await self._keeper.soon()

    async def _sent(
        self, assembly: Assembly, number: int, start: int, stop: int
    ) -> tuple[Part, int]:
        """Read some bytes and send them as a part; with their CRC-32."""
        async with self._sending:
            spool = self._shared.spool()
            try:
                async with aclosing(self._blueprint.read(start, stop)) as pieces:
                    async for data in pieces:
                        await spool.append(data)
                await spool.seal()
                if spool.size != stop - start:
                    raise PenstockError("a part of the file has another length than it should")
                md5 = not self._able.crc32_of_multipart
                work = partial(integrity_of, spool.pread, 0, spool.size, md5=md5)
                integrity = await to_the_end(in_pool(self._shared.pool, work))
                part = await self._calls.upload_part(
                    assembly.name,
                    assembly.upload,
                    number,
                    integrity_fields(integrity),
                    partial(spool.read, 0, spool.size) if spool.size else b"",
                    spool.size,
                    etag=await expected_etag(self._shared, integrity, part=True),
                )
                return part, integrity.crc32
            finally:
                spool.close()

    async def _done(self, assembly: Assembly, part: Part, length: int) -> None:
        """A part is in; ``length`` is that of what was not in before."""
        assembly.have[part.number] = part
        if length:
            self._size += length
            self._course.progress(self._size)
        if assembly.within is not None and assembly.is_full:
            await self._close(assembly)

    async def _close(self, made: Assembly) -> None:
        """Make a temporary object of its parts, and a part of another of it."""
        assert made.within is not None
        assembly, number = made.within
        await self._begin(assembly)
        length = made.stop - made.start
        try:
            if not made.etag:
                made.etag = await completed(self._calls, self._able, made)
            source = Source(None, made.name, made.etag, 0, length, length)
            part = await copied(
                self._calls, self._able, assembly.name, assembly.upload, number, source
            )
        except CannotCopy:
            part, _ = await self._sent(assembly, number, made.start, made.stop)
        with suppress(Refused, Broken):  # else it is removed in the end
            await self._calls.delete(made.name)
        self._kept.made.pop(made.span, None)
        await self._keeper.soon()
        # At once with what follows, or others would see a part that nobody has begun.
        assembly.drop_inner(number)
        await self._done(assembly, part, 0)


def _value(field: str | None) -> int | None:
    """The CRC-32 that the server tells, if it does."""
    try:
        return None if field is None else crc32_of(field)
    except ValueError:
        return None
