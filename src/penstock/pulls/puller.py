"""Carrying out one pull: from the source into an upload, from there to its key.

The bytes go into an upload of their own (:mod:`penstock.uploads`), whose offset is durable: after
a broken connection, a ``kill -9`` or a restart the next attempt goes on there, if the source can
be asked for the rest of the very same version. If it cannot, or has another version by now, the
pull begins anew. Two versions never meet in one file.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing, suppress
from typing import Any

from penstock.errors import (
    DigestMismatch,
    NotFound,
    PenstockError,
    SourceChanged,
    SourceFailed,
    TooLarge,
)
from penstock.jobs import Again, Final, Job, Run
from penstock.octets.content_types import given_type
from penstock.pulls.kept import Kept
from penstock.pulls.pull import result_of
from penstock.pulls.wish import Wish
from penstock.remote import Remote, RemoteFile, redacted
from penstock.uploads import Creation, Session, State, Uploads

MOST_BEGINNINGS = 10
"""How often a pull begins anew before its source is given up."""

_SAVE_SECONDS = 20.0
"""Seconds after which it is written down that a pull gets on."""


class Puller:
    """The handler of the jobs that are pulls."""

    def __init__(self, remote: Remote, uploads: Uploads) -> None:
        self._remote = remote
        self._uploads = uploads

    async def __call__(self, run: Run) -> Mapping[str, Any]:
        """Pull to the end; answers the result of the job."""
        wish = Wish.from_spec(run.job.spec)
        if run.job.attempts == 1 and run.checkpoint:  # somebody asked for it again
            await run.save({**run.checkpoint, "beginnings": 0})
        while True:
            try:
                result = await self._attempt(run, wish)
                run.retained = wish.fulfilled.to_spec()
                return result
            except SourceChanged as error:
                await self._begin_anew(run, error)
            except SourceFailed as error:
                if not error.resumable:
                    await self._begin_anew(run, error)
                if error.passing:
                    await run.save()  # what came further than ever is no failure
                    raise Again(error, error.pause or 0.0) from error
                if error.resumable:
                    raise Final(error) from error

    async def clean_up(self, job: Job) -> None:
        """Remove what came of a pull that was cancelled."""
        await self._uploads.discard(job.spec["key"], owner_of(job))

    async def _attempt(self, run: Run, wish: Wish) -> Mapping[str, Any]:
        kept = Kept.of(run.checkpoint, wish)
        if kept is not None:
            with suppress(NotFound):  # it expired, or was removed
                async with await self._uploads.take(kept.upload, owner_of(run.job)) as session:
                    if _is_worth_it(session, kept.file):
                        return await self._go_on(run, session, wish, kept.file)
        return await self._begin(run, wish)

    async def _begin(self, run: Run, wish: Wish) -> Mapping[str, Any]:
        # Refused to whoever has lost the job: what is there is another's by now. From here on there
        # may be something to clean up.
        await run.save({"beginnings": run.checkpoint.get("beginnings", 0)})
        await self._uploads.discard(wish.key, owner_of(run.job))
        file = await self._remote.probe(wish.url, wish.headers)
        sha256 = wish.sha256 or file.sha256
        if file.sha256 not in (None, sha256):
            raise _mismatch(wish)
        creation = Creation(
            key=wish.key,
            length=file.size,
            content_type=wish.content_type or given_type(file.content_type),
            sha256=sha256,
            condition=wish.condition,
            owner=owner_of(run.job),
        )
        async with await self._uploads.create(creation) as session:
            await run.log(f"began at the first byte of {_told(file)}")
            kept = Kept(session.row.id, file).to_checkpoint()
            await run.save({**run.checkpoint, **kept}, done=0, total=file.size)
            return await self._go_on(run, session, wish, file)

    async def _go_on(
        self, run: Run, session: Session, wish: Wish, file: RemoteFile
    ) -> Mapping[str, Any]:
        if session.is_open:
            await self._fetch(run, session, file)
        try:
            stored = await session.finish()
        except DigestMismatch:
            if wish.sha256 is None:  # it is the source that promised other bytes
                raise SourceChanged(f"{redacted(wish.url)} sent other bytes than it said") from None
            raise _mismatch(wish) from None
        assert stored is not None
        outcome = session.upload.outcome
        return result_of(stored, replaced=outcome is not None and outcome.replaced)

    async def _fetch(self, run: Run, session: Session, file: RemoteFile) -> None:
        if session.offset:
            await run.log(f"goes on at byte {session.offset:,} of {_told(file)}")
        now = asyncio.get_running_loop().time
        run.progress(session.offset, file.size)
        due = now() + _SAVE_SECONDS
        async with aclosing(self._remote.read(file, session.offset)) as pieces:
            async for data in pieces:
                try:
                    await session.append(data)
                except TooLarge as error:
                    await session.fail(error)
                    raise
                run.progress(session.offset, file.size)
                if now() >= due:
                    await run.save()  # a server that dies later has not been here in vain
                    due = now() + _SAVE_SECONDS

    async def _begin_anew(self, run: Run, error: PenstockError) -> None:
        """Let go of what came; the next attempt asks for the first byte again.

        :raises Final: that was done too often.
        """
        beginnings = run.checkpoint.get("beginnings", 0) + 1
        if beginnings >= MOST_BEGINNINGS:
            raise Final(error) from error
        await run.log(f"begins anew: {error.detail}")
        await run.save({"beginnings": beginnings}, done=0)


def owner_of(job: Job) -> str:
    """Whose the uploads of a pull are: nobody else can look at them or go on with them."""
    return f"pull:{job.id}"


def _is_worth_it(session: Session, file: RemoteFile) -> bool:
    """Whether to go on with what came earlier."""
    if session.row.state == State.FAILED:
        return False
    return session.ended or session.offset == 0 or session.offset == file.size or file.resumable


def _told(file: RemoteFile) -> str:
    size = "an unknown number of" if file.size is None else f"{file.size:,}"
    return f"{size} bytes, version {file.version or 'not told'}"


def _mismatch(wish: Wish) -> DigestMismatch:
    return DigestMismatch(
        f"{redacted(wish.url)} has not the SHA-256 that was asked for; nothing was stored"
    )
