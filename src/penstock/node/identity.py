"""Who a storage node is, kept on its disk: one identity for a folder, one process for both.

Everything here blocks.
"""

import fcntl
import os
from contextlib import suppress
from uuid import UUID, uuid4

from penstock.errors import Busy, WrongState

_LOCK = "node.lock"
_IDENTITY = "node-id"
_CLUSTER = "cluster-id"


def take(folder: str) -> int:
    """A descriptor that says that the folder is taken for as long as it is open.

    :raises Busy: another process has it.
    :raises OSError: the folder cannot be made, or not be locked.
    """
    _make_folder(folder)
    path = os.path.join(folder, _LOCK)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Busy(
            f"another storage node works in {folder}; choose another folder with --data"
        ) from None
    except BaseException:
        os.close(fd)
        raise
    return fd


def _make_folder(folder: str) -> None:
    """Durable with all above it: else a crash could take away what lies in it."""
    if os.path.isdir(folder):
        return
    above = os.path.dirname(folder)
    _make_folder(above)
    with suppress(FileExistsError):  # a file there is told by who opens something below it
        os.mkdir(folder)
    sync(above)


def identity(folder: str) -> str:
    """The node's identity, a UUID; made when it is first asked for. Needs the lock.

    :raises WrongState: the file that keeps it holds something else.
    """
    try:
        kept = _read(folder, _IDENTITY)
    except ValueError:
        raise WrongState(
            f"{os.path.join(folder, _IDENTITY)} does not hold a node's identity; put the right one "
            "back, or remove the file if the node may join as a new one"
        ) from None
    if not kept:
        kept = str(uuid4())
        # Durable before anybody is told, or a crash could give the node two names.
        _write(folder, _IDENTITY, kept)
    return kept


def cluster(folder: str) -> str:
    """The id of the cluster that the folder belongs to; empty if it belongs to none yet.

    :raises WrongState: the file that keeps it holds something else.
    """
    try:
        return _read(folder, _CLUSTER)
    except ValueError:
        raise WrongState(
            f"{os.path.join(folder, _CLUSTER)} does not hold the id of a cluster; put the right "
            "one back, or remove the file if the node may join any"
        ) from None


def join(folder: str, cluster: str) -> None:
    """Keep, durably, to which cluster the folder belongs.

    :raises OSError: it cannot be kept.
    """
    _write(folder, _CLUSTER, cluster)


def _read(folder: str, name: str) -> str:
    """The UUID that a file holds; empty if there is none.

    :raises ValueError: it holds something else.
    """
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return str(UUID(file.read(100).strip()))
    except FileNotFoundError:
        return ""


def _write(folder: str, name: str, value: str) -> None:
    path = os.path.join(folder, name)
    new = f"{path}.new"
    with suppress(FileNotFoundError):
        os.unlink(new)
    with open(new, "x", encoding="ascii") as file:
        file.write(f"{value}\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(new, path)
    sync(folder)


def sync(folder: str) -> None:
    """Make durable what has a name in the folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
