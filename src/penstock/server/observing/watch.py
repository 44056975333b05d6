"""What one process tells of itself: counted as it happens, or read twice a second."""

import asyncio
import gc
import logging
import resource
import threading
from typing import TYPE_CHECKING, Final

from aiohttp import web
from prometheus_client import Counter, Histogram

from penstock.server.observing import processes
from penstock.server.observing.asked import Asking
from penstock.server.observing.meters import Meters
from penstock.server.observing.reading import Reading, listen_to, process_facts, reading_of
from penstock.server.observing.starting_traces import tracing_of
from penstock.server.services import Services
from penstock.server.serving import Traffic
from penstock.threads import in_thread

if TYPE_CHECKING:
    from penstock.server.observing.tracing import Tracing

_EVERY: Final = 0.5
_METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"})
_CONFLICT: Final = "offset-mismatch"

_log = logging.getLogger("penstock.observing")

_Key = tuple[web.AbstractResource | None, str, int]


class Watch:
    """Counts the requests of one application, and looks after its other metrics while it runs."""

    def __init__(
        self, traffic: Traffic, meters: Meters, asking: Asking, tracing: "Tracing | None" = None
    ) -> None:
        self.meters = meters
        self.asking = asking
        self.tracing = tracing
        self._traffic = traffic
        self._in_flight = 0
        self._known: dict[_Key, tuple[Counter, Histogram]] = {}
        self._readings: list[Reading] = []
        self._ticking: asyncio.Task[None] | None = None
        self._is_failing = False
        self._grown = _Grown()

    def begun(self, request: web.Request) -> None:
        """A request came."""
        self._in_flight += 1
        if self.tracing is not None:
            self.tracing.begin(request)

    def ended(self, request: web.Request, status: int, seconds: float) -> None:
        """It is over."""
        self._in_flight -= 1
        if self.tracing is not None:
            self.tracing.end(request, status)
        key = (request.match_info.route.resource, request.method, status)
        counter, histogram = self._known.get(key) or self._meet(key)
        counter.inc()
        histogram.observe(seconds)

    def problem(self, code: str) -> None:
        """A request was answered with the error of this code."""
        self.meters.problems.labels(code).inc()
        if code == _CONFLICT:
            self.meters.conflicts.inc()

    def zip_begun(self, layout: str, members: int) -> None:
        """A ZIP of so many members is sent, or a range of it."""
        self.meters.zips.labels(layout).inc()
        self.meters.zip_entries.inc(members)

    def read_also(self, reading: Reading) -> None:
        """Call ``reading`` twice a second, and whenever somebody looks."""
        self._readings.append(reading)

    def grown(self, counter: Counter, now: float) -> None:
        """Let ``counter`` follow a number that only grows."""
        self._grown.follow(counter, now)

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._ticking = asyncio.create_task(self._tick())

    async def close(self) -> None:
        """End; what was counted stays."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        await self.asking.close()
        await self._try_to_look()
        if self.tracing is not None:
            await in_thread(self.tracing.close)

    async def look(self) -> None:
        """Bring every metric up to date."""
        self._look()
        facts = await in_thread(process_facts)
        meters = self.meters
        meters.memory.set(facts.resident)
        meters.files.set(facts.files)
        meters.most_files.set(facts.most_files)
        meters.started.set(facts.started)

    def _meet(self, key: _Key) -> tuple[Counter, Histogram]:
        """The metrics of requests of this kind, from its first on."""
        resource_, given, status = key
        route = "none" if resource_ is None else resource_.canonical
        method = given if given in _METHODS else "other"
        meters = self.meters
        found = (
            meters.requests.labels(route, method, str(status)),
            meters.durations.labels(route, method),
        )
        if given in _METHODS:  # what clients make up is not kept
            self._known[key] = found
        return found

    def _look(self) -> None:
        meters, traffic = self.meters, self._traffic
        meters.in_flight.set(self._in_flight)
        meters.transfers.set(traffic.transfers)
        meters.limit.set(traffic.most)
        meters.followers.set(traffic.followers)
        meters.tasks.set(len(asyncio.all_tasks()))
        meters.threads.set(threading.active_count())
        self.grown(meters.bytes.labels("in"), traffic.received)
        self.grown(meters.bytes.labels("out"), traffic.sent)
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.grown(meters.cpu, used.ru_utime + used.ru_stime)
        for generation, counts in enumerate(gc.get_stats()):
            self.grown(meters.collections.labels(str(generation)), counts["collections"])
            self.grown(meters.collected.labels(str(generation)), counts["collected"])
        for reading in self._readings:
            reading(self)

    async def _tick(self) -> None:
        """Measure how late the loop is, and read the rest once a second."""
        loop, turn = asyncio.get_running_loop(), 0
        await self._try_to_look()
        while True:
            due = loop.time() + _EVERY
            await asyncio.sleep(_EVERY)
            self.meters.lag.observe(max(0.0, loop.time() - due))
            turn += 1
            if turn % 2 == 0:
                await self._try_to_look()

    async def _try_to_look(self) -> None:
        """Look; what cannot be read now may be the next time. Of failures in a row one is told."""
        try:
            await self.look()
        except Exception:  # noqa: BLE001 - one number must not end all the others
            if not self._is_failing:
                _log.exception("metrics cannot be read")
            self._is_failing = True
        else:
            self._is_failing = False


class _Grown:
    """What numbers were when they were looked at before."""

    def __init__(self) -> None:
        self._before: dict[int, float] = {}

    def follow(self, counter: Counter, now: float) -> None:
        before = self._before.get(id(counter), 0.0)
        if now > before:
            counter.inc(now - before)
            self._before[id(counter)] = now


def make_watch(traffic: Traffic, services: Services | None = None) -> Watch:
    """That of an application; its values are kept for several processes if it is one of them.

    :raises MissingExtra: traces are wanted, and what makes them is not installed.
    """
    folder = processes.shared_folder()
    if folder is not None:
        processes.join(folder)
    if services is None:
        return Watch(traffic, Meters(), Asking(None))
    watch = Watch(traffic, Meters(), Asking(services), tracing_of(services.settings))
    listen_to(services, watch)
    watch.read_also(reading_of(services))
    return watch
