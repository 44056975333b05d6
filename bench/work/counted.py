"""A server whose work is counted."""

import mmap
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.work import hooked
from bench.work.hooked import NUMBERS
from bench.work.operations import OPERATIONS, Asked, Operation, prepare
from bench.work.trace import COMMAND, Trace
from tests.serving import RunningServer

Counts = dict[str, float]
"""What one operation has cost, by the name of the count. ``through us`` and ``in the kernel`` are
bytes; what a trace tells is missing where there is none."""

_ROUNDS = 2
_QUIET = 0.2
_PATIENCE = 10.0


class NoTrace(Exception):
    """System calls cannot be counted here; the text says why."""


def count(folder: Path, say: Callable[[str], None]) -> dict[str, Counts]:
    """Let a server do each operation; answers what each has cost, by its name."""
    try:
        check_strace()
    except NoTrace as why:
        say(str(why))
        return _counted(folder, [])
    return _counted(folder, [*COMMAND, "-o", str(folder / "trace")])


def check_strace() -> None:
    """Whether system calls can be counted.

    :raises NoTrace: no.
    """
    if shutil.which("strace") is None:
        raise NoTrace("strace is missing, so system calls are not counted; apt install strace")
    tried = subprocess.run([*COMMAND, "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode or tried.stderr:
        raise NoTrace("strace may not trace here (ptrace(2)), so system calls are not counted")


def _counted(folder: Path, tracer: list[str]) -> dict[str, Counts]:
    with _running(folder, tracer) as counters:
        asked = Asked(counters.server.port, folder)
        prepare(asked)
        return {one.name: counters.least(one, asked) for one in OPERATIONS}


class _Counters:
    """Of one server. ``trace`` is the file that ``strace`` writes, if it does."""

    def __init__(self, server: RunningServer, shared: mmap.mmap, trace: Path | None) -> None:
        self.server = server
        self._shared = shared
        self._trace = trace
        self._read = 0
        self._kept = Trace(str(server.data), str(server.data / "catalog"))

    def least(self, operation: Operation, asked: Asked) -> Counts:
        """Of some rounds: what the server does besides every few seconds is not the operation's,
        nor what it loads when it is asked for it first."""
        rounds = [self._of(operation, asked) for _ in range(_ROUNDS)]
        return {name: min(one[name] for one in rounds) for name in rounds[0]}

    def _of(self, operation: Operation, asked: Asked) -> Counts:
        before = self._all()
        operation.act(asked)
        after = self._all()
        return {
            name: (after[name] - before[name]) / operation.times
            for name in operation.counts
            if name in after
        }

    def _all(self) -> Counts:
        self._wait_until_quiet()
        calls, statements = self._numbers()
        counts: Counts = {"Python calls": calls, "statements": statements}
        if self._trace is None:
            return counts
        with self._trace.open() as lines:
            lines.seek(self._read)
            self._kept.read(lines)
            self._read = lines.tell()
        kept = self._kept
        return {
            **counts,
            "through us": kept.through_us,
            "in the kernel": kept.in_kernel,
            "calls": kept.calls,
            "syncs": kept.syncs + kept.catalog_syncs,
        }

    def _wait_until_quiet(self) -> None:
        """Some of the work comes after the answer."""
        ends = time.monotonic() + _PATIENCE
        known, since = self._state(), time.monotonic()
        while time.monotonic() < min(since + _QUIET, ends):
            time.sleep(0.02)
            if (state := self._state()) != known:
                known, since = state, time.monotonic()

    def _state(self) -> tuple[int, int]:
        size = 0 if self._trace is None else self._trace.stat().st_size
        return size, self._numbers()[1]

    def _numbers(self) -> tuple[int, int]:
        calls, statements = NUMBERS.unpack_from(self._shared)
        return calls, statements


@contextmanager
def _running(folder: Path, tracer: list[str]) -> Iterator[_Counters]:
    numbers = folder / "numbers"
    numbers.write_bytes(bytes(NUMBERS.size))
    with numbers.open("r+b") as file:
        shared = mmap.mmap(file.fileno(), NUMBERS.size)
    program = [sys.executable, "-P", hooked.__file__, str(numbers)]
    server = RunningServer(folder / "data", [*tracer, *program], worker="false")
    try:
        yield _Counters(server, shared, folder / "trace" if tracer else None)
    finally:
        server.kill()
        shared.close()
