"""Programs that fetch a file, each as a command: ours and others."""

import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from bench.measure import peak_rss
from bench.peers.server import PeerMissing

_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Downloader:
    """``words`` are the command; ``{url}``, ``{folder}``, ``{name}`` and ``{sha256}`` in them say
    what is fetched to where, and what it must be."""

    name: str
    note: str
    words: tuple[str, ...]

    def command(self, url: str, target: Path, sha256: str) -> list[str]:
        """What to run.

        :raises PeerMissing: it is not installed.
        """
        if shutil.which(self.words[0]) is None:
            raise PeerMissing(f"{self.words[0]} is not installed")
        told = {"url": url, "folder": target.parent, "name": target.name, "sha256": sha256}
        return [word.format(**told) for word in self.words]


@dataclass(frozen=True)
class Cost:
    """What one run of a command came to; ``rss`` is the most memory in bytes."""

    seconds: float
    cpu_seconds: float
    rss: int


def cost(command: Sequence[str], log: Path) -> Cost:
    """Run a command to its end.

    :raises RuntimeError: it failed.
    """
    to_log = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = time.perf_counter()
    pid = os.posix_spawnp(
        command[0],
        list(command),
        os.environ,
        file_actions=[to_log, (os.POSIX_SPAWN_DUP2, 1, 2)],
    )
    memory = _Memory(pid)
    # What the kernel tells of a child's memory at its end is also that of whoever started it.
    with memory:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        seconds = time.perf_counter() - started
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, memory.peak)


class _Memory:
    """Looks at the memory of a process and its children as long as the block runs."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._pid = pid
        self._enough = Event()
        self._looking = Thread(target=self._look_on)

    def __enter__(self) -> None:
        self._look()
        self._looking.start()

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._looking.join()

    def _look_on(self) -> None:
        while not self._enough.wait(_LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        with suppress(OSError, LookupError):  # a process has just ended
            self.peak = max(self.peak, peak_rss(self._pid))


_PENSTOCK = (sys.executable, "-m", "penstock", "get", "--quiet")
_TO = ("-o", "{folder}/{name}")
_WITH_SUM = 'curl -sSf -o "$1" "$2" && echo "$3  $1" | sha256sum --check --quiet'
_ARIA2 = ("aria2c", "--quiet", "-x8", "-s8", "-k1M", "-d", "{folder}", "-o", "{name}")

PENSTOCK = Downloader(
    "penstock",
    "penstock get URL --sha256 …: SHA-256 and CRC-32 on the way, fsync at the end",
    (*_PENSTOCK, "{url}", "--sha256", "{sha256}", *_TO),
)
OTHERS = (
    Downloader(
        "penstock, as file_upload",
        "--range-size 512K --parallel 1: one range of 512 KiB after the other",
        (
            *(*_PENSTOCK, "{url}", "--sha256", "{sha256}", *_TO),
            *("--range-size", "512K", "--parallel", "1"),
        ),
    ),
    Downloader("curl", "curl -sS; no digest, no fsync", ("curl", "-sSf", *_TO, "{url}")),
    Downloader(
        "curl, sha256sum",
        "then sha256sum --check reads the file again; no fsync",
        ("sh", "-c", _WITH_SUM, "sh", "{folder}/{name}", "{url}", "{sha256}"),
    ),
    Downloader("wget", "wget -q; no digest, no fsync", ("wget", "-q", "-O", *_TO[1:], "{url}")),
    Downloader("aria2 -x8", "-x8 -s8 -k1M; no digest, no fsync", (*_ARIA2, "{url}")),
    Downloader(
        "aria2 -x8, checksum",
        "the same with --checksum=sha-256=…, for which it reads the file again",
        (*_ARIA2, "--checksum=sha-256={sha256}", "{url}"),
    ),
)
