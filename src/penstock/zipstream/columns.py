"""The entries of a plan, one array per field: about 80 bytes for a name of 35."""

import sys
from array import array
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import Final

from penstock.zipstream.entry import Entry

STORED: Final = 0
FRAMED: Final = 1
OPEN: Final = 2
DEFLATED: Final = 4
HAS_CRC32: Final = 8
"""Kinds of members: stored; in stored blocks for want of a CRC-32; or open, that is of unknown
length in the ZIP, and then perhaps to be deflated, and perhaps of known CRC-32."""

_UNKNOWN_SIZE: Final = 0xFFFF_FFFF_FFFF_FFFF

# They go into the ETag: change them with any byte of the records.
_LAYOUT = b"penstock zip layout 1\n"
_LAYOUT_FRAMED = b"penstock zip layout 1, some in stored blocks\n"


class Texts:
    """Many byte strings end to end, each 8 bytes more than its length."""

    __slots__ = ("blob", "starts")

    def __init__(self) -> None:
        self.blob = bytearray()
        self.starts = array("Q", [0])

    def append(self, text: bytes) -> None:
        self.blob += text
        self.starts.append(len(self.blob))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, i: int) -> bytes:
        return bytes(self.blob[self.starts[i] : self.starts[i + 1]])

    def since(self, first: int) -> Iterator[bytes]:
        """Those from ``first`` on."""
        blob = memoryview(self.blob)
        return (
            bytes(blob[start:stop]) for start, stop in pairwise(memoryview(self.starts)[first:])
        )


class Columns:
    """Final names in UTF-8 and the numbers that belong to them."""

    __slots__ = ("crc32s", "kinds", "modified", "names", "sizes", "tokens", "worst")

    def __init__(self) -> None:
        self.names = Texts()
        self.kinds = bytearray()
        self.sizes = array("Q")
        self.crc32s = array("I")
        self.modified = array("q")
        self.tokens = array("Q")
        self.worst = STORED

    def __len__(self) -> int:
        return len(self.sizes)

    def append(self, name: bytes, entry: Entry) -> None:
        size, crc32, kind = entry.size, entry.crc32, STORED
        if entry.deflate or size is None or crc32 is None:
            kind = _kind(entry)
            self.worst = max(kind, self.worst)
        self.names.append(name)
        self.kinds.append(kind)
        self.sizes.append(_UNKNOWN_SIZE if size is None else size)
        self.crc32s.append(crc32 or 0)
        self.modified.append(entry.modified)
        self.tokens.append(entry.token)

    def size(self, i: int) -> int | None:
        size = self.sizes[i]
        return None if size == _UNKNOWN_SIZE else size

    def crc32(self, i: int) -> int | None:
        kind = self.kinds[i]
        return self.crc32s[i] if kind == STORED or kind & HAS_CRC32 else None

    def rows(self, first: int) -> Iterator[tuple[bytes, int, int, int]]:
        """Name, size, CRC-32 and modification time of every entry from ``first`` on."""
        columns = (self.sizes, self.crc32s, self.modified)
        return zip(self.names.since(first), *(memoryview(c)[first:] for c in columns), strict=True)

    def sha256(self) -> str:
        """Over the layout and everything in every entry, column by column, little-endian.

        The number of entries comes first and gives the length of each column, the starts give the
        length of each name: no two lists of entries read the same.
        """
        layout = _LAYOUT if self.worst == STORED else _LAYOUT_FRAMED + self.kinds
        digest = sha256(layout + len(self).to_bytes(8, "little"))
        columns = (self.names.starts, self.sizes, self.crc32s, self.modified, self.tokens)
        for column in columns:
            digest.update(_little_endian(column))
        digest.update(self.names.blob)
        return digest.hexdigest()


def _kind(entry: Entry) -> int:
    has_crc32 = entry.crc32 is not None or entry.size == 0  # that of no bytes is 0
    if entry.deflate or entry.size is None:
        return OPEN | DEFLATED * entry.deflate | HAS_CRC32 * has_crc32
    return STORED if has_crc32 else FRAMED


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped
