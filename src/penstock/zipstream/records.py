"""The records of a ZIP file, as bytes: local headers, central directory, end records.

The layout that every reader tried could open, from a pipe too: sizes and CRC-32 in the local
header, no data descriptor, names in UTF-8 (flag bit 11), the UT time stamp, and ZIP64 fields only
where a value needs them. Only if those numbers are not known in time they follow the member in a
descriptor (flag bit 3), and then it is deflated: many readers refuse a stored one.
Section numbers are those of PKWARE's APPNOTE.TXT 6.3.10.
"""

import time
from functools import lru_cache
from struct import Struct
from typing import Final

SATURATED: Final = 0xFFFF_FFFF
"""A 32-bit field with this value says "see the ZIP64 extra" (4.4.1.4), so it needs ZIP64 itself."""

_SATURATED_COUNT: Final = 0xFFFF
_UTF8: Final = 0x0800
_DESCRIBED: Final = _UTF8 | 0x0008
_STORED, _DEFLATED = 0, 8
_PLAIN, _ZIP64 = 20, 45  # version needed to extract (4.4.3)
_UNIX: Final = 3 << 8  # made by (4.4.2)
_FILE_MODE: Final = 0o100644 << 16
_FOLDER_MODE: Final = 0o040755 << 16 | 0x10  # 0x10: the DOS bit for a folder

_UT_FIRST, _UT_LAST = -(2**31), 2**31 - 1
_DOS_FIRST, _DOS_LAST = 315_532_800, 4_354_819_199  # 1980-01-01 to the end of 2107, UTC

_local = Struct("<4s5H3I2H").pack  # 4.3.7
_central = Struct("<4s6H3I5H2I").pack  # 4.3.12
_stamp = Struct("<HHBi").pack  # Info-ZIP's "UT" extra: id, length, flags, modified
_descriptor = Struct("<4s3I").pack  # 4.3.9
_descriptor64 = Struct("<4sI2Q").pack  # 4.3.9.2
_end = Struct("<4s4H2IH").pack  # 4.3.16
_end64 = Struct("<4sQ2H2I4Q").pack  # 4.3.14
_end64_locator = Struct("<4sIQI").pack  # 4.3.15
_sizes64 = Struct("<2H2Q").pack  # 4.5.3

LOCAL_LENGTH: Final = 30 + 9
CENTRAL_LENGTH: Final = 46 + 9
"""Length of a header without its name and without ZIP64 fields; the 9 bytes are the UT extra."""


def local_length(name_length: int, size: int) -> int:
    return LOCAL_LENGTH + name_length + (20 if size >= SATURATED else 0)


def local_header(name: bytes, size: int, crc32: int, modified: int) -> bytes:
    """What stands before the bytes of a stored member."""
    extra, needed, field = _ut(modified), _PLAIN, size
    if size >= SATURATED:
        extra, needed, field = _sizes64(1, 16, size, size) + extra, _ZIP64, SATURATED
    moment, day = _dos_time(modified)
    head = _local(
        b"PK\3\4", needed, _UTF8, _STORED, moment, day, crc32, field, field, len(name), len(extra)
    )
    return head + name + extra


def deflated_header(name: bytes, size: int, crc32: int, modified: int, deflated: int) -> bytes:
    """What stands before a member of ``size`` bytes that are deflated to ``deflated``."""
    extra, needed, field, packed = _ut(modified), _PLAIN, size, deflated
    if max(size, deflated) >= SATURATED:
        extra, needed = _sizes64(1, 16, size, deflated) + extra, _ZIP64
        field = packed = SATURATED
    moment, day = _dos_time(modified)
    head = _local(
        b"PK\3\4", needed, _UTF8, _DEFLATED, moment, day, crc32, packed, field,
        len(name), len(extra),
    )  # fmt: skip
    return head + name + extra


def described_header(name: bytes, modified: int, *, wide: bool) -> bytes:
    """What stands before a deflated member whose numbers follow it, ``wide`` ones or not."""
    extra, needed, field = _ut(modified), _PLAIN, 0
    if wide:
        extra, needed, field = _sizes64(1, 16, 0, 0) + extra, _ZIP64, SATURATED
    moment, day = _dos_time(modified)
    head = _local(
        b"PK\3\4", needed, _DESCRIBED, _DEFLATED, moment, day, 0, field, field,
        len(name), len(extra),
    )  # fmt: skip
    return head + name + extra


def described_length(name_length: int, *, wide: bool) -> int:
    return LOCAL_LENGTH + name_length + (20 if wide else 0)


def is_wide(size: int, deflated: int) -> bool:
    """Does the descriptor of such a member need 8 bytes for a length?

    One less than in a header: here 0xFFFFFFFF has no other meaning, and readers that go by the
    lengths they saw agree.
    """
    return size > SATURATED or deflated > SATURATED


def descriptor(size: int, crc32: int, deflated: int, *, wide: bool) -> bytes:
    """What follows a member that began with `described_header` (4.3.9)."""
    return (_descriptor64 if wide else _descriptor)(b"PK\7\10", crc32, deflated, size)


def descriptor_length(*, wide: bool) -> int:
    return 24 if wide else 16


def central_header(name: bytes, size: int, crc32: int, modified: int, offset: int) -> bytes:
    """A stored member's entry in the central directory.

    ``offset`` is where its local header starts.
    """
    extra, needed, field = _ut(modified), _PLAIN, size
    if size >= SATURATED or offset >= SATURATED:
        extra, needed, field = (
            _central64(size, size, offset, large=size >= SATURATED) + extra,
            _ZIP64,
            min(size, SATURATED),
        )
        offset = min(offset, SATURATED)
    moment, day = _dos_time(modified)
    mode = _FOLDER_MODE if name.endswith(b"/") else _FILE_MODE
    head = _central(
        b"PK\1\2", _UNIX | needed, needed, _UTF8, _STORED, moment, day, crc32, field, field,
        len(name), len(extra), 0, 0, 0, mode, offset,
    )  # fmt: skip
    return head + name + extra


def deflated_central_header(
    name: bytes, size: int, crc32: int, modified: int, deflated: int, offset: int, *,
    described: bool,
) -> bytes:  # fmt: skip
    """A deflated member's entry in the central directory; ``described``: with a descriptor.

    If one of the two lengths is saturated so is the other.
    """
    extra, needed, field, packed, large = _ut(modified), _PLAIN, size, deflated, False
    if max(size, deflated) >= SATURATED:
        field = packed = SATURATED
        large = True
    if large or offset >= SATURATED:
        extra, needed = _central64(size, deflated, offset, large=large) + extra, _ZIP64
    moment, day = _dos_time(modified)
    head = _central(
        b"PK\1\2", _UNIX | needed, needed, _DESCRIBED if described else _UTF8, _DEFLATED, moment,
        day, crc32, packed, field, len(name), len(extra), 0, 0, 0, _FILE_MODE,
        min(offset, SATURATED),
    )  # fmt: skip
    return head + name + extra


def end_records(entries: int, length: int, offset: int) -> bytes:
    """What ends the file; the central directory has ``length`` bytes and starts at ``offset``."""
    end = _end(
        b"PK\5\6", 0, 0, min(entries, _SATURATED_COUNT), min(entries, _SATURATED_COUNT),
        min(length, SATURATED), min(offset, SATURATED), 0,
    )  # fmt: skip
    if entries < _SATURATED_COUNT and max(length, offset) < SATURATED:
        return end
    end64 = _end64(
        b"PK\6\6", 44, _UNIX | _ZIP64, _ZIP64, 0, 0, entries, entries, length, offset
    )  # 44: its own length without the first 12 bytes
    return end64 + _end64_locator(b"PK\6\7", 0, offset + length, 1) + end


def _central64(size: int, packed: int, offset: int, *, large: bool) -> bytes:
    """Only the values that do not fit, in this order: size, packed size, offset (4.5.3)."""
    values = (size, packed) * large + (offset,) * (offset >= SATURATED)
    body = b"".join(value.to_bytes(8, "little") for value in values)
    return b"\1\0" + len(body).to_bytes(2, "little") + body


def _ut(modified: int) -> bytes:
    """Seconds since 1970, signed 32 bits: moments outside 1901-12-13…2038-01-19 are clamped.

    Clamping keeps every header's length a function of its name, size and offset alone.
    """
    if not _UT_FIRST <= modified <= _UT_LAST:
        modified = min(max(modified, _UT_FIRST), _UT_LAST)
    return _stamp(0x5455, 5, 1, modified)


def _dos_time(modified: int) -> tuple[int, int]:
    """Time and date in UTC, in steps of two seconds, clamped to 1980…2107 (4.4.6)."""
    if not _DOS_FIRST <= modified <= _DOS_LAST:
        modified = min(max(modified, _DOS_FIRST), _DOS_LAST)
    day, second = divmod(modified, 86_400)
    minute = second // 60
    return minute // 60 << 11 | minute % 60 << 5 | second % 60 >> 1, _dos_date(day)


@lru_cache(maxsize=4096)
def _dos_date(day: int) -> int:
    """The date ``day`` days after 1970-01-01."""
    date = time.gmtime(day * 86_400)
    return (date.tm_year - 1980) << 9 | date.tm_mon << 5 | date.tm_mday
