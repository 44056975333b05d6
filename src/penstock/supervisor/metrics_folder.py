"""Where the workers keep their metrics while there is a supervisor, on a local disk.

The folder is locked (flock(2)) for as long as it is used. So systemd-tmpfiles(8) lets it be,
however old its files are, and the next start knows which ones nobody is left to remove.
"""

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_PREFIX = "penstock-metrics-"


@contextmanager
def metrics_folder() -> Iterator[str]:
    """A new folder for the workers of this process; those of killed supervisors are removed."""
    within = _runtime_folder()
    _clear(within)
    folder, lock = _made(within)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _runtime_folder() -> str:
    """That of systemd's RuntimeDirectory=, else the system's temporary folder."""
    return os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or tempfile.gettempdir()


def _made(within: str) -> tuple[str, int]:
    while True:
        folder = tempfile.mkdtemp(prefix=_PREFIX, dir=within)
        lock = _locked(folder)
        if lock is not None and os.path.isdir(folder):
            return folder, lock
        if lock is not None:  # another one that starts took it for one that is left over
            os.close(lock)


def _clear(within: str) -> None:
    for folder in glob.glob(f"{glob.escape(within)}/{_PREFIX}*"):
        lock = _locked(folder)
        if lock is None:
            continue
        if not any(map(_is_held, glob.glob(f"{glob.escape(folder)}/*.lock"))):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _is_held(path: str) -> bool:
    """By a worker that outlives its supervisor, until its transfers are over."""
    lock = _locked(path)
    if lock is not None:
        os.close(lock)
    return lock is None


def _locked(path: str) -> int | None:
    """A descriptor that holds the lock; ``None`` if another has it, or the path is not ours."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
