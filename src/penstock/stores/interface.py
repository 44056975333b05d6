"""What a store of files is: a small core, and abilities beside it.

A *key* is the UTF-8 path of a file (see :mod:`penstock.stores.keys`), a *prefix* any start of
keys. Offsets and sizes are bytes; ``stop`` is exclusive.

The core is :class:`Store`. What only some stores can do is a Protocol of its own
(:class:`LocalFiles`), so a caller asks for just the ability it uses and falls back to the core.
Further abilities are in :mod:`penstock.stores.composing`, :mod:`penstock.stores.arrivals` and
:mod:`penstock.stores.direct`.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, TypeAlias, runtime_checkable


class FileInfo(NamedTuple):
    """What is known of one stored file without reading it.

    ``etag`` is the opaque part of a strong entity tag (RFC 9110 §8.8.3), without the quotes: it
    changes whenever the bytes do. ``sha256`` (32 bytes) and ``crc32`` are ``None`` while nobody
    has read the file through Penstock since it last changed.
    """

    key: str
    size: int
    modified_ns: int
    etag: str
    content_type: str | None = None
    sha256: bytes | None = None
    crc32: int | None = None


class Checksum(NamedTuple):
    """The digests of one version of one file; ``sha256`` only if it was taken (see settings)."""

    sha256: bytes | None
    crc32: int


class Facts(NamedTuple):
    """What the checksum book remembers of one version (key and etag) of one file."""

    sha256: bytes | None = None
    crc32: int | None = None
    content_type: str | None = None


NOTHING_KNOWN = Facts()


@dataclass(frozen=True, slots=True)
class Condition:
    """A precondition on the file that a write replaces or a delete removes.

    ``absent``: there must be none (``If-None-Match: *``). ``etags``: its etag must be one of
    these (``If-Match``). ``present``: any version will do (``If-Match: *``).
    """

    absent: bool = False
    present: bool = False
    etags: tuple[str, ...] = ()

    def allows(self, current: str | None) -> bool:
        """Whether a file with the etag ``current`` (``None``: no file) meets the condition."""
        if self.absent:
            return current is None
        if self.etags:
            return current in self.etags
        return not self.present or current is not None


ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing in key order (bytewise UTF-8).

    ``prefixes`` are the common prefixes when a delimiter was given. ``next`` is what to pass as
    ``after`` for the following page, ``None`` on the last one.
    """

    files: Sequence[FileInfo]
    prefixes: Sequence[str]
    next: str | None


class Writer(Protocol):
    """A file on its way in. Nobody sees it before :meth:`commit`; :meth:`abort` leaves no trace.

    Usable as an async context manager that aborts what was not committed.
    """

    async def write(self, data: bytes) -> None:
        """Take the next bytes; waits while too much is still on its way to the disk.

        :raises StorageFull: there is no space left.
        """

    async def checksum(self) -> Checksum:
        """The digests of everything written so far."""

    async def commit(
        self,
        key: str | None = None,
        *,
        content_type: str | None = None,
        condition: Condition = ALWAYS,
    ) -> FileInfo:
        """Make the file durable, then visible, in one step; answers what is now stored.

        ``key`` replaces the key the writer was opened with (a form may name the file after
        sending it). A ``content_type`` of ``None`` is told by the file's first bytes, if they do.

        :raises PreconditionFailed: ``condition`` does not hold at this moment.
        :raises KeyConflict: a folder stands at the key, or a file where a folder is needed.
        """

    async def abort(self) -> None:
        """Drop what was written. Does nothing after a commit or an earlier abort."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...


class Store(Protocol):
    """The core that every store has. All errors are of :mod:`penstock.errors`."""

    async def stat(self, key: str) -> FileInfo:
        """What is stored at ``key``.

        :raises NotFound: nothing is.
        """

    def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes ``start`` to ``stop`` in pieces of at most 1 MiB; call again to read again.

        :raises NotFound: nothing is stored there.
        :raises SourceChanged: ``etag`` was given, and the file is another version by now; a store
            may keep the old one for a while, and give that.
        """

    async def write(
        self, key: str, *, size: int | None = None, want_sha256: bool = False
    ) -> Writer:
        """Begin a new file for ``key``; ``size`` is its length when known.

        ``want_sha256``: take the SHA-256 even where the store is set to save its cost.

        :raises StorageFull: ``size`` bytes do not fit.
        """

    async def list(
        self, prefix: str = "", *, after: str = "", limit: int = 1000, delimiter: str = ""
    ) -> Page:
        """Up to ``limit`` files and common prefixes that start with ``prefix``, after ``after``.

        With ``delimiter`` (``/``) keys that contain it behind the prefix are rolled up into
        their common prefix.
        """

    def scan(
        self, prefix: str = "", *, folders: bool = False
    ) -> AsyncGenerator[Sequence[FileInfo], None]:
        """Every file that starts with ``prefix`` in key order, in batches.

        With ``folders`` the empty folders too, where the store has any: as files of no bytes whose
        keys end in a slash.
        """

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> None:
        """Remove the file; durable on return.

        :raises NotFound: nothing is stored there.
        :raises PreconditionFailed: ``condition`` does not hold.
        """

    async def checksum(self, key: str, *, etag: str | None = None) -> FileInfo:
        """As :meth:`stat`, with the digests certainly there: reads the file if it must."""

    async def check(self) -> None:
        """Prove that the store can be used now; raises what is wrong."""

    async def close(self) -> None:
        """Free what the store holds."""


class OpenFile(Protocol):
    """An open descriptor of one version of a file; close it when done."""

    @property
    def fd(self) -> int: ...

    @property
    def info(self) -> FileInfo: ...

    def close(self) -> None: ...


@runtime_checkable
class LocalFiles(Protocol):
    """Ability: files have descriptors, so the kernel can send them (``sendfile``).

    :meth:`open_file` blocks on the disk: call it in a worker thread.
    """

    def open_file(self, key: str, *, etag: str | None = None, facts: bool = True) -> OpenFile:
        """Open ``key`` for reading; same errors as :meth:`Store.read`.

        Without ``facts`` the answer's digests and content type are left out, which saves looking
        them up.
        """

    def open_cached(self, key: str, *, facts: bool = True) -> OpenFile | None:
        """As :meth:`open_file` if everything it needs is in memory, else ``None``.

        Never blocks: call it in the event loop.
        """


@runtime_checkable
class Admits(Protocol):
    """Ability: a store that cannot take a file at every time knows so before."""

    async def admit(self, size: int | None) -> None:
        """See whether a file of ``size`` bytes (``None``: nobody knows) can be stored now.

        :raises Busy: nothing can be stored for a while.
        :raises StorageFull: there is no room for it.
        """


@runtime_checkable
class Assures(Protocol):
    """Ability: it is known beforehand whether the bytes of a file can be had."""

    async def assure(self, info: FileInfo) -> None:
        """Raise where its bytes cannot be had now; cheap, and no promise.

        It is asked before the head of an answer is sent: behind that nothing can be said any more.

        :raises ServerUnavailable: they may be had later.
        :raises SourceChanged: it is another version by now.
        """

    async def assure_all(self, infos: Sequence[FileInfo]) -> None:
        """The same of many files at once; of those that are other versions by now says nothing.

        :raises ServerUnavailable: the bytes of one may be had later.
        """


@runtime_checkable
class Adopts(Protocol):
    """Ability: a file that lies in ``incoming`` becomes a stored one without being copied.

    What else lies there is the caller's own matter. Both methods block on the disk: call them in
    a worker thread.
    """

    @property
    def incoming(self) -> int:
        """The descriptor of a folder on the store's own file system."""

    def finish(self, fd: int, key: str, facts: Facts) -> FileInfo:
        """Make the open file durable; answers what it will be once it is stored at ``key``.

        :raises StorageFull: there is no space left.
        """

    def adopt(self, name: str, info: FileInfo, condition: Condition) -> None:
        """Move the finished file ``name`` of ``incoming`` to its key, durably, in one step.

        :raises PreconditionFailed: ``condition`` does not hold at this moment.
        :raises KeyConflict: a folder stands at the key, or a file where a folder is needed.
        """


Checkpoint: TypeAlias = Mapping[str, object]
"""What is kept of work on a file between two attempts, as JSON has it."""

Keep: TypeAlias = Callable[[Checkpoint], Awaitable[None]]
"""Makes durable what whoever goes on with the work must know.

It raises where another goes on with it by now.
"""


class ChecksumBook(Protocol):
    """Where a store keeps what it learned of files whose own storage cannot remember it.

    Thread-safe and blocking. Facts belong to one version (key and etag): they are never true of
    another, so there is nothing to invalidate.
    """

    def get(self, key: str, etag: str) -> Facts:
        """The facts of a version; ``NOTHING_KNOWN`` if there are none."""

    def peek(self, key: str, etag: str) -> Facts | None:
        """As :meth:`get` if the answer is in memory, else ``None``. Never blocks."""

    def get_many(self, versions: Iterable[tuple[str, str]]) -> dict[str, Facts]:
        """The known facts by key, for (key, etag) pairs."""

    def put(self, key: str, etag: str, facts: Facts, *, replaces: str | None = None) -> None:
        """Remember durably. Drops every other version of the key except ``replaces``."""

    def put_crc32s(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        """Add CRC-32s (key, etag, CRC-32) to what is known of versions, durably, all at once."""

    def forget(self, key: str) -> None:
        """Drop every version of the key."""
