"""Where the bytes of uploads lie until they are stored.

Each upload has a file of its own, named by its id, and beside it a lock that is taken by the
process that changes the upload: the kernel drops it when the process dies, however it dies.
Parts of one group lie in one shared file, each from its own start on, so that joining them moves
nothing.

All functions and methods block on the disk: call them in a worker thread.
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from penstock.catalog.ledger import UploadRow
from penstock.errors import StorageFull, UploadGone
from penstock.octets.digests import Digester
from penstock.stores.local_writer import storage_errors, write_all

_PIECE = 1 << 20
_CANNOT_COPY = {errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL}


def lock_name(row: UploadRow) -> str:
    """The name of the upload's lock."""
    return f"{row.id}.{row.generation}.lock"


def data_place(row: UploadRow) -> tuple[str, int]:
    """The name of the file that has the upload's bytes, and where in it they begin."""
    if row.part_group and row.generation == 0:
        return group_name(row), row.start
    return f"{row.id}.{row.generation}", 0


def owner_of(name: str) -> str:
    """The id of the upload that a file is of, unless it is of a group."""
    return name.partition(".")[0]


def group_name(row: UploadRow) -> str:
    """The name of the file that the parts of the upload's group share."""
    group = "\0".join((row.owner, row.key, row.part_group))
    return f"{hashlib.sha256(group.encode()).hexdigest()[:32]}.group"


class Folder:
    """The folder of all uploads' bytes, by its descriptor."""

    def __init__(self, fd: int, *, owned: bool) -> None:
        self.fd = fd
        self._owned = owned

    @classmethod
    def at(cls, path: Path) -> "Folder":
        """The folder at ``path``, made if it is not there."""
        path.mkdir(parents=True, exist_ok=True)
        return cls(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), owned=True)

    def close(self) -> None:
        """Close the descriptor if it is ours."""
        if self._owned:
            self._owned = False  # once: then it is another file's
            os.close(self.fd)

    def check_space(self, size: int) -> None:
        """Refuse what cannot fit.

        :raises StorageFull: there are fewer than ``size`` bytes left.
        """
        free = os.fstatvfs(self.fd)
        if size > free.f_bavail * free.f_frsize:
            raise StorageFull(f"the store has no space for {size:,} bytes; nothing was stored")

    def open(self, name: str, *, create: bool) -> int | None:
        """A descriptor of the file of that name; ``None`` if there is none (without ``create``)."""
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        try:
            with storage_errors():
                return os.open(name, flags, 0o666, dir_fd=self.fd)
        except FileNotFoundError:
            return None

    def open_to_read(self, name: str) -> int | None:
        """A descriptor of the file of that name that can only be read; ``None``: there is none."""
        try:
            return os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.fd)
        except FileNotFoundError:
            return None

    def open_data(self, row: UploadRow, *, create: bool) -> int | None:
        """A descriptor of the file that has the upload's bytes; ``None`` if there is none.

        That of a group cannot be removed (:meth:`unused`) while anybody has it open.
        """
        name, _ = data_place(row)
        while True:
            fd = self.open(name, create=create)
            if fd is None or not row.part_group:
                return fd
            fcntl.flock(fd, fcntl.LOCK_SH)
            if os.fstat(fd).st_nlink or not create:
                return fd
            os.close(fd)  # it was removed before we had the lock

    def unused(self, name: str) -> int | None:
        """The descriptor of a file that nobody has open, and nobody opens until it is closed."""
        fd = self.open(name, create=False)
        if fd is None:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        return fd

    def lock(self, name: str) -> int | None:
        """The descriptor of a lock, which is ours until it is closed or this process dies.

        ``None`` if another has it.
        """
        while True:
            fd = self.open(name, create=True)
            assert fd is not None
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(fd)
                if not isinstance(error, BlockingIOError):
                    raise
                return None
            if os.fstat(fd).st_nlink:
                return fd
            os.close(fd)  # it was removed by the one who had it

    def remove(self, name: str) -> bool:
        """Remove the file; answers whether there was one."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def drop(self, row: UploadRow) -> None:
        """Remove the upload's bytes and its lock; what a group shares stays."""
        name, _ = data_place(row)
        if row.generation or not row.part_group:
            self.remove(name)
        self.remove(lock_name(row))

    def sync(self) -> None:
        """Make the names of new files durable."""
        os.fsync(self.fd)

    def names(self, *, older_than: float) -> list[str]:
        """The files that nobody has written to since ``older_than`` (seconds since 1970)."""
        old = []
        with os.scandir(self.fd) as found:
            for entry in found:
                with suppress(FileNotFoundError):  # it went meanwhile
                    if entry.stat().st_mtime < older_than:
                        old.append(entry.name)
        return old


class Prefix:
    """The digest of an upload's bytes from the first on, which may be behind the bytes.

    SHA-256 goes from byte to byte only, and its state dies with the process. So after a restart
    the digest begins anew: it reads what lies before, some with every batch that is written.
    """

    def __init__(self, digester: Digester) -> None:
        self.digester = digester

    def take(self, data: Sequence[bytes | memoryview], at: int) -> None:
        """Bytes were written at the offset ``at``."""
        if self.digester.size == at:
            for piece in data:
                self.digester.update(piece)

    def catch_up(self, fd: int, base: int, until: int, most: int) -> bool:
        """Read up to ``most`` bytes of those that are missing; whether ``until`` is reached."""
        for data in read(fd, base, self.digester.size, min(until, self.digester.size + most)):
            self.digester.update(data)
        return self.digester.size >= until


def read(fd: int, base: int, start: int, stop: int) -> Iterator[bytes]:
    """The bytes ``start`` to ``stop`` of what begins at ``base``.

    :raises UploadGone: they are not there.
    """
    while start < stop:
        data = os.pread(fd, min(_PIECE, stop - start), base + start)
        if not data:
            raise UploadGone("the bytes of this upload are lost; begin another")
        start += len(data)
        yield data


def write(fd: int, data: Sequence[bytes | memoryview], at: int) -> None:
    """Write all of ``data`` at the offset ``at``.

    :raises StorageFull: there is no space left.
    """
    with storage_errors():
        write_all(fd, data, at)


def copy(source: int, start: int, size: int, target: int, at: int) -> None:
    """Copy bytes inside the kernel; file systems that can share blocks copy nothing.

    :raises StorageFull: there is no space left.
    :raises UploadGone: they are not there.
    """
    with storage_errors():
        while size:
            try:
                count = os.copy_file_range(source, target, size, start, at)
            except OSError as error:
                if error.errno not in _CANNOT_COPY:
                    raise
                return _copy_by_hand(source, start, size, target, at)
            if not count:
                raise UploadGone("the bytes of this upload are lost; begin another")
            start, at, size = start + count, at + count, size - count
    return None


def _copy_by_hand(source: int, start: int, size: int, target: int, at: int) -> None:
    for data in read(source, 0, start, start + size):
        write_all(target, [data], at)
        at += len(data)
