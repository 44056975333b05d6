"""Archives, for those who ask for them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from penstock.archives.in_store.archive import Archive, archive_of, cost_of
from penstock.archives.in_store.archiver import Archiver
from penstock.archives.in_store.estimate import Estimate, estimate
from penstock.archives.in_store.folder import Folder, survey
from penstock.archives.in_store.wish import Wish
from penstock.errors import NotFound, PreconditionFailed, WrongState
from penstock.jobs import ENDED, Job, Jobs, State
from penstock.stores.direct import Presigns
from penstock.stores.early import check_early
from penstock.stores.interface import Store

KIND = "archive"
"""Of the jobs."""
SMALL = "small"
LARGE = "large"
"""The lanes: each has places of its own in each worker."""

_LISTED_AT_ONCE = 4
"""Folders, some hundred megabytes of memory each if they have a million files; others wait."""


class Archives:
    """The archives of one store. Others' are not found: ``owner`` says whose are asked for."""

    def __init__(self, jobs: Jobs, store: Store, archiver: Archiver) -> None:
        self.options = archiver.options
        self._jobs = jobs
        self._store = store
        self._archiver = archiver
        self._listing = asyncio.Semaphore(_LISTED_AT_ONCE)

    async def survey(self, wish: Wish) -> Folder:
        """List the folder of a wish.

        :raises NotFound: there is nothing in it.
        :raises TooLarge: there are too many files in it.
        """
        async with self._listing:
            return await self._survey(wish)

    async def begin(
        self, wish: Wish, owner: str = "", *, folder: Folder | None = None
    ) -> tuple[Archive, bool]:
        """Have a folder archived; answers the archive, and whether it is a new one.

        The same wish for the same folder, unfinished or finished lately, is the same archive; for
        a folder that has changed it is another. The folder is listed for that, unless it is given
        as it was just listed.

        :raises NotFound: there is nothing in the folder.
        :raises TooLarge: there are too many files in it.
        :raises PreconditionFailed: a file stands at the key and must not be replaced.
        :raises Busy: too much is unfinished.
        """
        async with self._listing:
            folder = folder or await self._survey(wish)
            job, is_new = await self._enqueued(wish, folder, owner)
        if is_new:
            await self._refuse_early(job, wish, owner)
        return archive_of(job), is_new

    async def estimate(self, wish: Wish) -> Estimate:
        """What an archive would take.

        :raises NotFound: there is nothing in the folder.
        :raises TooLarge: there are too many files in it.
        """
        async with self._listing:
            folder = await self._survey(wish)
            lane, prices = self.lane_of(folder), self.options.prices
            return await estimate(self._store, wish, folder, lane, prices)

    async def get(self, identity: str, owner: str | None = "") -> Archive:
        """How an archive stands.

        :raises NotFound: there is none of that id.
        """
        return archive_of(await self._job(identity, owner))

    async def page(
        self, *, after: str = "", limit: int = 100, owner: str | None = ""
    ) -> list[Archive]:
        """The newest archives, or those before the one whose id is ``after``."""
        jobs = await self._jobs.page(kind=KIND, owner=owner, after=after, limit=limit)
        return [archive_of(job) for job in jobs]

    async def cancel(self, identity: str, owner: str | None = "") -> Archive:
        """End an archive and remove what came of it; one that failed leaves nothing then.

        Whoever carries it out may need a moment longer than this waits: ``cancelling`` then.

        :raises NotFound: there is none of that id.
        :raises WrongState: it is done.
        """
        job = await self._job(identity, owner)
        if job.state not in ENDED:
            with suppress(WrongState):  # it ended in this moment
                await self._jobs.cancel(identity, owner)
            job = await self._jobs.when_ended(identity, owner)
        if job.state is State.DONE:
            raise WrongState("the archive is done; to remove what it stored delete that file")
        if job.state is State.FAILED:
            await self._archiver.clean_up(job)
        return archive_of(job)

    async def retry(self, identity: str, owner: str | None = "") -> Archive:
        """Let one that failed or was cancelled go on; one that waits does so at once.

        :raises NotFound: there is none of that id.
        :raises WrongState: it is under way or done, or the same was asked for anew.
        """
        await self._job(identity, owner)
        return archive_of(await self._jobs.retry(identity, owner))

    async def watch(self, identity: str, owner: str | None = "") -> AsyncGenerator[Archive, None]:
        """How an archive stands now, and again after every change worth telling, until it has
        ended.

        :raises NotFound: there is none of that id, or no more.
        """
        await self._job(identity, owner)
        async with aclosing(self._jobs.watch(identity, owner)) as jobs:
            async for job in jobs:
                yield archive_of(job)

    async def link_of(self, archive: Archive) -> str | None:
        """A link into the store for what was made, good for as long as was wished from now on;
        ``None``: this server gives the file itself."""
        wish = archive.wish
        if archive.made is None or wish.link == "direct" or not isinstance(self._store, Presigns):
            return None
        if wish.link == "public":
            return self._store.direct_url(wish.key)
        file_name = wish.key.rpartition("/")[2]
        return await self._store.presigned(wish.key, wish.link_expiry, file_name=file_name)

    def cost_of(self, archive: Archive) -> float | None:
        """Dollars that the store asks for what was made, by the prices of the settings."""
        return None if archive.made is None else cost_of(archive.made.usage, self.options.prices)

    async def _survey(self, wish: Wish) -> Folder:
        options = self.options
        return await survey(self._store, wish, most=options.most, exports=options.exports)

    def lane_of(self, folder: Folder) -> str:
        """The lane that a folder is archived in, by its bytes."""
        return LARGE if folder.bytes > self.options.threshold else SMALL

    async def _enqueued(self, wish: Wish, folder: Folder, owner: str) -> tuple[Job, bool]:
        """The job of an archive that is unfinished or still stands, else a new one."""
        job, is_new = await self._enqueue(wish, folder, owner)
        if not is_new and job.state is State.DONE and not await self._stands(job):
            with suppress(NotFound, WrongState):  # somebody else was faster
                await self._jobs.remove(job.id, owner)
            job, is_new = await self._enqueue(wish, folder, owner)
        return job, is_new

    async def _enqueue(self, wish: Wish, folder: Folder, owner: str) -> tuple[Job, bool]:
        assert folder.plan.etag is not None
        return await self._jobs.enqueue(
            KIND,
            {**wish.to_spec(), "bytes": folder.bytes},
            key=wish.digest(self.options.store, folder.plan.etag),
            owner=owner,
            lane=self.lane_of(folder),
            total=folder.plan.size,
            valid=self.options.valid,
        )

    async def _stands(self, job: Job) -> bool:
        """Whether what a job made is still there."""
        made = archive_of(job).made
        if made is None:
            return False
        try:
            return (await self._store.stat(made.file.key)).etag == made.file.etag
        except NotFound:
            return False

    async def _refuse_early(self, job: Job, wish: Wish, owner: str) -> None:
        try:
            await check_early(self._store, wish.key, wish.condition)
        except PreconditionFailed:
            with suppress(NotFound, WrongState):
                await self._jobs.cancel(job.id, owner)
            raise

    async def _job(self, identity: str, owner: str | None) -> Job:
        job = await self._jobs.get(identity, owner)
        if job.kind != KIND:
            raise NotFound("there is no such archive; it may be too old")
        return job
