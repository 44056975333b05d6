"""What a store of files is: a small core, and abilities beside it.

A *key* is the UTF-8 path of a file (see :mod:`penstock.stores.keys`), a *prefix* any start of
keys. Offsets and sizes are bytes; ``stop`` is exclusive.

The core is :class:`Store`. What only some stores can do is a Protocol of its own
(:class:`LocalFiles`), so a caller asks for just the ability it uses and falls back to the core.
"""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
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
class Capabilities:
    """What callers must know of a store to use it well."""

    atomic_replace: bool = True
    native_checksums: bool = False


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

    @property
    def capabilities(self) -> Capabilities: ...

    async def stat(self, key: str) -> FileInfo:
        """What is stored at ``key``.

        :raises NotFound: nothing is.
        """

    def read(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes ``start`` to ``stop`` in pieces of at most 1 MiB; call again to read again.

        :raises NotFound: nothing is stored there.
        :raises SourceChanged: ``etag`` was given and the file is another version by now.
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


Beside: TypeAlias = Callable[[int, int], bytes]
"""The bytes ``start`` to ``stop`` of a file that lies beside the store until it is stored.

It blocks, so it is called in worker threads, for a few MiB at a time.
"""

Keep: TypeAlias = "Callable[[Checkpoint], Awaitable[None]]"
"""Makes durable what is to be known of an arrival by whoever goes on with it.

It raises where another goes on with it by now.
"""


class Arrived(NamedTuple):
    """What an arrival became; ``replaced``: another file stood at the key before."""

    file: FileInfo
    replaced: bool


class Arrival(Protocol):
    """A file on its way into the store part by part, while it is still coming in beside it.

    Where the parts are cut is chosen when it begins and stays. Bytes are given that will never be
    others, so whoever sends a part, and however often, sends the same.
    """

    @property
    def kept(self) -> "Checkpoint":
        """How far it is; empty before it began."""

    def part(self, number: int) -> tuple[int, int] | None:
        """Where the part ``number`` (from 1) starts and stops.

        ``None`` if it is not to be sent ahead of the end, and no later one either.
        """

    async def send(self, number: int, read: Beside, keep: Keep) -> None:
        """Have a part in the store; does nothing if it is there.

        The first one begins the arrival: what is to be known of that is kept before anything is
        sent. If it cannot be kept nothing is left.
        """

    async def finish(
        self, size: int, facts: Facts, read: Beside, condition: Condition, keep: Keep
    ) -> Arrived:
        """Send what is missing of ``size`` bytes, and store the whole.

        Made again after a crash, or when its answer was lost, it answers the file that was stored.

        :raises PreconditionFailed: ``condition`` does not hold, and the file is not this one.
        """

    async def renew(self) -> None:
        """Say that it will be gone on with, or after a while what was sent is removed."""

    async def forsake(self) -> None:
        """Remove what was sent: nobody goes on with it."""


@runtime_checkable
class Parts(Protocol):
    """Ability: files go into the store part by part ahead of their end, over many processes."""

    @property
    def renewal(self) -> float:
        """Seconds after which an arrival that goes on is to be renewed."""

    def arrival(
        self, key: str, size: int | None, content_type: str | None, kept: "Checkpoint"
    ) -> Arrival:
        """The arrival of a file, or what is ``kept`` of it by an earlier process.

        ``size`` is its bytes, ``None`` while nobody knows. A ``content_type`` of ``None`` is told
        by the first bytes, if they do.
        """


class Stretch(NamedTuple):
    """Bytes ``start`` ≤ byte < ``stop`` of a file to be, which stand in another: from ``offset``
    on in the version ``etag`` of ``key``, which has ``size`` bytes in all."""

    start: int
    stop: int
    key: str
    etag: str
    offset: int
    size: int


class Blueprint(Protocol):
    """A file that is to be put together of stretches of others, and of bytes of its own."""

    @property
    def size(self) -> int:
        """Bytes of the whole."""

    @property
    def digest(self) -> str:
        """Names these bytes and no others."""

    def stretches(self) -> Iterator[Stretch]:
        """What can be copied, in order: as many, and the same, whenever it is asked for."""

    def copied(self, stretch: Stretch, start: int, stop: int, crc32: int) -> None:
        """Be told the CRC-32 of the bytes ``start`` to ``stop`` (of the whole), in ``stretch``."""

    def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """The bytes ``start`` to ``stop``, in pieces of some MiB at most.

        What :meth:`copied` could tell of bytes before must have been told where that is awaited.

        :raises SourceChanged: a source is another version by now.
        """

    async def crc32(self) -> int | None:
        """The CRC-32 of the whole, once all of it was read or copied; ``None``: it is not known."""


class Usage(NamedTuple):
    """What work on a store takes, or took: requests that are paid as PUT (PUT, COPY, POST, LIST),
    those that are paid as GET, and bytes that pass through this process, in and out."""

    puts: int = 0
    gets: int = 0
    received: int = 0
    sent: int = 0

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(*map(sum, zip(self, other, strict=True)))


class Meter(Protocol):
    """Counts what is used while it runs."""

    @property
    def usage(self) -> Usage: ...

    @property
    def memory_peak(self) -> int:
        """The most bytes that waited in memory at once."""


class Composed(NamedTuple):
    """What was put together: ``parts`` in all, of which so many were ``copied`` in the store, and
    so many ``found``, made by an earlier attempt."""

    file: FileInfo
    parts: int
    copied: int
    found: int


Checkpoint = Mapping[str, object]
"""What is kept between two attempts, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one composition over all its attempts.

    ``kept`` is what the last attempt saved. ``save`` makes durable what a later attempt must know,
    before it is relied on; it raises where another goes on with the work by now. ``progress`` is
    told how many bytes of the whole are in the store.
    """

    kept: Checkpoint
    save: Callable[[Checkpoint], Awaitable[None]]
    progress: Callable[[int], None]


@runtime_checkable
class Composes(Protocol):
    """Ability: files are put together inside the store, so that most bytes need not leave it."""

    @property
    def copied_from(self) -> int:
        """Bytes from which on it is better to copy a file than to read and send it."""

    @property
    def least_between(self) -> int:
        """Bytes between two copied stretches that cost no more than fewer would."""

    async def compose(
        self,
        key: str,
        blueprint: Blueprint,
        course: Course,
        *,
        content_type: str,
        condition: Condition = ALWAYS,
        tags: Mapping[str, str] | None = None,
    ) -> Composed:
        """Put a file together and store it at ``key``; visible whole or not at all.

        If the process dies, another call with what the course has kept goes on: parts that are
        made are not made again, and a file that was stored already is answered.

        :raises SourceChanged: a source is another version by now.
        :raises PreconditionFailed: ``condition`` does not hold at the end.
        :raises TooLarge: the store cannot have a file of that size.
        """

    async def forsake(self, key: str, kept: Checkpoint) -> None:
        """Remove what a composition left that nobody goes on with."""

    async def estimate(self, blueprint: Blueprint) -> tuple[int, Usage]:
        """How many parts it would have, and what composing would take."""

    async def learns_copies(self) -> bool:
        """Whether the store tells the CRC-32 of what it copies."""

    async def crc32(self, key: str, etag: str) -> int | None:
        """The CRC-32 of a version if the store can tell it without the bytes being read here."""

    async def remember(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        """Write down the CRC-32s of versions (key, etag, CRC-32) that were read."""

    def metered(self) -> AbstractContextManager[Meter]:
        """Count what this task, and those it begins, use of the store within."""


@runtime_checkable
class Presigns(Protocol):
    """Ability: links that let whoever has them fetch one file from the store itself."""

    async def presigned(self, key: str, expires: float, *, file_name: str = "") -> str:
        """A URL that is good for ``expires`` seconds; it is saved as ``file_name``.

        :raises BadRequest: nothing can be signed here, or not for so long.
        """

    def direct_url(self, key: str) -> str:
        """The URL of the file for those who may read it without, or by their own, signature."""


class SentPart(NamedTuple):
    """A part that the store has of a file: its number, from 1 on, its ETag and its bytes."""

    number: int
    etag: str
    size: int


class Form(NamedTuple):
    """Where a form with one file may be posted, and its fields, which go before the file."""

    url: str
    fields: Mapping[str, str]


class DirectUploads(Protocol):
    """Uploads whose bytes do not pass through this process: the store itself takes them.

    An upload in parts is named by its key and by what :meth:`begin` answered. One that nobody goes
    on with is removed some time later. All raise ``NotFound`` if no such upload is under way.
    """

    @property
    def most_parts(self) -> int:
        """A part's number is this at most."""

    async def begin(self, key: str, content_type: str, metadata: Mapping[str, str]) -> str:
        """Begin an upload in parts; answers what names it.

        :raises BadRequest: ``metadata`` cannot be kept.
        """

    async def parts(self, key: str, upload: str) -> Sequence[SentPart]:
        """What came so far, by number."""

    async def part_urls(
        self, key: str, upload: str, numbers: Sequence[int], expires: float
    ) -> Sequence[str]:
        """Where each of these parts may be put (PUT) for ``expires`` seconds."""

    async def complete(
        self, key: str, upload: str, parts: Sequence[tuple[int, str]], most: int
    ) -> FileInfo:
        """Make a file of the parts (number, ETag), and store it at the key.

        :raises BadRequest: these parts did not come, or they make no file.
        :raises TooLarge: it would have more than ``most`` bytes; the upload is gone.
        """

    async def abort(self, key: str, upload: str) -> None:
        """End an upload, and drop what came."""

    async def form(
        self, key: str, content_type: str, metadata: Mapping[str, str], most: int, expires: float
    ) -> Form | None:
        """Where a file of ``most`` bytes at most may be posted for ``expires`` seconds.

        ``None`` if the store takes no forms. Raises as :meth:`begin` does.
        """


@runtime_checkable
class TakesDirectUploads(Protocol):
    """Ability: who has links sends a file to the store itself."""

    @property
    def direct(self) -> DirectUploads: ...


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
