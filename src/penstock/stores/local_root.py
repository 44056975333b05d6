"""The folder under a local store, entered without ever leaving it.

A path is opened by ``openat2`` with the rule that it stays beneath, or walked one segment at a
time with ``openat(O_NOFOLLOW)``: no symbolic link is followed, whoever makes one and whenever.
All calls but :meth:`Root.open_cached` block: run them in a worker thread.
"""

import errno
import fcntl
import os
import secrets
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from penstock.errors import BadKey, Busy, KeyConflict, NotFound
from penstock.stores.keys import RESERVED, check_key
from penstock.stores.openat2 import open_beneath

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a named pipe must not hang the thread.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Opened: TypeAlias = tuple[int, os.stat_result]


class Root:
    """The root folder: finds, makes and removes what lies beneath it."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        # The root itself may be reached through a link: that is the operator's choice.
        self.path = path.resolve(strict=True)
        self.fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._own = self._folder_for_ourselves(RESERVED, self.fd)
        self.tmp = self._folder_for_ourselves("tmp", self._own)
        self.incoming = self._folder_for_ourselves("incoming", self._own)
        self._lock_fd = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, dir_fd=self._own)
        self._lock = threading.Lock()

    @staticmethod
    def _folder_for_ourselves(name: str, parent: int) -> int:
        with suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
            os.fsync(parent)
        return os.open(name, _FOLDER, dir_fd=parent)

    def close(self) -> None:
        for fd in (self._lock_fd, self.incoming, self.tmp, self._own, self.fd):
            os.close(fd)

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold what changes names: one thread of one process of all that share the folder."""
        with self._lock:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_fd, fcntl.LOCK_UN)

    @contextmanager
    def folder_of(self, key: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """The descriptor of the folder that holds ``key``, and the key's last segment.

        :raises NotFound: the folder does not exist (without ``create``).
        :raises KeyConflict: a file stands where a folder is needed (with ``create``).
        """
        *folders, name = check_key(key).split("/")
        fd = self.fd
        try:
            for folder in folders:
                below = self._enter(fd, folder, key, create=create)
                if fd != self.fd:
                    os.close(fd)
                fd = below
            yield fd, name
        finally:
            if fd != self.fd:
                os.close(fd)

    def _enter(self, parent: int, name: str, key: str, *, create: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise not_found(key) from None
        except OSError as error:
            if _is_link(name, parent):
                raise _through_link(key) from None
            _check_absent(error)
            if create:
                raise KeyConflict(
                    f"{name!r} in {key!r} is a file, so nothing can be stored below it"
                ) from None
            raise not_found(key) from None
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=parent)
            os.fsync(parent)
        return self._enter(parent, name, key, create=False)

    def open_cached(self, key: str) -> Opened | None:
        """As :meth:`open_file` if that takes no waiting for the disk, else ``None``."""
        fd = open_beneath(self.fd, check_key(key).encode(), cached=True)
        return _regular(fd) if fd >= 0 else None

    def open_file(self, key: str) -> Opened:
        """A descriptor of the regular file at ``key``, and its status.

        :raises NotFound: there is none.
        :raises BadKey: a symbolic link stands there or on the way.
        """
        fd = open_beneath(self.fd, check_key(key).encode())
        if fd < 0:
            fd = self._open_by_steps(key)
        opened = _regular(fd)
        if opened is None:
            raise not_found(key)
        return opened

    def _open_by_steps(self, key: str) -> int:
        """The slow way, which knows what is wrong and works on every kernel."""
        with self.folder_of(key) as (folder, name):
            try:
                return os.open(name, _FILE, dir_fd=folder)
            except OSError as error:
                if _is_link(name, folder):
                    raise _through_link(key) from None
                _check_absent(error)
                raise not_found(key) from None

    def status(self, key: str, folder: int, name: str) -> os.stat_result | None:
        """The status of the file ``name`` in ``folder``; ``None`` if there is nothing.

        :raises KeyConflict: a folder or another special file stands there.
        """
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISLNK(found.st_mode):
            raise _through_link(key)
        if not stat.S_ISREG(found.st_mode):
            raise KeyConflict(f"{key!r} is a folder; choose another key or remove its files first")
        return found

    def new_temporary(self) -> tuple[str, int]:
        """A fresh file in the same file system, its name and descriptor, locked by us."""
        name = f"{secrets.token_hex(16)}.part"
        fd = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=self.tmp
        )
        # The kernel drops this lock when we die, however we die: that marks it as left over.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return name, fd

    def sweep(self) -> int:
        """Remove temporaries whose process is gone; answers how many."""
        removed = 0
        for name in os.listdir(self.tmp):
            try:
                fd = os.open(name, os.O_RDWR | os.O_CLOEXEC, dir_fd=self.tmp)
            except FileNotFoundError:
                continue  # another process swept it first, or has just committed it
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=self.tmp)
                removed += 1
            except BlockingIOError:
                pass  # another living process is writing it
            finally:
                os.close(fd)
        return removed

    def prune(self, key: str) -> None:
        """Remove the folders above a deleted key that are empty now."""
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            with self.folder_of(folder) as (parent, name):
                try:
                    os.rmdir(name, dir_fd=parent)
                except OSError:
                    return
                os.fsync(parent)


def _regular(fd: int) -> Opened | None:
    """The descriptor with its status; closed if it is not a regular file's."""
    status = os.fstat(fd)
    if stat.S_ISREG(status.st_mode):
        return fd, status
    os.close(fd)
    return None


def not_found(key: str) -> NotFound:
    """The error for a key at which nothing is stored."""
    return NotFound(f"nothing is stored at {key!r}", key=key)


def _check_absent(error: OSError) -> None:
    """See whether ``error`` says that there is no such file, and not that we cannot get at it.

    :raises Busy: this process, or this host, has no descriptor left.
    :raises OSError: the disk is in trouble.
    """
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise Busy("too many files are open at once; try again in a moment", retry_after=1)
    if error.errno in (errno.EIO, errno.ENOMEM, errno.ESTALE):
        raise error


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _through_link(key: str) -> BadKey:
    return BadKey(f"the key {key!r} leads through a symbolic link; links are not followed")
