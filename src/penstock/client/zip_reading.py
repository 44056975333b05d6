"""Reading a ZIP back: its directory, one record at a time, and the bytes of its members.

The standard library's reader keeps every record, close to 1 KiB each; here memory does not depend
on how many there are. Everything blocks: it is for worker threads. Section numbers are those of
PKWARE's APPNOTE.TXT 6.3.10.
"""

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple, TypeAlias

from isal import isal_zlib

from penstock.errors import DigestMismatch

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Gives so many bytes from a position on, or fewer at the end."""

PIECE = 1 << 20
STEP = 8 << 20
MEMBER_COST = 16 << 10  # a member costs about as much time as so many bytes
SATURATED = 0xFFFF_FFFF
STORED, DEFLATED = 0, 8

_local = Struct("<4s22x2H")  # 4.3.7
_central = Struct("<4s6xH4x3I3H8xI")  # 4.3.12
_end = Struct("<4s6xH2IH")  # 4.3.16
_end64 = Struct("<4s28x3Q")  # 4.3.14
_locator = Struct("<4s4xQ4x")  # 4.3.15


class Record(NamedTuple):
    """A member as the central directory tells it; ``offset`` is where its local header starts."""

    name: bytes
    method: int
    crc32: int
    packed: int
    size: int
    offset: int


class ZipReader:
    """The ZIP of ``size`` bytes that ``read`` gives; for one pass over its directory.

    ``entries`` counts the records that were walked over so far, ``last`` has the last two.

    :raises DigestMismatch: from every method, when it is none or is damaged.
    """

    def __init__(self, read: ReadAt, size: int) -> None:
        self._directory = _Window(read)
        self._members = _Window(read)
        self._size = size
        self._walk = self._records()
        self.entries = 0
        self.last: deque[Record] = deque(maxlen=2)

    def walk_on(self) -> None:
        """Walk to the end of the directory."""
        deque(self._walk, maxlen=0)

    def check(self) -> Iterator[int]:
        """Read every member and hold it against its size and CRC-32.

        Stops after a few MiB each time, so that it can be cancelled, and answers how many.
        """
        done = 0
        for record in self._walk:
            done += MEMBER_COST
            size = crc32 = 0
            for plain in self._content(record):
                size += len(plain)
                crc32 = isal_zlib.crc32(plain, crc32)
                done += len(plain)
                if done >= STEP:
                    yield done
                    done = 0
            if (size, crc32) != (record.size, record.crc32):
                raise _damaged(record)

    def content(self, record: Record, most: int) -> bytes:
        """The bytes of one member, but not more than ``most`` and a piece."""
        data = b""
        for plain in self._content(record):
            data += plain
            if len(data) > most:
                break
        return data

    def _records(self) -> Iterator[Record]:
        count, at, stop = self._find()
        while at < stop:
            record, at = self._record(at)
            self.entries += 1
            self.last.append(record)
            yield record
        if (self.entries, at) != (count, stop):
            raise _damaged()

    def _find(self) -> tuple[int, int, int]:
        """How many records there are, and where they start and stop."""
        at = self._size - _end.size
        signature, count, length, start, comment = _end.unpack(self._directory(_end.size, at))
        if signature != b"PK\5\6" or comment:
            raise _damaged()
        if count == 0xFFFF or SATURATED in (length, start):
            signature, at = _locator.unpack(self._directory(_locator.size, at - _locator.size))
            signature64, count, length, start = _end64.unpack(self._directory(_end64.size, at))
            if (signature, signature64) != (b"PK\6\7", b"PK\6\6"):
                raise _damaged()
        return count, start, at

    def _record(self, at: int) -> tuple[Record, int]:
        """The record at a position, and where the next one is."""
        head = _central.unpack(self._directory(_central.size, at))
        signature, method, crc32, packed, size, *lengths, offset = head
        if signature != b"PK\1\2":
            raise _damaged()
        at += _central.size
        name = self._directory(lengths[0], at)
        wide = _wide(self._directory(lengths[1], at + lengths[0]))
        size, packed, offset = (
            next(wide, value) if value == SATURATED else value for value in (size, packed, offset)
        )
        return Record(name, method, crc32, packed, size, offset), at + sum(lengths)

    def _content(self, record: Record) -> Iterator[bytes]:
        head = self._members(_local.size, record.offset)
        signature, name_length, extra_length = _local.unpack(head)
        at = record.offset + _local.size
        if signature != b"PK\3\4" or self._members(name_length, at) != record.name:
            raise _damaged(record)
        at += name_length + extra_length
        stop = at + record.packed
        pieces = (self._members(min(PIECE, stop - one), one) for one in range(at, stop, PIECE))
        if record.method == STORED:
            return pieces
        if record.method == DEFLATED:
            return _inflated(record, pieces)
        raise _damaged(record)


class _Window:
    """Exactly the bytes asked for, of which a good piece is read at once."""

    def __init__(self, read: ReadAt) -> None:
        self._read = read
        self._at = 0
        self._data = b""

    def __call__(self, length: int, at: int) -> bytes:
        begin = at - self._at
        if not 0 <= begin <= begin + length <= len(self._data):
            if at < 0:
                raise _damaged()
            self._at, self._data, begin = at, self._read(max(length, PIECE), at), 0
        if len(self._data) < begin + length:
            raise _damaged()
        return self._data[begin : begin + length]


def _wide(extra: bytes) -> Iterator[int]:
    """The values of the ZIP64 extra field (4.5.3), in their order."""
    at = 0
    while at + 4 <= len(extra):
        kind = int.from_bytes(extra[at : at + 2], "little")
        stop = at + 4 + int.from_bytes(extra[at + 2 : at + 4], "little")
        if kind == 1:
            for one in range(at + 4, stop, 8):
                yield int.from_bytes(extra[one : one + 8], "little")
        at = stop


def _inflated(record: Record, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The plain bytes, never more than a piece at a time, however well they are packed."""
    inflater = zlib.decompressobj(wbits=-15)  # not what packed it
    try:
        for piece in pieces:
            more = True
            while more:
                plain = inflater.decompress(piece, PIECE)
                yield plain
                piece = inflater.unconsumed_tail
                more = bool(piece) or len(plain) == PIECE
    except zlib.error:
        raise _damaged(record) from None
    if not inflater.eof:
        raise _damaged(record)


def _damaged(record: Record | None = None) -> DigestMismatch:
    what = "the ZIP that came"
    if record is not None:
        what = f"{record.name.decode(errors='replace')!r} in {what}"
    return DigestMismatch(f"{what} is damaged; run the command again")
