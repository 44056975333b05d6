"""Ability of a store: files are put together inside it, of stretches of others."""

from collections.abc import (
    AsyncGenerator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from penstock.stores.interface import ALWAYS, Checkpoint, Condition, FileInfo, Keep


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


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one composition over all its attempts.

    ``kept`` is what the last attempt saved. ``save`` makes durable what a later attempt must know,
    before it is relied on; it raises where another goes on with the work by now. ``progress`` is
    told how many bytes of the whole are in the store.
    """

    kept: Checkpoint
    save: Keep
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

    async def crc32(self, key: str, etag: str) -> int | None:
        """The CRC-32 of a version if the store can tell it without the bytes being read here."""

    async def remember(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        """Write down the CRC-32s of versions (key, etag, CRC-32) that were read."""

    def metered(self) -> AbstractContextManager[Meter]:
        """Count what this task, and those it begins, use of the store within."""
