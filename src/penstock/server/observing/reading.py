"""Numbers that others keep anyway, read for the metrics."""

import functools
import os
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from penstock.server.services import Services

if TYPE_CHECKING:
    from penstock.server.observing.watch import Watch

Reading = Callable[["Watch"], None]

_UPKEEP: Final = ("repaired", "moved", "trimmed", "cleaned", "orphans", "bad", "checked")
"""Of what the upkeep counts, that which only grows."""


class ProcessFacts(NamedTuple):
    """Bytes, descriptors, seconds since 1970."""

    resident: int
    files: int
    most_files: int
    started: float


def process_facts() -> ProcessFacts:
    """What the system knows of this process; blocks: reads ``/proc``."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ProcessFacts(resident(), open_files(), soft, _started())


def resident() -> int:
    """Bytes of this process in RAM; where there is no ``/proc``, the most there ever were."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return peak()


def peak() -> int:
    """The most bytes of this process that were ever in RAM."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if os.uname().sysname == "Darwin" else most * 1024


def open_files() -> int:
    """Files and sockets that this process has open; 0 where nobody can tell."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder)) - 1  # the folder itself is open
        except OSError:
            continue
    return 0


@functools.cache
def _started() -> float:
    """When the process began; where there is no ``/proc``, when it was first asked."""
    try:
        with open("/proc/self/stat", "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
        with open("/proc/stat", "rb") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith(b"btime "))
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration):
        return time.time()


def listen_to(services: Services, watch: "Watch") -> None:
    """Have what happens in the catalog and the queue counted."""
    meters = watch.meters

    def committed(changes: int, seconds: float) -> None:
        meters.commits.observe(seconds)
        meters.changes.inc(changes)

    def claimed(lane: str, waited: float) -> None:
        meters.job_waits.labels(lane).observe(waited)

    services.commits.on_commit = committed
    services.worker.on_first_claim = claimed


def reading_of(services: Services) -> Reading:
    """What the parts of a server count by themselves."""

    def read(watch: "Watch") -> None:
        meters = watch.meters
        meters.jobs_held.set(services.worker.running)
        meters.buffered.set(getattr(services.store, "waiting_bytes", 0))
        for event, count in services.uploads.happened.items():
            watch.grown(meters.uploads.labels(event.removeprefix("upload.")), count)
        _read_store(services, watch)
        if services.cluster is not None:
            done = services.cluster.upkeep.status()
            for what in _UPKEEP:
                watch.grown(meters.upkeep.labels(what), done[what])

    return read


def _read_store(services: Services, watch: "Watch") -> None:
    counts = getattr(services.store, "counts", None)
    if counts is None:
        return
    meters = watch.meters
    watch.grown(meters.store_requests, counts.requests)
    watch.grown(meters.store_errors.labels("refused"), counts.refused)
    watch.grown(meters.store_errors.labels("broken"), counts.broken)
    watch.grown(meters.store_retries, counts.retries)
