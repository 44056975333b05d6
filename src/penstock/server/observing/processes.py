"""Metrics of several processes on one port: who is who, and who is still there.

The supervisor names a folder in ``PROMETHEUS_MULTIPROC_DIR``. Every process takes a number in it by
locking a file, which the kernel gives back when the process is gone, however it ended. Values lie
in files of that number: who takes it next goes on with its counters, so none ever steps back and
the files do not grow in number with the restarts.
"""

import fcntl
import glob
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Metric, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_GAUGES = re.compile(r"gauge_live[a-z]+_(\d+)\.db")

_taken: dict[Path, int] = {}
"""The number that this process has in each folder."""


def shared_folder() -> Path | None:
    """Where the processes of one server keep their values; ``None`` if there is but this one."""
    folder = os.environ.get(VARIABLE)
    return Path(folder) if folder else None


def join(folder: Path) -> int:
    """Take a number in ``folder`` and keep values there from now on; answers the number.

    Before any metric is made.

    :raises OSError: the folder cannot be used.
    """
    if folder not in _taken:
        number = next(number for number in itertools.count() if _take(folder, number))
        mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]
        _taken[folder] = number
        values.ValueClass = MultiProcessValue(lambda: number)  # type: ignore[no-untyped-call]
    return _taken[folder]


class Collected:
    """The values of all processes, as a collector: gauges only of those that are there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Blocks: reads files."""
        gone = set(_of_the_gone(self._folder))
        found = glob.glob(f"{self._folder}/*.db")
        files = [path for path in found if path not in gone and _is_begun(path)]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


def _take(folder: Path, number: int) -> bool:
    """Lock the file of a number for as long as this process lives, if nobody else has."""
    fd = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return False
    return True


def _is_begun(path: str) -> bool:
    """Whether anything is in the file; another process may have made it just now."""
    try:
        return os.path.getsize(path) > 0
    except FileNotFoundError:
        return False


def _of_the_gone(folder: Path) -> list[str]:
    """The files of gauges whose number nobody has."""
    found = [(path, _GAUGES.fullmatch(os.path.basename(path))) for path in _gauges(folder)]
    numbers = {match[1] for _, match in found if match}
    gone = {number for number in numbers if not _is_held(folder / f"{number}.lock")}
    return [path for path, match in found if match and match[1] in gone]


def _gauges(folder: Path) -> list[str]:
    return glob.glob(f"{folder}/gauge_live*.db")


def _is_held(lock: Path) -> bool:
    try:
        fd = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
