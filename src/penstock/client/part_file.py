"""A download on its way: ``TARGET.part`` beside the target, and what it is a part of.

``TARGET.part.json`` tells the address, ETag, size and digests of the version that the bytes in
``TARGET.part`` belong to, so that a later run knows what it may go on with. It is written before
the first byte and replaced atomically; a part never holds bytes of two versions. If bytes may come
in any order, ``have`` lists the stretches [start, stop] that are there; else the part grows at its
end, and its size tells.
"""

import fcntl
import hashlib
import json
import os
import threading
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import Any

from penstock.client.allocate import allocate
from penstock.client.answers import Version
from penstock.errors import Busy, KeyConflict
from penstock.octets.intervals import Intervals
from penstock.octets.ranges import Span
from penstock.remote.urls import redacted
from penstock.threads import open_in_thread, use_in_thread

MAX_NAME_BYTES = 255
LONGEST_SUFFIX = ".part.json.new"


class PartFile:
    """The open part of one target. Use :meth:`open` and, at last, :meth:`close`.

    ``version`` is what the bytes in it belong to, ``None`` while there are none; ``have`` which
    bytes an earlier run left. ``in_order``: they only come one behind the other.
    """

    def __init__(self, target: str, url: str, fd: int, *, in_order: bool) -> None:
        self._target = target
        self._url = url
        self.fd = fd
        self._in_order = in_order
        self._part, self._state = part_paths(target)
        self._saving = threading.Lock()
        self._unsynced: OSError | None = None
        self._is_ours = False
        self.version: Version | None = None
        self.have = Intervals()

    @classmethod
    async def open(cls, target: str, url: str, *, in_order: bool) -> "PartFile":
        """Take up what an earlier run left of ``url``.

        :raises Busy: another process is downloading to the same target.
        :raises KeyConflict: a file that is no part of ours stands in the way.
        """
        fd = await open_in_thread(partial(_open_locked, part_paths(target)[0]), os.close)
        part = cls(target, url, fd, in_order=in_order)
        try:
            await use_in_thread(part._load)
        except BaseException:
            await use_in_thread(os.close, fd)
            raise
        return part

    async def commit(self) -> None:
        """Make the file durable and put it in the target's place, in one step."""
        await use_in_thread(self._commit)

    async def discard(self) -> None:
        """Remove the part and what is known of it."""
        await use_in_thread(self._discard)

    async def close(self) -> None:
        """Leave the part for a later run, unless it holds nothing or came to its end."""
        await use_in_thread(self._close)

    # Below here: for worker threads, several at once.

    def begin(self, version: Version) -> None:
        """Drop what is there and start with ``version``."""
        with self._saving:
            self.version, self.have = version, Intervals()
            self._is_ours = True
            os.ftruncate(self.fd, 0)
            self._write_state(durable=False)
        if not self._in_order and version.size:
            allocate(self.fd, version.size)

    def write(self, data: bytes, at: int) -> None:
        """Put ``data`` to its place."""
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self.fd, rest, at)
            rest, at = rest[written:], at + written

    def read(self, length: int, at: int) -> bytes:
        """So many bytes from a position on, or fewer at the end."""
        return os.pread(self.fd, length, at)

    def save(self, have: Intervals) -> None:
        """Note that these bytes are there, once they are durable; they may become more only."""
        with self._saving:
            if have.size > self.have.size:
                self._sync()
                self.have = have
                self._write_state(durable=True)

    def _sync(self) -> None:
        # The kernel tells once that it could not write, and then takes the pages for written.
        if self._unsynced is not None:
            raise self._unsynced
        try:
            os.fdatasync(self.fd)
        except OSError as error:
            self._unsynced = error
            raise

    def _load(self) -> None:
        size = os.fstat(self.fd).st_size
        if not size:
            return
        try:
            with open(self._state, encoding="utf-8") as file:
                version, url, address, have = _read_state(json.load(file), size)
            too_long = version.size is not None and size > version.size
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            raise KeyConflict(
                f"{self._part} is there and is no download that can be resumed; move it away"
            ) from None
        if version.validator is None or too_long or not self._is_from(url, address, version):
            return
        if self._in_order and have.size != size:
            return
        self.version, self.have = version, have
        self._is_ours = True

    def _is_from(self, url: str, address: str, version: Version) -> bool:
        """Whether what is there may go on from our address: signed links differ behind ``?``."""
        ours = _told(self._url)
        return ours["url"] == url and (version.etag is not None or ours["address"] == address)

    def _write_state(self, *, durable: bool) -> None:
        assert self.version is not None
        have = [[span.start, span.stop] for span in self.have]
        more = {} if self._in_order else {"have": have}
        _replace(self._state, {**_told(self._url), **asdict(self.version), **more}, durable)

    def _commit(self) -> None:
        self._sync()
        if not _is_same_file(self.fd, self._part):
            raise KeyConflict(f"{self._part} was replaced by another file; nothing was kept")
        os.replace(self._part, self._target)
        _unlink(self._state)
        _sync_folder(self._target)

    def _discard(self) -> None:
        if _is_same_file(self.fd, self._part):
            _unlink(self._part)
            _unlink(self._state)

    def _close(self) -> None:
        try:
            size = os.fstat(self.fd).st_size
            # What another source left, and was not replaced, stays.
            if not size or (self._is_ours and not self._in_order and not self.have):
                self._discard()
        finally:
            os.close(self.fd)


def part_paths(target: str) -> tuple[str, str]:
    """Where the part and its state stand; a name that would get too long is shortened."""
    folder, name = os.path.split(target)
    encoded = os.fsencode(name)
    if len(encoded) + len(LONGEST_SUFFIX) > MAX_NAME_BYTES:
        name = "." + hashlib.sha256(encoded).hexdigest()
    part = os.path.join(folder, name + ".part")
    return part, part + ".json"


def adopt(target: str, url: str, version: Version) -> None:
    """Make the file at ``target`` a part: it holds the beginning of ``version`` of ``url``.

    Blocks: for worker threads.
    """
    part, state = part_paths(target)
    have = [[0, os.stat(target).st_size]]
    _replace(state, {**_told(url), **asdict(version), "have": have}, durable=True)
    os.replace(target, part)


def _told(url: str) -> dict[str, str]:
    """How a state tells where a part came from: what follows the path may be secret."""
    return {"url": redacted(url), "address": hashlib.sha256(url.encode()).hexdigest()}


def _read_state(state: dict[str, Any], size: int) -> tuple[Version, str, str, Intervals]:
    """The version, its address, and which of the ``size`` bytes of the part are there."""
    url, address = str(state.pop("url")), str(state.pop("address", ""))
    stretches = state.pop("have", [[0, size]])
    have = Intervals(Span(int(start), min(int(stop), size)) for start, stop in stretches)
    return Version(**state), url, address, have


def _replace(path: str, document: dict[str, object], durable: bool) -> None:
    new = path + ".new"
    with open(new, "w", encoding="utf-8") as file:
        json.dump(document, file)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    os.replace(new, path)


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
