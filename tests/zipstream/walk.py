"""A strict reader of our ZIP layouts, written from APPNOTE.TXT and RFC 1951 alone.

It shares no code with what it checks, and every byte has to be accounted for.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

FULL = 0xFFFF_FFFF
UTF8, DESCRIBED, STORED, DEFLATED, UNIX = 0x0800, 0x0808, 0, 8, 3
INFLATED_AT_MOST = 1 << 26  # longer streams are left to the readers that are not ours

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
    packed: int  # bytes in the ZIP
    deflated: bool
    described: bool  # its numbers follow it


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
        start = _local(read, offset, entry)
        _check_stream(read, start, entry)
        position = _descriptor(read, start + entry.packed, entry)
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
    assert (signature, system, made) == (b"PK\1\2", UNIX, needed)
    assert (flags, method) in ((UTF8, STORED), (UTF8, DEFLATED), (DESCRIBED, DEFLATED))
    assert (comment, disk, internal) == (0, 0, 0)
    assert method == DEFLATED or stored == size
    start = place + 46 + name_length
    extras = _extras(directory[start : start + extra_length])
    wide = [value for value in (size, stored, offset) if value == FULL]
    if wide:
        values = list(struct.unpack(f"<{len(wide)}Q", extras.pop(1)))
        if size == FULL:
            size, stored = values.pop(0), values.pop(0)
            assert max(size, stored) >= FULL
            assert method == DEFLATED or stored == size
        if offset == FULL:
            offset = values.pop(0)
            assert offset >= FULL
    assert needed == (45 if wide else 20)
    name = directory[place + 46 : start].decode()
    entry = Found(
        name, size, crc, _stamp(extras), (date, time), external, needed, stored,
        method == DEFLATED, flags == DESCRIBED,
    )  # fmt: skip
    return entry, offset, start + extra_length


def _local(read: Read, offset: int, entry: Found) -> int:
    """Check that the local header says the same; the position of the member's first byte."""
    head = struct.unpack("<4s5H3I2H", read(offset, offset + 30))
    signature, needed, flags, method, time, date, crc, stored, size, name_length, extra = head
    assert (signature, flags) == (b"PK\3\4", DESCRIBED if entry.described else UTF8)
    assert method == (DEFLATED if entry.deflated else STORED)
    rest = read(offset + 30, offset + 30 + name_length + extra)
    extras = _extras(rest[name_length:])
    assert needed == (45 if 1 in extras else 20)
    if 1 in extras:
        assert size == stored == FULL
        size, stored = struct.unpack("<2Q", extras.pop(1))
        assert entry.described or max(size, stored) >= FULL
    numbers = (0, 0, 0) if entry.described else (entry.size, entry.packed, entry.crc32)
    assert (size, stored, crc) == numbers
    assert rest[:name_length].decode() == entry.name
    assert (date, time) == entry.dos_time
    assert _stamp(extras) == entry.modified
    return offset + 30 + len(rest)


def _check_stream(read: Read, start: int, entry: Found) -> None:
    """Inflate a member, if that is to be done to it, and hold it against its numbers."""
    if not entry.deflated:
        assert entry.packed == entry.size
    elif max(entry.packed, entry.size) <= INFLATED_AT_MOST:
        inflater = zlib.decompressobj(-15)
        content = inflater.decompress(read(start, start + entry.packed))
        assert inflater.eof
        assert not inflater.unused_data
        assert (len(content), zlib.crc32(content)) == (entry.size, entry.crc32)


def _descriptor(read: Read, position: int, entry: Found) -> int:
    """The position behind what follows the member's bytes."""
    if not entry.described:
        return position
    wide = max(entry.size, entry.packed) > FULL
    layout = "<4sI2Q" if wide else "<4s3I"
    stop = position + struct.calcsize(layout)
    record = struct.unpack(layout, read(position, stop))
    assert record == (b"PK\7\10", entry.crc32, entry.packed, entry.size)
    return stop


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
