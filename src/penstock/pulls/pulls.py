"""Pulls as whoever asks for them sees them: begun, looked at, watched, ended, tried again."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from penstock.errors import NotFound, WrongState
from penstock.jobs import ENDED, Job, Jobs, State
from penstock.pulls.pull import Pull, pull_of
from penstock.pulls.puller import owner_of
from penstock.pulls.wish import Wish
from penstock.stores.early import check_early
from penstock.stores.interface import Store
from penstock.uploads import Uploads

KIND = "pull"
"""Of the jobs."""
LANE = "pull"
"""Pulls have places of their own in each worker."""


class Pulls:
    """The pulls of one store. Others' are not found: ``owner`` says whose are asked for, ``None``
    everybody's."""

    def __init__(self, jobs: Jobs, uploads: Uploads, store: Store) -> None:
        self._jobs = jobs
        self._uploads = uploads
        self._store = store

    async def begin(self, wish: Wish, owner: str = "") -> Pull:
        """Have something pulled. The same wish, while it is unfinished, is the same pull.

        :raises PreconditionFailed: a file stands at the key and must not be replaced.
        :raises Busy: too much is unfinished.
        """
        await check_early(self._store, wish.key, wish.condition)
        job, _ = await self._jobs.enqueue(
            KIND, wish.to_spec(), key=wish.digest, owner=owner, lane=LANE
        )
        return pull_of(job)

    async def get(self, identity: str, owner: str | None = "") -> Pull:
        """How a pull stands.

        :raises NotFound: there is no such pull.
        """
        return pull_of(await self._job(identity, owner))

    async def page(
        self, *, after: str = "", limit: int = 100, owner: str | None = ""
    ) -> list[Pull]:
        """The newest pulls, or those before the one whose id is ``after``."""
        jobs = await self._jobs.page(kind=KIND, owner=owner, after=after, limit=limit)
        return [pull_of(job) for job in jobs]

    async def cancel(self, identity: str, owner: str | None = "") -> Pull:
        """End a pull and remove what came of it; one that failed leaves nothing then.

        Whoever carries it out may need a moment longer than this waits: ``cancelling`` then.

        :raises NotFound: there is no such pull.
        :raises WrongState: it is done.
        """
        job = await self._job(identity, owner)
        if job.state not in ENDED:
            with suppress(WrongState):  # it ended in this moment
                await self._jobs.cancel(identity, owner)
            job = await self._jobs.when_ended(identity, owner)
        if job.state is State.DONE:
            raise WrongState("the pull is done; to remove what it stored delete that file")
        if job.state is State.FAILED:
            await self._uploads.discard(job.spec["key"], owner_of(job))
        return pull_of(job)

    async def retry(self, identity: str, owner: str | None = "") -> Pull:
        """Let one that failed or was cancelled go on; one that waits does so at once.

        :raises NotFound: there is no such pull.
        :raises WrongState: it is under way or done, or the same was asked for anew.
        """
        await self._job(identity, owner)
        return pull_of(await self._jobs.retry(identity, owner))

    async def watch(self, identity: str, owner: str | None = "") -> AsyncGenerator[Pull, None]:
        """How a pull stands now, and again after every change worth telling, until it has ended.

        :raises NotFound: there is no such pull, or no more.
        """
        await self._job(identity, owner)
        async with aclosing(self._jobs.watch(identity, owner)) as jobs:
            async for job in jobs:
                yield pull_of(job)

    async def _job(self, identity: str, owner: str | None) -> Job:
        job = await self._jobs.get(identity, owner)
        if job.kind != KIND:
            raise NotFound("there is no such pull; it may be too old")
        return job
