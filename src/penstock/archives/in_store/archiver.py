"""Carrying out one archive: a folder becomes a ZIP inside the store.

Where the store can put files together it does (:class:`~penstock.stores.composing.Composes`): most
bytes never come here. Elsewhere the ZIP goes into an upload of its own, whose offset is durable.
Either way the same folder makes the same bytes, so an attempt goes on where the last one was
killed; if a file of the folder has changed by then, the archive begins anew. It never has files of
two moments in it: what changes while it is made is noticed.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from penstock.archives.in_store.archive import Made, result_of
from penstock.archives.in_store.blueprint import ZipBlueprint
from penstock.archives.in_store.folder import Folder, survey
from penstock.archives.in_store.options import ArchiveOptions
from penstock.archives.in_store.wish import Wish
from penstock.errors import NotFound, PenstockError, SourceChanged
from penstock.jobs import Again, Final, Job, Run
from penstock.stores.composing import Composes, Course, Meter, Usage
from penstock.stores.interface import FileInfo, Store
from penstock.uploads import Creation, Session, State, Uploads

MOST_BEGINNINGS = 8
"""How often an archive begins before its folder is given up; jobs are not tried more often."""

CONTENT_TYPE = "application/zip"

_SAVE_SECONDS = 20.0
_SETTLING = 2.0
"""Seconds that a folder is given before it is listed again."""


@dataclass(slots=True)
class _Kept:
    """What a job keeps: how often it began, what the store or the upload needs to go on, and what
    earlier attempts used."""

    beginnings: int = 0
    composing: dict[str, Any] = field(default_factory=dict)
    digest: str = ""
    upload: str = ""
    usage: tuple[int, ...] = ()
    memory_peak: int = 0


class Archiver:
    """The handler of the jobs that are archives."""

    def __init__(self, store: Store, uploads: Uploads, options: ArchiveOptions) -> None:
        self._store = store
        self._uploads = uploads
        self.options = options

    async def __call__(self, run: Run) -> Mapping[str, Any]:
        """Archive to the end; answers the result of the job."""
        if run.job.attempts == 1 and run.checkpoint:  # somebody asked for it again
            await run.save({**run.checkpoint, "beginnings": 0})
        try:
            return await self._attempt(run, Wish.from_spec(run.job.spec))
        except SourceChanged as error:
            beginnings = run.checkpoint.get("beginnings", 0) + 1
            if beginnings >= MOST_BEGINNINGS:
                await self._forsake(run)
                raise Final(_restless(error)) from error
            await run.log(f"begins anew: {error.detail}")
            await run.save({**run.checkpoint, "beginnings": beginnings}, done=0, files_done=0)
            raise Again(error, _SETTLING) from error
        except PenstockError as error:
            if not error.retryable:
                await self._forsake(run)
            raise

    async def clean_up(self, job: Job) -> None:
        """Remove what came of an archive that nobody goes on with."""
        kept = job.checkpoint.get("composing")
        if kept and isinstance(self._store, Composes):
            await self._store.forsake(job.spec["key"], kept)
        await self._uploads.discard(job.spec["key"], _owner(job))

    async def _forsake(self, run: Run) -> None:
        """Remove what came of one that fails for good, or begins anew if it is asked for again."""
        await run.save()  # refused to whoever has lost the job: what is there is another's by now
        with suppress(PenstockError):  # then it is swept
            await self.clean_up(replace(run.job, checkpoint=run.checkpoint))

    async def _attempt(self, run: Run, wish: Wish) -> Mapping[str, Any]:
        if not isinstance(self._store, Composes):
            return await self._with(run, wish, None)
        with self._store.metered() as meter:
            return await self._with(run, wish, meter)

    async def _with(self, run: Run, wish: Wish, meter: Meter | None) -> Mapping[str, Any]:
        options = self.options
        folder = await survey(self._store, wish, most=options.most, exports=options.exports)
        blueprint = ZipBlueprint(self._store, folder)
        work = _Work(run, wish, folder, blueprint, meter)
        run.progress(total=blueprint.size, files_total=folder.files)
        try:
            if isinstance(self._store, Composes):
                await self._compose(work, self._store)
            else:
                await self._upload(work)
        finally:
            await blueprint.close()
        return work.result()

    async def _compose(self, work: "_Work", store: Composes) -> None:
        await work.blueprint.ask()
        course = Course(work.kept.composing, work.save_composing, work.progress)
        composed = await store.compose(
            work.wish.key,
            work.blueprint,
            course,
            content_type=CONTENT_TYPE,
            condition=work.wish.condition,
            tags=work.wish.tags,
        )
        work.file = composed.file
        work.parts, work.copied = composed.parts, composed.copied
        await work.run.log(
            f"{composed.parts:,} parts, {composed.copied:,} of them copied inside the store, "
            f"{composed.found:,} found from before"
        )

    async def _upload(self, work: "_Work") -> None:
        """The way of stores that do not compose."""
        kept, run = work.kept, work.run
        if kept.upload and kept.digest == work.blueprint.digest:
            with suppress(NotFound):  # it expired, or lies on another host
                async with await self._uploads.take(kept.upload, _owner(run.job)) as session:
                    if session.row.state != State.FAILED:
                        await self._go_on(session, work)
                        return
        # Refused to whoever has lost the job: what is there is another's by now.
        await work.save()
        await self._uploads.discard(work.wish.key, _owner(run.job))
        creation = Creation(
            key=work.wish.key,
            length=work.blueprint.size,
            content_type=CONTENT_TYPE,
            condition=work.wish.condition,
            owner=_owner(run.job),
        )
        async with await self._uploads.create(creation) as session:
            kept.upload, kept.digest = session.row.id, work.blueprint.digest
            await work.save()
            await self._go_on(session, work)

    async def _go_on(self, session: Session, work: "_Work") -> None:
        if session.is_open:
            await self._append(session, work)
            if await session.crc32() != await work.blueprint.crc32():
                work.kept.upload = ""
                await work.save()
                raise SourceChanged("a file has other bytes than its CRC-32 says; store it again")
        work.file = await session.finish()

    async def _append(self, session: Session, work: "_Work") -> None:
        if session.offset:
            await work.run.log(f"goes on at byte {session.offset:,}")
        now = asyncio.get_running_loop().time
        due = now() + _SAVE_SECONDS
        pieces = work.blueprint.read(session.offset, work.blueprint.size)
        async with aclosing(pieces):
            async for data in pieces:
                await session.append(data)
                work.sent += len(data)
                work.progress(session.offset)
                if now() >= due:
                    await work.save()
                    due = now() + _SAVE_SECONDS


class _Work:
    """One attempt: what it is about, and what came of it so far."""

    def __init__(
        self, run: Run, wish: Wish, folder: Folder, blueprint: ZipBlueprint, meter: Meter | None
    ) -> None:
        self.run = run
        self.wish = wish
        self.blueprint = blueprint
        self.kept = _Kept(**run.checkpoint)
        self.file: FileInfo | None = None
        self.parts = self.copied = self.sent = 0
        self._folder = folder
        self._meter = meter
        self._used_before = Usage(*self.kept.usage)
        self._peak_before = self.kept.memory_peak

    def progress(self, done: int) -> None:
        """So many bytes of the archive are in the store."""
        self.run.progress(done, files_done=self.blueprint.files_before(done))

    async def save(self) -> None:
        """Write down what the next attempt must know."""
        self.kept.usage, self.kept.memory_peak = self._usage(), self._memory_peak()
        await self.run.save(asdict(self.kept))

    async def save_composing(self, composing: Mapping[str, object]) -> None:
        """Write down what the store must know to go on."""
        self.kept.composing = dict(composing)
        await self.save()

    def result(self) -> dict[str, Any]:
        """The result of the job."""
        assert self.file is not None
        made = Made(
            file=self.file,
            files=self._folder.files,
            members=self._folder.files + self._folder.folders,
            bytes=self._folder.bytes,
            parts=self.parts,
            copied=self.copied,
            usage=self._usage(),
            memory_peak=self._memory_peak(),
        )
        return result_of(made)

    def _usage(self) -> Usage:
        if self._meter is not None:
            return self._used_before.plus(self._meter.usage)
        return self._used_before.plus(Usage(received=self.blueprint.received, sent=self.sent))

    def _memory_peak(self) -> int:
        held = self._meter.memory_peak if self._meter else 0
        return max(self._peak_before, held + self.blueprint.room.peak)


def _restless(error: SourceChanged) -> SourceChanged:
    return SourceChanged(
        "the folder keeps changing while it is archived; ask again when nothing in it changes "
        f"(the last time: {error.detail.partition(';')[0]})"
    )


def _owner(job: Job) -> str:
    """Whose the uploads of an archive are: nobody else can look at them or go on with them."""
    return f"archive:{job.id}"
