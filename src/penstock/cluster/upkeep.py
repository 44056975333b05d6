"""What is done to a cluster when nobody asks: removed, repaired, scrubbed, emptied, balanced."""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from penstock.catalog.away import is_away
from penstock.catalog.cluster.duties import Duties
from penstock.catalog.cluster.nodes import Nodes
from penstock.catalog.cluster.removals import Removals
from penstock.cluster.cleaning import Cleaner
from penstock.cluster.copying import Copier
from penstock.cluster.draining import Drainer
from penstock.cluster.means import Means
from penstock.cluster.mending import Mender
from penstock.cluster.releasing import Releaser
from penstock.cluster.saved import Saved
from penstock.cluster.scrubbing import Scrubber
from penstock.cluster.shared import Shared
from penstock.stores.tasks import together

DUTY: Final = "upkeep"
_LEASE: Final = 30.0
_RENEW: Final = 5.0
_WATCH: Final = 1.0
_LOOK: Final = 5.0
"""Seconds between two looks whether there is something to do."""
_SLICE: Final = 30.0
_AFTER_ERROR: Final = 5.0

_log = logging.getLogger("penstock.cluster")

Work = Callable[[], Awaitable[float]]
"""Does a round; answers after how many seconds the next one is to be."""


class Upkeep:
    """The tasks that look after a cluster, in every server process.

    Files are removed by all of them. The rest is done by one at a time, whoever holds the duty
    for it: its lease is renewed while it is held, and another takes over when that is over.

    After nobody could hear the nodes, as when all servers or the database were down, they seem
    dead until they speak again. So nothing is repaired in the first ``quiet`` seconds, by default
    as many as make a node dead.
    """

    def __init__(
        self,
        shared: Shared,
        nodes: Nodes,
        removals: Removals,
        duties: Duties,
        *,
        quiet: float | None = None,
    ) -> None:
        self.means = Means(shared, nodes, removals)
        copier, releaser = Copier(self.means), Releaser(self.means)
        self.cleaner = Cleaner(self.means)
        self.scrubber = Scrubber(self.means)
        self.drainer = Drainer(self.means, releaser)
        self.mender = Mender(self.means, copier, releaser, self.drainer)
        self._duties = duties
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._held_until = 0.0
        self._quiet = shared.options.dead_after if quiet is None else quiet
        self._quiet_until = 0.0
        self._mending, self._scrubbing = asyncio.Lock(), asyncio.Lock()
        self._woken = [asyncio.Event() for _ in range(3)]
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def has_duty(self) -> bool:
        """Whether this process is the one that repairs, scrubs and moves."""
        return asyncio.get_running_loop().time() < self._held_until

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._be_quiet()
        cleaning, mending, scrubbing = self._woken
        self.cleaner.landed = cleaning
        self._tasks = [
            asyncio.create_task(work)
            for work in (
                _forever(self.cleaner.round, cleaning, "removing files"),
                self._keep_duty(mending, scrubbing),
            )
        ]

    async def close(self) -> None:
        """End; what is under way is begun again by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.cleaner.close()
        if self._held_until:
            try:
                await self._duties.release(DUTY, self.holder)
            except SQLAlchemyError:  # then it is free when its lease is over
                _log.warning("the duty for the cluster cannot be given back now")

    def nudge(self) -> None:
        """Look now whether there is something to do, at all parts too."""
        self.mender.look_at_all()
        for event in self._woken:
            event.set()

    async def run_once(self) -> bool:
        """Do now all that there is to do, whatever was done lately.

        Answers ``False`` if another process has the duty, and only files were removed.
        """
        await self.cleaner.run_once()
        return await self._take() and await self._while_held(self._all_of_it())

    def status(self) -> dict[str, int]:
        """What this process has done, and found (see :class:`penstock.cluster.means.Counts`)."""
        return asdict(self.means.counts)

    async def found(self) -> dict[str, int]:
        """``short`` and ``lost``, as whoever has the duty found them, some seconds ago at most."""
        counts = self.means.counts
        if self.has_duty:
            return {"short": counts.short, "lost": counts.lost}
        saved = Saved.of(await self._duties.state(DUTY))
        return {"short": saved.short, "lost": saved.lost}

    async def needed(self, node_id: str) -> int:
        """See :meth:`penstock.cluster.draining.Drainer.needed`."""
        return await self.drainer.needed(node_id)

    async def _keep_duty(self, mending: asyncio.Event, scrubbing: asyncio.Event) -> None:
        """Work as long as the duty is ours."""
        while True:
            if await self._has_taken():
                await self._while_held(
                    together(
                        _forever(self._mend, mending, "repairing"),
                        _forever(self._scrub, scrubbing, "scrubbing"),
                    )
                )
                # Or this one, or the database, stood still, and so nobody heard the nodes.
                self._be_quiet()
                _log.warning("the duty for the cluster is lost; another process may have it")
            await asyncio.sleep(_RENEW)

    async def _while_held(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work, which is ended when the duty is lost, or may be; answers whether it was
        done."""
        loop = asyncio.get_running_loop()
        working, renewing = loop.create_task(work), loop.create_task(self._renew())
        try:
            while not working.done() and loop.time() < self._held_until:
                await asyncio.wait([working], timeout=_WATCH)
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
        if working.cancelled():
            return False
        working.result()
        return True

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEW)
            await self._has_taken()

    async def _has_taken(self) -> bool:
        try:
            return await self._take()
        except Exception as error:  # noqa: BLE001 - the database may be away; it is tried again
            _tell("taking the duty for the cluster", error)
            return False

    async def _take(self) -> bool:
        """Hold the duty, or hold it for longer."""
        asked = asyncio.get_running_loop().time()
        state = await self._duties.take(DUTY, self.holder, _LEASE)
        if state is None:
            self._held_until = 0.0
            return False
        if self._held_until < asked:
            self._go_on_from(Saved.of(state))
        elif not await self._is_saved(state):
            self._held_until = 0.0  # the lease was over meanwhile, and another has it
            return False
        self._held_until = asked + _LEASE * 0.8
        return True

    def _go_on_from(self, saved: Saved) -> None:
        self.scrubber.cursors = dict(saved.scrubs)
        self.means.counts.short, self.means.counts.lost = saved.short, saved.lost

    async def _is_saved(self, state: str) -> bool:
        """Have the next holder know how far the scrubs are, and all what was found; ``state`` is
        what they know already."""
        counts = self.means.counts
        saved = Saved(self.scrubber.cursors, counts.short, counts.lost).text()
        return saved == state or await self._duties.save(DUTY, self.holder, _LEASE, saved)

    async def _all_of_it(self) -> None:
        async with self._scrubbing:
            await self.scrubber.run_once()
        async with self._mending:
            await self.mender.run_once()

    async def _mend(self) -> float:
        try:
            nodes = await self.means.members.all()
            if not any(node.answers for node in nodes):
                self._be_quiet()
            if (rest := self._quiet_until - asyncio.get_running_loop().time()) > 0:
                return min(rest, _LOOK)
            async with self._mending:
                return await self.mender.round()
        except SQLAlchemyError:
            self._be_quiet()
            raise

    def _be_quiet(self) -> None:
        self._quiet_until = asyncio.get_running_loop().time() + self._quiet

    async def _scrub(self) -> float:
        async with self._scrubbing:
            before = (self.scrubber.scrubs, self.means.counts.bad)
            is_done = await self.scrubber.run_once(at_most=_SLICE)
        if (self.scrubber.scrubs, self.means.counts.bad) != before:
            self.mender.look_at_all()
            self._woken[1].set()
        return _LOOK if is_done else 0.0


def _tell(what: str, error: Exception) -> None:
    if is_away(error):
        _log.warning("%s failed, the database is away; it is tried again", what)
    else:
        _log.warning("%s failed; it is tried again", what, exc_info=error)


async def _forever(work: Work, woken: asyncio.Event, what: str) -> None:
    """Round after round; one that fails is logged, and the next comes after a pause."""
    while True:
        woken.clear()
        try:
            wait = await work()
        except Exception as error:  # noqa: BLE001 - nobody else would go on
            _tell(what, error)
            await asyncio.sleep(_AFTER_ERROR)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await woken.wait()
