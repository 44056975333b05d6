"""A file put together inside S3 by one multipart upload, over as many attempts as it takes.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final
from uuid import uuid4

from penstock.errors import BadRequest, PenstockError, PreconditionFailed, ServerUnavailable
from penstock.stores.composing import Blueprint, Composed, Course
from penstock.stores.interface import Condition, Facts
from penstock.stores.s3.abilities import WITH_CRC32, Abilities
from penstock.stores.s3.calls import Head
from penstock.stores.s3.compose.assembly import Assembly
from penstock.stores.s3.compose.covering import Made
from penstock.stores.s3.compose.filling import Filling
from penstock.stores.s3.compose.finishing import complete, wrong_parts
from penstock.stores.s3.compose.keeping import Kept, name_of_wish
from penstock.stores.s3.compose.leaving import clear, remove
from penstock.stores.s3.compose.note import Note
from penstock.stores.s3.compose.planning import limits_of, name_of, number_of, parts_of
from penstock.stores.s3.compose.tagging import tagging
from penstock.stores.s3.multipart import abort
from penstock.stores.s3.publishing import Publishing, fields_of
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Broken, Refused
from penstock.stores.tasks import side_by_side
from penstock.threads import to_the_end

_RESENDS: Final = 4
_SPOILT: Final = frozenset(
    {"BadDigest", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "InvalidRequest"}
)
"""What S3 says of parts that become no object, however often it is tried."""
_TAGS_REFUSED: Final = frozenset({"InvalidTag", "NotImplemented"})


class Composition:
    """One attempt to put a file together."""

    def __init__(
        self,
        shared: Shared,
        key: str,
        blueprint: Blueprint,
        course: Course,
        *,
        content_type: str,
        condition: Condition,
        tags: Mapping[str, str],
    ) -> None:
        self._shared = shared
        self._calls = shared.calls
        self._key = key
        self._name = shared.name_of(key)
        self._blueprint = blueprint
        self._course = course
        self._type = content_type
        self._condition = condition
        self._tags = tagging(tags)

    async def run(self) -> Composed:
        """Go on with what was kept, or begin.

        Raises what :meth:`Composes.compose` does, and :class:`Refused` and :class:`Broken`.
        """
        able = await self._shared.abilities()
        kept = Kept.of(self._course.kept)
        if kept is not None and kept.what != self._what:
            await self._remove(kept)
            kept = None
        if kept is not None:
            done = await self._go_on(able, kept)
            if done is not None:
                return done
        limits = limits_of(self._shared, able)
        parts = await parts_of(self._shared, self._blueprint, limits)
        kept = Kept(
            self._what,
            limits,
            await name_of(self._shared, parts),
            token=uuid4().hex,
            upload="",
            note=self._shared.orphans.new(),
            nested=any(isinstance(part, Made) for part in parts),
        )
        note = Note(self._shared.orphans, self._name, kept)
        await to_the_end(self._begin(able, kept, note))
        whole = Assembly(self._name, parts, upload=kept.upload)
        return await self._fill(able, kept, self._filling(able, kept, note), whole)

    async def _remove(self, kept: Kept) -> None:
        """Begin anew: but not who has lost the work, for what there is another goes on with."""
        await self._course.save(kept.as_json())
        await remove(self._shared, self._name, kept)

    @property
    def _what(self) -> str:
        return name_of_wish(self._name, self._blueprint.digest, self._fields(""))

    def _fields(self, token: str) -> dict[str, str]:
        return {**fields_of(token, Facts(content_type=self._type)), **self._tags}

    def _filling(self, able: Abilities, kept: Kept, note: Note) -> Filling:
        return Filling(self._shared, able, self._blueprint, self._course, kept, note)

    async def _go_on(self, able: Abilities, kept: Kept) -> Composed | None:
        """Finish what an earlier attempt began, if it is still there."""
        parts = await parts_of(self._shared, self._blueprint, kept.limits)
        if not kept.upload or kept.parts != await name_of(self._shared, parts):
            await self._remove(kept)
            return None
        filling = self._filling(able, kept, Note(self._shared.orphans, self._name, kept))
        whole = Assembly(self._name, parts, upload=kept.upload)
        try:
            await filling.find(whole)
        except Refused as error:
            if error.status != 404:
                raise
        else:
            # So far it has come, however its attempts ended.
            await self._course.save(kept.as_json())
            return await self._fill(able, kept, filling, whole)
        head = await self._publishing(kept).mine(certain=True)
        if head is not None:
            filling.found = number_of(parts)
            crc32 = await self._blueprint.crc32() if head.crc32 is None else head.crc32
            return await to_the_end(self._answer(kept, filling, whole, head, crc32))
        await clear(self._shared, kept)
        return None

    async def _begin(self, able: Abilities, kept: Kept, note: Note) -> None:
        """Have an upload that is known to whoever comes after; before, that there may be one."""
        await self._course.save(kept.as_json())
        fields = {**self._fields(kept.token), **(WITH_CRC32 if able.crc32_of_multipart else {})}
        try:
            kept.upload = await self._calls.create(self._name, fields)
        except Refused as error:
            if self._tags and error.code in _TAGS_REFUSED:
                raise BadRequest(
                    f"the S3 store does not take these tags ({error.code}); leave them out"
                ) from error
            raise
        try:
            await note.write()
            await self._course.save(kept.as_json())
        except BaseException:
            await abort(self._shared, self._name, kept.upload, kept.note)
            raise

    async def _fill(
        self, able: Abilities, kept: Kept, filling: Filling, whole: Assembly
    ) -> Composed:
        try:
            async with filling.note.alive():
                await filling.fill(whole)
                await self._check(filling, whole)
                crc32 = await self._blueprint.crc32()
        except Refused as error:
            if error.code != "NoSuchUpload":
                raise
            # Not for long: the next attempt sees it, and finds the file stored or begins anew.
            raise ServerUnavailable("the multipart upload was ended by somebody else") from error
        finish = asyncio.ensure_future(self._finish(able, kept, filling, whole, crc32))
        try:
            return await to_the_end(finish)
        except asyncio.CancelledError:
            if finish.cancelled() or finish.exception() is not None:
                raise
            # It is stored, so there is nothing to cancel any more.
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            return finish.result()

    async def _check(self, filling: Filling, whole: Assembly) -> None:
        """See that S3 has every part as it should be."""
        wrong = await wrong_parts(self._calls, whole)
        if not wrong:
            return
        await side_by_side(lambda number: filling.resend(whole, number), wrong, _RESENDS)
        if await wrong_parts(self._calls, whole):
            raise PenstockError("the S3 store has not kept the parts that it was sent")

    async def _finish(
        self, able: Abilities, kept: Kept, filling: Filling, whole: Assembly, crc32: int | None
    ) -> Composed:
        publishing = self._publishing(kept)
        parts = [whole.have[number] for number in sorted(whole.have)]

        async def step(guard: Mapping[str, str]) -> str:
            return await complete(self._calls, able, whole, parts, guard, crc32)

        try:
            head = await publishing.run(step, self._condition, multipart=True)
        except PreconditionFailed:
            # What stands there may be what an attempt has stored that is slow to die.
            found = await self._publishing(kept).mine(certain=True)
            if found is None:
                raise
            head = found
        except Refused as error:
            if error.code in _SPOILT:
                await self._remove(kept)
            if error.code in _SPOILT or error.code == "NoSuchUpload":
                raise ServerUnavailable(
                    "the S3 store does not make a file of the parts it has; they are made anew "
                    "at the next attempt"
                ) from error
            raise
        return await self._answer(kept, filling, whole, head, crc32)

    async def _answer(
        self, kept: Kept, filling: Filling, whole: Assembly, head: Head, crc32: int | None
    ) -> Composed:
        file = await self._publishing(kept).noted(head, Facts(None, crc32, self._type))
        self._course.progress(file.size)
        with suppress(Refused, Broken):  # else it is swept
            await clear(self._shared, kept)
        return Composed(file, number_of(whole.parts), filling.copied, filling.found)

    def _publishing(self, kept: Kept) -> Publishing:
        return Publishing(self._shared, self._key, kept.token, self._blueprint.size)
