"""A strict reader of our one ZIP layout, written from APPNOTE.TXT alone.

It shares no code with what it checks, and every byte has to be accounted for.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

FULL = 0xFFFF_FFFF
UTF8, STORED, UNIX = 0x0800, 0, 3

Read = Callable[[int, int], bytes]
"""The bytes from a first to before a last position."""


@dataclass(frozen=True)
class Found:
    name: str
    size: int
    crc32: int
    modified: int
    dos_time: tuple[int, int]
    mode: int
    needed: int


@dataclass(frozen=True)
class Ends:
    entries: int
    length: int
    offset: int
    first: int  # position of the first end record
    zip64: bool


def walk(read: Read, size: int) -> tuple[list[Found], Ends]:
    """Everything in a ZIP of ``size`` bytes; AssertionError for whatever is not as it should be."""
    ends = read_ends(read, size)
    directory = read(ends.offset, ends.offset + ends.length)
    found = []
    position = place = 0
    for _ in range(ends.entries):
        entry, offset, place = _central(directory, place)
        assert offset == position, "a gap or an overlap between members"
        position = _local(read, offset, entry) + entry.size
        found.append(entry)
    assert place == len(directory)
    assert position == ends.offset, "a gap before the central directory"
    assert ends.offset + ends.length == ends.first, "a gap after the central directory"
    return found, ends


def read_ends(read: Read, size: int) -> Ends:
    """What the end records say."""
    end = struct.unpack("<4s4H2IH", read(size - 22, size))
    signature, disk, start_disk, here, entries, length, offset, comment = end
    assert (signature, disk, start_disk, comment) == (b"PK\5\6", 0, 0, 0)
    assert here == entries
    if entries < 0xFFFF and length < FULL and offset < FULL:
        return Ends(entries, length, offset, size - 22, zip64=False)
    return _ends64(read, size - 22, (entries, length, offset))


def _ends64(read: Read, position: int, short: tuple[int, int, int]) -> Ends:
    locator = struct.unpack("<4sIQI", read(position - 20, position))
    assert locator == (b"PK\6\7", 0, position - 76, 1)
    record = struct.unpack("<4sQ2H2I4Q", read(position - 76, position - 20))
    signature, length, _, needed, disk, start_disk, here, *values = record
    assert (signature, length, needed, disk, start_disk) == (b"PK\6\6", 44, 45, 0, 0)
    assert here == values[0]
    limits = (0xFFFF, FULL, FULL)
    assert short == tuple(min(v, limit) for v, limit in zip(values, limits, strict=True))
    return Ends(values[0], values[1], values[2], position - 76, zip64=True)


def _central(directory: bytes, place: int) -> tuple[Found, int, int]:
    head = struct.unpack_from("<4s2B5H3I5H2I", directory, place)
    signature, made, system, needed, flags, method, time, date, crc, stored, size = head[:11]
    name_length, extra_length, comment, disk, internal, external, offset = head[11:]
    assert (signature, system, flags, method) == (b"PK\1\2", UNIX, UTF8, STORED)
    assert (comment, disk, internal) == (0, 0, 0)
    assert (made, stored) == (needed, size)
    start = place + 46 + name_length
    extras = _extras(directory[start : start + extra_length])
    wide = [value for value in (size, size, offset) if value == FULL]
    if wide:
        values = list(struct.unpack(f"<{len(wide)}Q", extras.pop(1)))
        if size == FULL:
            size, stored = values.pop(0), values.pop(0)
            assert size == stored >= FULL
        if offset == FULL:
            offset = values.pop(0)
            assert offset >= FULL
    assert needed == (45 if wide else 20)
    name = directory[place + 46 : start].decode()
    entry = Found(name, size, crc, _stamp(extras), (date, time), external, needed)
    return entry, offset, start + extra_length


def _local(read: Read, offset: int, entry: Found) -> int:
    """Check that the local header says the same; the position of the member's first byte."""
    head = struct.unpack("<4s5H3I2H", read(offset, offset + 30))
    signature, needed, flags, method, time, date, crc, stored, size, name_length, extra = head
    assert (signature, flags, method) == (b"PK\3\4", UTF8, STORED)
    rest = read(offset + 30, offset + 30 + name_length + extra)
    extras = _extras(rest[name_length:])
    assert stored == size
    if size == FULL:
        size, stored = struct.unpack("<2Q", extras.pop(1))
        assert size == stored >= FULL
    assert needed == (45 if entry.size >= FULL else 20)
    assert (rest[:name_length].decode(), size, crc) == (entry.name, entry.size, entry.crc32)
    assert (date, time) == entry.dos_time
    assert _stamp(extras) == entry.modified
    return offset + 30 + len(rest)


def _extras(blob: bytes) -> dict[int, bytes]:
    extras: dict[int, bytes] = {}
    while blob:
        kind, length = struct.unpack_from("<2H", blob)
        assert kind not in extras
        assert len(blob) >= 4 + length
        extras[kind], blob = blob[4 : 4 + length], blob[4 + length :]
    return extras


def _stamp(extras: dict[int, bytes]) -> int:
    """The UT time, which has to be the only extra left."""
    assert list(extras) == [0x5455]
    assert extras[0x5455][:1] == b"\1"
    assert len(extras[0x5455]) == 5
    return int.from_bytes(extras[0x5455][1:], "little", signed=True)
