"""From entries to a plan: names made safe, clashes settled, renames noted."""

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

from penstock.zipstream.clashes import Clashes
from penstock.zipstream.columns import Columns, Texts
from penstock.zipstream.entry import Entry, Rename
from penstock.zipstream.names import safe_name
from penstock.zipstream.plan import Plan

_2_63, _2_64, _2_32 = 2**63, 2**64, 2**32


class PlanBuilder:
    """Takes entries one at a time, keeps about 100 bytes of each, and makes the plan."""

    __slots__ = ("_built", "_clashes", "_columns", "_renamed", "_wanted")

    def __init__(self) -> None:
        self._columns = Columns()
        self._clashes = Clashes()
        self._renamed = array("Q")
        self._wanted = Texts()
        self._built = False

    def add(self, entry: Entry) -> None:
        """The next member. Raises ValueError for numbers that no file can have."""
        if self._built:
            raise RuntimeError("the plan is built; start another one")
        _check(entry)
        name = safe_name(entry.name)
        if name[-1] == "/" and entry.size != 0:
            name = name[:-1]  # a folder has no bytes, so this is a file
        if name != entry.name:
            self._renamed.append(len(self._columns))
            self._wanted.append(entry.name.encode(errors="surrogatepass"))
        self._clashes.add(name)
        self._columns.append(name.encode(), entry)

    def build(self) -> Plan:
        """The plan of all entries added. Ends the builder's work.

        Raises TooLarge if the ZIP would be longer than 64 bits can say.
        """
        if self._built:
            raise RuntimeError("the plan is built; start another one")
        self._built = True
        if self._clashes.found():
            self._settle()
        del self._clashes
        return Plan(self._columns, Renames(self._renamed, self._wanted, self._columns.names))

    def _settle(self) -> None:
        names, final = self._columns.names, Texts()
        renamed, wanted = array("Q"), Texts()
        noted = iter(zip(self._renamed, self._wanted.since(0), strict=True))
        index, raw = next(noted, (-1, b""))
        for i, safe in enumerate(names.since(0)):
            given = self._clashes.settle(safe.decode()).encode()
            final.append(given)
            if i == index:
                renamed.append(i)
                wanted.append(raw)
                index, raw = next(noted, (-1, b""))
            elif given != safe:
                renamed.append(i)
                wanted.append(safe)
        self._columns.names, self._renamed, self._wanted = final, renamed, wanted


class Renames(Sequence[Rename]):
    """Every entry whose name had to change, in order; made on access from a few bytes each."""

    __slots__ = ("_given", "_indexes", "_wanted")

    def __init__(self, indexes: "array[int]", wanted: Texts, given: Texts) -> None:
        self._indexes = indexes
        self._wanted = wanted
        self._given = given

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, i: int) -> Rename: ...
    @overload
    def __getitem__(self, i: slice) -> list[Rename]: ...
    def __getitem__(self, i: int | slice) -> Rename | list[Rename]:
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        k = range(len(self))[i]
        index = self._indexes[k]
        wanted = self._wanted[k].decode(errors="surrogatepass")
        return Rename(index, wanted, self._given[index].decode())


def plan_zip(entries: Iterable[Entry]) -> Plan:
    """The plan of ``entries`` in the order given."""
    builder = PlanBuilder()
    for entry in entries:
        builder.add(entry)
    return builder.build()


def _check(entry: Entry) -> None:
    size, crc32 = entry.size, entry.crc32
    in_range = (
        (size is None or 0 <= size < _2_63)
        and (crc32 is None or 0 <= crc32 < _2_32)
        and -_2_63 <= entry.modified < _2_63
        and 0 <= entry.token < _2_64
    )
    if not in_range:
        raise ValueError(f"a number is out of range: {entry!r}")
    if size == 0 and crc32:
        raise ValueError(f"the CRC-32 of no bytes is 0: {entry!r}")
