"""Files that are to be put together, of which every byte is known."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from isal.isal_zlib import crc32

from penstock.stores import FileInfo, Store
from penstock.stores.composing import Course, Stretch
from penstock.stores.interface import Checkpoint

PIECE = 1 << 20


@dataclass(frozen=True)
class Slice:
    """Bytes of a stored file, all of them unless ``start`` or ``stop`` says otherwise."""

    file: FileInfo
    data: bytes
    start: int = 0
    stop: int | None = None

    @property
    def bytes(self) -> bytes:
        return self.data[self.start : self.stop]


class KnownBytes:
    """Implements :class:`penstock.stores.composing.Blueprint`.

    Slices of stored files are read from the store. ``told`` are the CRC-32s that it was told of
    what was copied, by span; ``reads`` the spans that were read.
    """

    def __init__(self, store: Store, pieces: Sequence[bytes | Slice]) -> None:
        self._store = store
        self.data = b"".join(p if isinstance(p, bytes) else p.bytes for p in pieces)
        self._stretches: list[Stretch] = []
        at = 0
        for piece in pieces:
            size = len(piece) if isinstance(piece, bytes) else len(piece.bytes)
            if isinstance(piece, Slice):
                file = piece.file
                self._stretches.append(
                    Stretch(at, at + size, file.key, file.etag, piece.start, file.size)
                )
            at += size
        self.size = len(self.data)
        self.digest = sha256(self.data).hexdigest()
        self.told: dict[tuple[int, int], int] = {}
        self.reads: list[tuple[int, int]] = []

    def stretches(self) -> Iterator[Stretch]:
        return iter(self._stretches)

    def copied(self, stretch: Stretch, start: int, stop: int, crc32: int) -> None:
        assert stretch in self._stretches
        self.told[start, stop] = crc32

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        self.reads.append((start, stop))
        at = start
        for stretch in self._stretches:
            if stretch.stop <= at or stretch.start >= stop:
                continue
            for first in range(at, stretch.start, PIECE):
                yield self.data[first : min(first + PIECE, stretch.start)]
            at, until = max(at, stretch.start), min(stop, stretch.stop)
            shift = stretch.offset - stretch.start
            async for data in self._store.read(
                stretch.key, at + shift, until + shift, etag=stretch.etag
            ):
                yield data
            at = until
        for first in range(at, stop, PIECE):
            yield self.data[first : min(first + PIECE, stop)]

    async def crc32(self) -> int | None:
        return crc32(self.data)


@dataclass
class Attempts:
    """The course of one composition; ``kept`` is what was saved last."""

    kept: Checkpoint = field(default_factory=dict)
    saves: int = 0
    steps: list[int] = field(default_factory=list)

    @property
    def course(self) -> Course:
        """That of the next attempt."""

        async def save(kept: Checkpoint) -> None:
            self.kept = kept
            self.saves += 1

        return Course(self.kept, save, self.steps.append)


ZIP: dict[str, Any] = {"content_type": "application/zip"}
