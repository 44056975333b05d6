"""What a download is written to."""

from typing import IO, Protocol

from penstock.client.answers import Version
from penstock.errors import SourceChanged
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread


class Sink(Protocol):
    """Takes the bytes of one version of a remote body, in order, and knows their digests."""

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


class StreamSink:
    """A binary stream, such as standard output: it can go on, but not back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
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

    async def finish(self) -> None:
        """Hand on what the stream has buffered."""
        await use_in_thread(self._stream.flush)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stream.write(rest) :]
        self.digester.update(data)
