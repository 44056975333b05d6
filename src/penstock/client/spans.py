"""Bytes that go into an upload together, and can be sent again from wherever it stands."""

from typing import Protocol

from penstock.client import tus_fields
from penstock.client.file_reader import READ_PIECE, FileReader
from penstock.client.sending import Read


class Span(Protocol):
    """The bytes of an upload from ``start`` to ``stop``.

    ``length`` is that of the whole, where the upload is to be told it with these bytes.
    """

    @property
    def start(self) -> int: ...

    @property
    def stop(self) -> int: ...

    @property
    def length(self) -> int | None: ...

    async def begin(self, offset: int) -> tuple[Read, str | None]:
        """What reads from ``offset`` to the end, and the checksum of that if there is one."""


class FileSpan:
    """A stretch of a file, read while it is sent."""

    length = None

    def __init__(self, reader: FileReader, start: int, stop: int) -> None:
        self._reader = reader
        self.start = start
        self.stop = stop

    async def begin(self, offset: int) -> tuple[Read, str | None]:
        await self._reader.go_to(offset, self.stop)
        return self._reader.read, None


class Block:
    """Bytes in memory."""

    def __init__(
        self,
        data: bytes | memoryview,
        start: int,
        *,
        length: int | None = None,
        checked: bool = False,
    ) -> None:
        self._data = memoryview(data)
        self._checked = checked
        self.start = start
        self.stop = start + len(data)
        self.length = length

    async def begin(self, offset: int) -> tuple[Read, str | None]:
        rest = self._data[offset - self.start :]
        pieces = iter(range(0, len(rest), READ_PIECE))

        async def read() -> bytes:
            # A copy: a connection that was given up may hold it longer than the block is good.
            at = next(pieces, len(rest))
            return bytes(rest[at : at + READ_PIECE])

        return read, tus_fields.checksum_of(rest) if self._checked else None
