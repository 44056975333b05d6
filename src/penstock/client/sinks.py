"""What a download is written to."""

from typing import IO, Protocol

from penstock.client.answers import Version
from penstock.client.part_file import PartFile
from penstock.errors import SourceChanged
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread


class Sink(Protocol):
    """Takes the bytes of one version of a remote body, in order, and knows their digests.

    ``keeps`` says whether all that was written stays where it can be dropped and read back.
    """

    keeps: bool

    @property
    def version(self) -> Version | None:
        """What the bytes so far are a part of; ``None`` while there are none."""

    @property
    def offset(self) -> int:
        """How many bytes are there."""

    @property
    def digester(self) -> Digester:
        """The digests of the bytes that are there."""

    async def begin(self, version: Version) -> None:
        """Drop what is there and start with ``version``.

        :raises SourceChanged: what is there cannot be taken back.
        """

    async def write(self, data: bytes) -> None:
        """Take the next bytes."""

    def read_back(self, length: int, at: int) -> bytes:
        """So many bytes from a position on, or fewer at the end. Blocks: for worker threads.

        :raises LookupError: they were not kept.
        """


READ_PIECE = 1 << 20


class PartSink:
    """The part of a target, written from its beginning to its end."""

    keeps = True

    def __init__(self, part: PartFile) -> None:
        self._part = part
        self.digester = Digester()

    @classmethod
    async def open(cls, part: PartFile) -> "PartSink":
        """Go on with what is in ``part``, reading it again for its digest."""
        sink = cls(part)
        while await use_in_thread(sink._digest_next, part.have.size):
            pass
        return sink

    @property
    def version(self) -> Version | None:
        return self._part.version

    @property
    def offset(self) -> int:
        return self.digester.size

    async def begin(self, version: Version) -> None:
        await use_in_thread(self._part.begin, version)
        self.digester = Digester()

    async def write(self, data: bytes) -> None:
        await use_in_thread(self._write, data)

    def read_back(self, length: int, at: int) -> bytes:
        return self._part.read(length, at)

    def _write(self, data: bytes) -> None:
        self._part.write(data, self.offset)
        self.digester.update(data)

    def _digest_next(self, size: int) -> bool:
        data = self._part.read(min(READ_PIECE, size - self.offset), self.offset)
        self.digester.update(data)
        return bool(data)


class StreamSink:
    """A binary stream, such as standard output: it can go on, but not back.

    The last ``tail`` bytes are remembered, so that they can be read back.
    """

    keeps = False

    def __init__(self, stream: IO[bytes], tail: int = 0) -> None:
        self._stream = stream
        self._longest = tail
        self._tail = bytearray()
        self.version: Version | None = None
        self.digester = Digester()

    @property
    def offset(self) -> int:
        return self.digester.size

    async def begin(self, version: Version) -> None:
        if self.offset:
            raise SourceChanged(
                "the source changed while it was written to the stream, which cannot be taken "
                "back; run the command again"
            )
        self.version = version

    async def write(self, data: bytes) -> None:
        await use_in_thread(self._write, data)

    def read_back(self, length: int, at: int) -> bytes:
        begin = at - self.offset + len(self._tail)
        if begin < 0:
            raise LookupError(f"the bytes from {at} on are gone")
        return bytes(self._tail[begin : begin + length])

    async def finish(self) -> None:
        """Hand on what the stream has buffered."""
        await use_in_thread(self._stream.flush)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self.digester.update(data)
        if self._longest:
            self._tail += data
            if len(self._tail) > 2 * self._longest:
                del self._tail[: -self._longest]
