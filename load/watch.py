"""What the server holds while it is used, and whether it lets go of it afterwards.

Of a server of this machine as ``/proc`` tells it (memory, descriptors, threads), and as it tells
itself by ``GET /debug/memory`` (asyncio's tasks, and all of it where it runs elsewhere).
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Self

from bench.measure import descriptors, rss
from load.wire import Failed, Wire

_MIB = 1 << 20
_NONE = -1
_QUICKLY = 5.0
"""Seconds that a measurement may take before it is a gap in the curve."""

# By how much the server may hold more in the end than before the run. Pools of threads and of
# connections to the catalog, which keep what they made, may have been half full by then: they are
# bounded. What each transfer left behind would not be.
ALLOWED: Mapping[str, float] = {"rss": 24.0 * _MIB, "descriptors": 12, "threads": 24, "tasks": 2}


@dataclass(frozen=True)
class Holding:
    """At one moment (seconds since the epoch): bytes in RAM, descriptors, threads and tasks.

    What cannot be told is -1.
    """

    at: float
    rss: int
    descriptors: int
    threads: int
    tasks: int


@dataclass(frozen=True)
class Return:
    """Of one thing: how much was held before the run, at most in it, and in the end."""

    what: str
    before: float
    most: float
    after: float
    allowed: float

    @property
    def holds(self) -> bool:
        return self.after <= self.before + self.allowed


class Watch:
    """Measures in a thread of its own, every ``interval`` seconds, until it is left."""

    def __init__(self, url: str, token: str, pid: int | None, interval: float) -> None:
        self.holdings: list[Holding] = []
        self._wire = Wire(url, token, _QUICKLY)
        self._pid = pid
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._wire.close()

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            self.measure()

    def measure(self) -> None:
        """Once. A server that is too busy to tell leaves a gap in its tasks."""
        told: dict[str, float] = {}
        try:
            told = self._wire.ask_json("GET", "/debug/memory?verbose", 200)
        except (OSError, HTTPException, Failed):
            self._wire.close()
        tasks = int(told.get("tasks", _NONE))
        if self._pid is not None:
            with suppress(OSError):  # it has ended, which its transfers tell
                held = (rss(self._pid), descriptors(self._pid), _threads(self._pid))
                self.holdings.append(Holding(time.time(), *held, tasks))
        elif told:
            held = (
                int(told["sys_mb"] * _MIB),
                int(told.get("open_files", _NONE)),
                int(told.get("threads", _NONE)),
            )
            self.holdings.append(Holding(time.time(), *held, tasks))

    def between(self, start: float, stop: float) -> list[Holding]:
        return [one for one in self.holdings if start <= one.at < stop]

    def wait_until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it comes true, looking after each measurement."""
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(self._interval)
        return True


def returns(
    before: Sequence[Holding], during: Sequence[Holding], after: Sequence[Holding]
) -> list[Return]:
    """What came back, of all that can be told: the least of the rest, the most of the run, and
    the last of what followed.
    """
    found = []
    for what, allowed in ALLOWED.items():
        told = [
            [asdict(one)[what] for one in part if asdict(one)[what] != _NONE]
            for part in (before, during, after)
        ]
        if all(told):
            found.append(Return(what, min(told[0]), max(told[1]), told[2][-1], allowed))
    return found


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
