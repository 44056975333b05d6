"""When parts are repaired, trimmed, emptied from nodes and moved: in this order."""

import logging
import time
from dataclasses import asdict
from typing import Final

from penstock.cluster.balancing import Balancer
from penstock.cluster.copying import Copier
from penstock.cluster.draining import Drainer
from penstock.cluster.means import Means
from penstock.cluster.releasing import Releaser
from penstock.cluster.repairing import Repairer
from penstock.cluster.trimming import Trimmer

_LOOK: Final = 5.0
_WALK_EVERY: Final = 900.0
"""Seconds after which all parts are looked at again, whatever happened."""
_FIRST_PAUSE: Final = 5.0
_LONGEST_PAUSE: Final = 300.0

_log = logging.getLogger("penstock.cluster")


class Mender:
    """One thing after the other, so that no two of them decide on one part at once."""

    def __init__(self, means: Means, copier: Copier, releaser: Releaser, drainer: Drainer) -> None:
        self.releaser = releaser
        self.repairer = Repairer(means, copier, releaser)
        self.trimmer = Trimmer(means, releaser)
        self.balancer = Balancer(means, copier, releaser)
        self._drainer = drainer
        self._means = means
        self._usable: frozenset[str] = frozenset()
        self._walk_at = 0.0
        self._asked = 0
        """How often all parts were to be looked at."""
        self._tended = 0.0
        self._pause = _FIRST_PAUSE

    def look_at_all(self) -> None:
        """Look at all parts in the next round, although they are being looked at now."""
        self._asked += 1
        self._walk_at = 0.0
        self._pause = _FIRST_PAUSE

    async def run_once(self) -> None:
        """Do all there is to do, whatever was done lately."""
        self.look_at_all()
        self.balancer.wake()
        await self.repairer.tend(now=True)
        await self.round()

    async def round(self) -> float:
        """Look what is to be done, and do it; answers after how many seconds to look again."""
        await self._tend()
        if time.monotonic() >= self._walk_at:
            asked = self._asked
            is_done = await self._walk()
            if asked == self._asked:
                self._rest(is_done)
        if await self.balancer.run_once():
            return _LOOK / 2  # by then the nodes have said how full they are
        return _LOOK

    async def _tend(self) -> None:
        """Look after what was found bad. Of nodes that came or went see that all parts are looked
        at: those too that a walk which is under way has behind it."""
        await self.repairer.tend()
        usable = (await self._means.standing()).usable
        if usable != self._usable:
            self._usable = usable
            self.look_at_all()
        self._tended = time.monotonic()

    async def _between(self) -> None:
        """What is found bad now does not wait for a walk that may take hours."""
        if time.monotonic() >= self._tended + _LOOK:
            await self._tend()

    async def _walk(self) -> bool:
        """Answers whether nothing is left to be done."""
        counts = self._means.counts
        before = (counts.repaired, counts.trimmed, counts.moved, counts.lost)
        is_repaired = await self.repairer.walk(self._between)
        is_trimmed = await self.trimmer.walk(self._between)
        is_drained = await self._drainer.run_once(self._between)
        if (counts.repaired, counts.trimmed, counts.moved, counts.lost) != before:
            _log.info("parts were looked after", extra={"fields": asdict(counts)})
        return is_repaired and is_trimmed and is_drained

    def _rest(self, is_done: bool) -> None:
        """What could not be done is tried again soon, but less and less often."""
        if is_done:
            self._walk_at = time.monotonic() + _WALK_EVERY
            self._pause = _FIRST_PAUSE
        else:
            self._walk_at = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE)
