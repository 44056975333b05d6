"""One attempt at a job, as its handler sees it."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any

from penstock.catalog.leases import Also, Leases
from penstock.catalog.queue import JobRow
from penstock.jobs.hold import Hold, Stop
from penstock.jobs.job import decoded, encoded
from penstock.jobs.limits import JobLimits
from penstock.jobs.tracking import Tracker


class Run:
    """What a handler is given: its job, and the means to say how far it is.

    ``job`` is as it was when this attempt began; ``checkpoint`` is what was last saved.
    ``retained`` is what takes the place of the job's spec once it is done, without the secrets
    that nobody needs any more; the handler sets it, and ``None`` leaves the spec as it is.
    """

    def __init__(self, hold: Hold, leases: Leases, limits: JobLimits) -> None:
        self.job = decoded(hold.row)
        self.checkpoint: dict[str, Any] = decoded(hold.row).checkpoint
        self._hold = hold
        self._leases = leases
        self._limits = limits
        self._tracker = Tracker(hold.row, asyncio.get_running_loop().time())
        self._saving = asyncio.Lock()
        self.retained: Mapping[str, Any] | None = None

    @property
    def cancelled(self) -> bool:
        """Somebody asked for the job's end; if the handler's task is cancelled and this is
        ``False``, the job goes on elsewhere, and what it left is still needed."""
        return self._hold.reason is Stop.CANCELLED

    def progress(
        self,
        done: int | None = None,
        total: int | None = None,
        *,
        files_done: int | None = None,
        files_total: int | None = None,
    ) -> None:
        """Say how many bytes and files are done; costs nothing, and is told within seconds."""
        self._tracker.note(done, total, files_done, files_total)

    async def save(
        self,
        checkpoint: dict[str, Any] | None = None,
        *,
        done: int | None = None,
        total: int | None = None,
        files_done: int | None = None,
        files_total: int | None = None,
        also: Also | None = None,
    ) -> None:
        """Save where the work stands, together with the progress; durable on return.

        ``None`` saves what was saved before. While the database is away this waits for it. If it
        returns, no other worker had begun by then.

        :param also: a change of the catalog that is made in the same transaction: once, even if
            the job is interrupted in this very moment. It may be called again if that transaction
            was undone.
        :raises Superseded: another worker goes on with the job, or may: end, and change nothing.
        :raises TooLarge: the checkpoint is larger than the limit.
        """
        saved = dict(self.checkpoint if checkpoint is None else checkpoint)
        text = encoded("checkpoint", saved, self._limits.longest)
        async with self._saving:
            self._tracker.note(done, total, files_done, files_total)
            progress = self._tracker.tell(asyncio.get_running_loop().time())
            hold, lease = self._hold, self._limits.lease
            word = secrets.token_hex(8)
            await hold.insist(
                lambda: self._leases.save(hold.claim, word, text, lease, progress, also)
            )
            self.checkpoint = json.loads(text)

    async def log(self, text: str) -> None:
        """Add a line to the job's log, which keeps the newest 200. Say no secrets.

        :raises Superseded: as :meth:`save`.
        """
        await self._hold.insist(lambda: self._leases.write(self._hold.claim, text))

    def reached(self) -> dict[str, object]:
        """For the worker: how far the handler said it was in the end, as columns of the job."""
        progress = self._tracker.tell(asyncio.get_running_loop().time())
        return progress._replace(rate=None)._asdict()

    async def renew(self) -> None:
        """For the worker: renew the lease and tell the progress, if there is need."""
        hold, now = self._hold, asyncio.get_running_loop().time()
        if not self._tracker.is_new and now - hold.renewed < self._limits.lease / 3:
            return
        progress = self._tracker.tell(now)

        async def renew() -> JobRow | None:
            changed = await self._leases.renew(hold.claim, self._limits.lease, progress)
            return None if changed is None else hold.row._replace(**changed)

        await hold.insist(renew)
