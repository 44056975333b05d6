"""A download on its way: ``TARGET.part`` beside the target, and what it is a part of.

``TARGET.part.json`` tells the address, ETag, size and digests of the version that the bytes in
``TARGET.part`` belong to, so that a later run knows what it may go on with. It is written before
the first byte and replaced atomically; a part never holds bytes of two versions.
"""

import fcntl
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict

from penstock.client.answers import Version
from penstock.errors import Busy, KeyConflict
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread

READ_PIECE = 1 << 20
MAX_NAME_BYTES = 255
LONGEST_SUFFIX = ".part.json.new"


class PartFile:
    """The open part of one target; a :class:`penstock.client.sinks.Sink`.

    Use :meth:`open` and, at last, :meth:`close`.
    """

    keeps = True

    def __init__(self, target: str, url: str, fd: int) -> None:
        self._target = target
        self._url = url
        self._fd = fd
        self._part, self._state = part_paths(target)
        self.version: Version | None = None
        self.digester = Digester()

    @classmethod
    async def open(cls, target: str, url: str) -> "PartFile":
        """Take up what an earlier run left of ``url``, reading it again for its digest.

        :raises Busy: another process is downloading to the same target.
        :raises KeyConflict: a file that is no part of ours stands in the way.
        """
        part = cls(target, url, await use_in_thread(_open_locked, part_paths(target)[0]))
        try:
            await part._take_up()
        except BaseException:
            await part.close()
            raise
        return part

    @property
    def offset(self) -> int:
        return self.digester.size

    async def begin(self, version: Version) -> None:
        await use_in_thread(self._begin, version)

    async def write(self, data: bytes) -> None:
        await use_in_thread(self._write, data)

    def read_back(self, length: int, at: int) -> bytes:
        return os.pread(self._fd, length, at)

    async def commit(self) -> None:
        """Make the file durable and put it in the target's place, in one step."""
        await use_in_thread(self._commit)

    async def discard(self) -> None:
        """Remove the part and what is known of it."""
        await use_in_thread(self._discard)

    async def close(self) -> None:
        """Leave the part for a later run, unless it holds nothing or came to its end."""
        await use_in_thread(self._close)

    async def _take_up(self) -> None:
        self.version = await use_in_thread(self._load)
        while self.version is not None and await use_in_thread(self._digest_next):
            pass

    def _load(self) -> Version | None:
        size = os.fstat(self._fd).st_size
        if not size:
            return None
        try:
            with open(self._state, encoding="utf-8") as file:
                state = json.load(file)
            url = state.pop("url")
            version = Version(**state)
            too_long = version.size is not None and size > version.size
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise KeyConflict(
                f"{self._part} is there and is no download that can be resumed; move it away"
            ) from None
        resumable = url == self._url and version.etag is not None and not too_long
        return version if resumable else None

    def _digest_next(self) -> bool:
        data = os.pread(self._fd, READ_PIECE, self.offset)
        self.digester.update(data)
        return bool(data)

    def _begin(self, version: Version) -> None:
        os.ftruncate(self._fd, 0)
        new = self._state + ".new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump({"url": self._url, **asdict(version)}, file)
        os.replace(new, self._state)
        self.version = version
        self.digester = Digester()

    def _write(self, data: bytes) -> None:
        rest, at = memoryview(data), self.offset
        while rest:
            written = os.pwrite(self._fd, rest, at)
            rest, at = rest[written:], at + written
        self.digester.update(data)

    def _commit(self) -> None:
        os.fsync(self._fd)
        if not _is_same_file(self._fd, self._part):
            raise KeyConflict(f"{self._part} was replaced by another file; nothing was kept")
        os.replace(self._part, self._target)
        _unlink(self._state)
        _sync_folder(self._target)

    def _discard(self) -> None:
        if _is_same_file(self._fd, self._part):
            _unlink(self._part)
            _unlink(self._state)

    def _close(self) -> None:
        if not os.fstat(self._fd).st_size:
            self._discard()
        os.close(self._fd)


def part_paths(target: str) -> tuple[str, str]:
    """Where the part and its state stand; a name that would get too long is shortened."""
    folder, name = os.path.split(target)
    encoded = os.fsencode(name)
    if len(encoded) + len(LONGEST_SUFFIX) > MAX_NAME_BYTES:
        name = "." + hashlib.sha256(encoded).hexdigest()
    part = os.path.join(folder, name + ".part")
    return part, part + ".json"


def _open_locked(path: str) -> int:
    """A descriptor of the part, held by nobody else."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise Busy(f"another process is writing {path}; wait until it is done") from None
        if _is_same_file(fd, path):
            return fd
        os.close(fd)  # whoever had the lock finished and moved the file away meanwhile


def _is_same_file(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _sync_folder(path: str) -> None:
    fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
