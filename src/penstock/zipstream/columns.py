"""The entries of a plan, one array per field: about 80 bytes for a name of 35."""

import sys
from array import array
from collections.abc import Iterator
from hashlib import sha256
from itertools import accumulate, pairwise

from penstock.errors import TooLarge
from penstock.zipstream.entry import Entry
from penstock.zipstream.records import SATURATED, local_length

_LAYOUT = b"penstock zip layout 1\n"  # goes into the ETag: change it with any byte of the records


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

    __slots__ = ("crc32s", "modified", "names", "sizes", "tokens")

    def __init__(self) -> None:
        self.names = Texts()
        self.sizes = array("Q")
        self.crc32s = array("I")
        self.modified = array("q")
        self.tokens = array("Q")

    def __len__(self) -> int:
        return len(self.sizes)

    def append(self, name: bytes, entry: Entry) -> None:
        self.names.append(name)
        self.sizes.append(entry.size)
        self.crc32s.append(entry.crc32)
        self.modified.append(entry.modified)
        self.tokens.append(entry.token)

    def rows(self, first: int) -> Iterator[tuple[bytes, int, int, int]]:
        """Name, size, CRC-32 and modification time of every entry from ``first`` on."""
        columns = (self.sizes, self.crc32s, self.modified)
        return zip(self.names.since(first), *(memoryview(c)[first:] for c in columns), strict=True)

    def offsets(self) -> "array[int]":
        """Where each local header starts, and at last where the central directory does.

        Raises TooLarge past what 64 bits can count.
        """
        spans = zip(pairwise(self.names.starts), self.sizes, strict=True)
        lengths = (local_length(stop - start, size) + size for (start, stop), size in spans)
        try:
            return array("Q", accumulate(lengths, initial=0))
        except OverflowError:
            raise TooLarge("The ZIP would be longer than 16 EiB; choose fewer files.") from None

    def large(self) -> "array[int]":
        """The entries whose size needs ZIP64."""
        return array("Q", (i for i, size in enumerate(self.sizes) if size >= SATURATED))

    def sha256(self) -> str:
        """Over the layout and everything in every entry, column by column, little-endian.

        The number of entries comes first and gives the length of each column, the starts give the
        length of each name: no two lists of entries read the same.
        """
        digest = sha256(_LAYOUT + len(self).to_bytes(8, "little"))
        columns = (self.names.starts, self.sizes, self.crc32s, self.modified, self.tokens)
        for column in columns:
            digest.update(_little_endian(column))
        digest.update(self.names.blob)
        return digest.hexdigest()


def _little_endian(column: "array[int]") -> "array[int]":
    if sys.byteorder == "little":
        return column
    swapped = column[:]
    swapped.byteswap()
    return swapped
