"""A whole ZIP in parts: bytes to send, and members to be fetched and passed through a part.

The parts do no I/O, so a loop that awaits and one that does not can share them.
"""

from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from isal.isal_zlib import crc32

from penstock.errors import SourceChanged
from penstock.octets.compressible import is_compressed
from penstock.zipstream.blocks import stored
from penstock.zipstream.deflate import BLOCK, Engine, deflate_block, deflate_whole, pays
from penstock.zipstream.entry import Member
from penstock.zipstream.framer import Framer
from penstock.zipstream.learned import Learned
from penstock.zipstream.plan import Plan
from penstock.zipstream.writer import ZipWriter

_SHORT: Final = 32 << 10  # deflated in less time than it takes to hand it to a thread and back


class Part(Protocol):
    """A stretch of one member: its bytes go in, those of the ZIP come out."""

    index: int
    first: int
    """The first byte of the member that is needed."""
    last: int | None
    """Where the bytes that are needed end, exclusive; ``None``: with the member."""

    def take(self, data: bytes) -> bytes:
        """What the next bytes give. Raises SourceChanged if there are more than planned."""

    def end(self) -> bytes:
        """What is left when all were given. Raises SourceChanged if they are not as planned."""

    def is_long(self, data: bytes | None) -> bool:
        """Will it take milliseconds to take ``data``, or to end if there are none?"""


Piece: TypeAlias = bytes | Part


def exact_parts(plan: Plan, learned: Learned, start: int, stop: int | None) -> Iterator[Piece]:
    """The bytes ``start`` to ``stop`` of a plan that is not open."""
    for segment in plan.segments(start, stop, learned):
        if not isinstance(segment, Member):
            yield segment
        elif plan.is_framed(segment.index):
            yield _Framed(plan, learned, segment)
        else:
            yield _Stored(plan, segment.index, segment.start, segment.stop)


def written_parts(plan: Plan, engine: Engine) -> Iterator[Piece]:
    """The whole of any plan, by a `ZipWriter`."""
    writer = ZipWriter(plan)
    for i in range(len(plan)):
        size, crc = plan.size_of(i), plan.crc32_of(i)
        if size is None or crc is None or not _is_final(plan, i, size):
            yield _Written(plan, writer, i, engine)
            continue
        yield writer.known(i, size=size, crc32=crc, compressed_size=size, deflated=False)
        if size:
            yield _Stored(plan, i, 0, size)
    yield from writer.directory()


def _is_final(plan: Plan, i: int, size: int) -> bool:
    """Is a member whose numbers are known to be stored as it is?"""
    return size == 0 or plan.is_stored(i) or is_compressed(plan.name(i))


class _Stored:
    """Passes bytes on, but not the last of them before they are known to be the right ones.

    Only of a whole member the CRC-32 can tell; of a stretch it is the length.
    """

    def __init__(self, plan: Plan, index: int, first: int, last: int) -> None:
        self.index = index
        self.first = first
        self.last: int | None = last
        self._plan = plan
        self._left = last - first
        whole = first == 0 and last == plan.size_of(index)
        self._expected = plan.crc32_of(index) if whole else None
        self._crc32 = 0

    def take(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._expected is not None:
            self._crc32 = crc32(data, self._crc32)
        if self._left < 0 or (not self._left and self._expected not in (None, self._crc32)):
            raise _changed(self._plan, self.index)
        return data

    def end(self) -> bytes:
        if self._left:
            raise _changed(self._plan, self.index)
        return b""

    def is_long(self, data: bytes | None) -> bool:
        return False


class _Framed:
    """Puts bytes into stored blocks."""

    def __init__(self, plan: Plan, learned: Learned, member: Member) -> None:
        self._framer = Framer(plan, learned, member.index, member.start, member.stop)
        self.index = member.index
        self.first = self._framer.first
        self.last: int | None = self._framer.last
        self._plan = plan

    def take(self, data: bytes) -> bytes:
        return self._framer.frame(data)

    def end(self) -> bytes:
        if not self._framer.done:
            raise _changed(self._plan, self.index)
        return b""

    def is_long(self, data: bytes | None) -> bool:
        return False


class _Written:
    """Deflates a member block by block; a small one as a whole, with its numbers in front.

    One that would not shrink goes into stored blocks.
    """

    def __init__(self, plan: Plan, writer: ZipWriter, index: int, engine: Engine) -> None:
        self.index = index
        self.first = 0
        self.last = plan.size_of(index)
        self._plan = plan
        self._writer = writer
        self._engine = engine
        self._deflates = plan.is_deflated(index) and not is_compressed(plan.name(index))
        self._waiting = bytearray()
        self._size = self._packed = self._crc32 = 0
        self._begun = False

    def take(self, data: bytes) -> bytes:
        self._size += len(data)
        if self.last is not None and self._size > self.last:
            raise _changed(self._plan, self.index)
        self._crc32 = crc32(data, self._crc32)
        self._waiting += data
        done: list[bytes] = []
        while len(self._waiting) > BLOCK:  # one more byte, or it could be the last block
            done += self._header(), self._block(bytes(self._waiting[:BLOCK]), last=False)
            del self._waiting[:BLOCK]
        return b"".join(done)

    def end(self) -> bytes:
        rest = bytes(self._waiting)
        if not self._begun:
            return self._whole(rest)
        block = self._block(rest, last=True)
        return block + self._writer.close(
            size=self._size, crc32=self._crc32, compressed_size=self._packed
        )

    def is_long(self, data: bytes | None) -> bool:
        if not self._deflates:
            return False
        waiting = len(self._waiting)
        return waiting > _SHORT if data is None else waiting + len(data) > BLOCK

    def _header(self) -> bytes:
        """The local header, if it is not sent yet."""
        if self._begun:
            return b""
        self._begun = True
        self._deflates = self._deflates and pays(bytes(self._waiting[:BLOCK]))
        return self._writer.open(self.index)

    def _block(self, data: bytes, *, last: bool) -> bytes:
        block = (
            deflate_block(data, self._engine, last=last)
            if self._deflates
            else stored(data, last=last)
        )
        self._packed += len(block)
        return block

    def _whole(self, data: bytes) -> bytes:
        deflated = deflate_whole(data, self._engine) if self._deflates else None
        content = data if deflated is None else deflated
        header = self._writer.known(
            self.index,
            size=self._size,
            crc32=self._crc32,
            compressed_size=len(content),
            deflated=deflated is not None,
        )
        return header + content


def _changed(plan: Plan, index: int) -> SourceChanged:
    return SourceChanged(
        f"{plan.name(index)!r} has other bytes than planned; plan the ZIP again from what it is now"
    )
