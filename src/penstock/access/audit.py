"""The audit log: who did what to what, and how that went."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from penstock.access.grant import Grant
from penstock.catalog.access import AuditBook, AuditRow

_PAUSE = 0.5
"""Seconds for which lines gather."""
_MOST_WAITING = 10_000
_BATCH = 500
_MOST_TEXT = 1024
"""Characters of a subject."""
_WINDOW = 60.0
"""Seconds in which refusals of one address are two lines at most."""
_MOST_REFUSED = 256
"""Addresses that are told apart in that time."""

_log = logging.getLogger("penstock.access")


class Audit:
    """Lines for the catalog; ``keep`` is how many seconds they are kept, 0: there are none.

    What :meth:`note` notes is durable on return; what :meth:`add` is given is written half a
    second later, and lost if the process is killed before.
    """

    def __init__(
        self, book: AuditBook, keep: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._book = book
        self._keep = keep
        self._clock = clock
        self._waiting: list[AuditRow] = []
        self._lost = 0
        self._refused: OrderedDict[str, tuple[AuditRow, int]] = OrderedDict()
        self._window = 0.0
        self._writing = asyncio.Lock()

    @property
    def is_on(self) -> bool:
        """Whether anything is noted."""
        return self._keep > 0

    async def note(
        self,
        action: str,
        subject: str,
        grant: Grant,
        *,
        status: int = 200,
        remote: str = "",
        request_id: str = "",
    ) -> None:
        """A line that matters for security; durable on return."""
        if self.is_on:
            await self._book.add([self._line(action, subject, grant, status, remote, request_id)])

    def add(
        self,
        action: str,
        subject: str,
        grant: Grant,
        *,
        status: int = 200,
        remote: str = "",
        request_id: str = "",
    ) -> None:
        """A line that is written soon."""
        if self.is_on:
            self._append(self._line(action, subject, grant, status, remote, request_id))

    def refused(
        self,
        action: str,
        subject: str,
        grant: Grant,
        *,
        status: int,
        remote: str = "",
        request_id: str = "",
    ) -> None:
        """A line about a request that was refused; of many in a minute from one address there is
        the first, and how many more there were."""
        if not self.is_on:
            return
        self._look_at_clock()
        line = self._line(action, subject, grant, status, remote, request_id)
        source = f"{action} {remote}"
        if source in self._refused:
            first, more = self._refused[source]
            self._refused[source] = first, more + 1
        elif len(self._refused) < _MOST_REFUSED:
            self._refused[source] = line, 0
            self._append(line)
        else:
            others, more = self._refused.get("", (line._replace(remote="", actor="nobody"), 0))
            self._refused[""] = others, more + 1

    def _look_at_clock(self) -> None:
        if not 0 <= self._clock() - self._window < _WINDOW:
            self._end_window()

    def _end_window(self) -> None:
        self._window = now = self._clock()
        for first, more in self._refused.values():
            if more:
                told = f"{more} more requests within {_WINDOW:g} seconds"
                self._append(first._replace(time=now, subject=told, request_id=""))
        self._refused.clear()

    async def page(
        self, limit: int, before: int | None = None, action: str = "", actor: str = ""
    ) -> list[AuditRow]:
        """Lines, the newest first, as :meth:`AuditBook.page` has it; also those just noted."""
        await self.flush()
        return await self._book.page(limit, before, action, actor)

    def _line(
        self, action: str, subject: str, grant: Grant, status: int, remote: str, request_id: str
    ) -> AuditRow:
        return AuditRow(
            sequence=0,
            time=self._clock(),
            actor=grant.actor,
            name=_clean(grant.name),
            action=action,
            subject=_clean(subject),
            status=status,
            remote=_clean(remote),
            request_id=request_id,
        )

    def _append(self, line: AuditRow) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(line)
        else:
            self._lost += 1

    async def flush(self) -> None:
        """Write what waits, and wait for what is being written."""
        async with self._writing:
            await self._write()

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                await self._book.add(batch)
            except Exception:
                # Not if this is cancelled: then the catalog writes them all the same.
                self._waiting[:0] = batch
                raise
        if self._lost:
            _log.error("the audit log could not be written for too long: %d lost", self._lost)
            self._lost = 0

    async def run(self) -> None:
        """Write lines until it is cancelled."""
        while True:
            await asyncio.sleep(_PAUSE)
            self._look_at_clock()
            await self.flush()

    async def finish(self) -> None:
        """Write what there is, at the end."""
        self._end_window()
        await self.flush()

    async def sweep(self) -> None:
        """Remove lines that were kept as long as they should be."""
        if self.is_on:
            while await self._book.sweep(self._clock() - self._keep):
                pass


def _clean(text: str) -> str:
    """What every database takes: no NUL, no half of a surrogate pair."""
    short = text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
    return short.encode(errors="replace").decode().replace("\0", "\ufffd")
