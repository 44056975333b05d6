"""Finds names that would fall together when they are unpacked, and gives them others.

Two names clash if they are the same but for case or normal form, or if one is a file and the other
needs a folder of that name (``x`` and ``x/y``). The first of equal names keeps it; where a file
and a folder clash the folder does, because more entries depend on it.

Names are held as 64-bit digests, 8 bytes each: a set of a million strings would be more than the
whole plan. Two digests that are equal by chance (1 in 10⁷ for a million entries) only rename an
entry without need, and do so every time.
"""

from array import array
from bisect import bisect_left
from hashlib import blake2b
from itertools import count, pairwise

from penstock.zipstream.names import fold, numbered

_ROOT = bytes(8)
_BUCKETS = 64  # sorted or made a set one at a time, so that the peak stays a fraction of the whole
_KNOWN_FOLDERS = 4096


class Digests:
    """Many 64-bit numbers in 8 bytes each."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets = [array("Q") for _ in range(_BUCKETS)]

    def add(self, digest: int) -> None:
        self._buckets[digest % _BUCKETS].append(digest)

    def repeated(self) -> set[int]:
        """Those that were added more than once."""
        found: set[int] = set()
        for bucket in self._buckets:
            if len(set(bucket)) < len(bucket):
                found.update(low for low, high in pairwise(sorted(bucket)) if low == high)
        return found

    def common(self, other: "Digests") -> set[int]:
        """Those that were added to both."""
        found: set[int] = set()
        for mine, theirs in zip(self._buckets, other._buckets, strict=True):
            if theirs:
                found.update(set(theirs).intersection(mine))
        return found

    def seal(self) -> None:
        """Make ``in`` work; call it after the last ``add``."""
        self._buckets = [array("Q", sorted(bucket)) for bucket in self._buckets]

    def __contains__(self, digest: int) -> bool:
        bucket = self._buckets[digest % _BUCKETS]
        place = bisect_left(bucket, digest)
        return place < len(bucket) and bucket[place] == digest


class Clashes:
    """Takes every safe name with ``add``; then, if ``found``, the same again with ``settle``."""

    __slots__ = ("_files", "_folders", "_given", "_known", "_numbers", "_suspects")

    def __init__(self) -> None:
        self._files = Digests()  # and explicit folders, under a digest of their own
        self._folders = Digests()  # explicit ones and those that a name runs through
        self._known: dict[str, bytes] = {}
        self._suspects: set[int] = set()
        self._given: set[int] = set()
        self._numbers: dict[int, int] = {}

    def add(self, name: str) -> None:
        path, _, leaf = fold(name).removesuffix("/").rpartition("/")
        folder = self._known.get(path) or self._add_folders(path)
        place = _digest(folder, leaf)
        if name[-1] == "/":
            self._folders.add(_number(place))
            place = _digest(place, "/")
        self._files.add(_number(place))

    def found(self) -> bool:
        """Are there any clashes? Ends the adding."""
        self._suspects = self._files.repeated() | self._files.common(self._folders)
        if self._suspects:
            self._files.seal()
            self._folders.seal()
        return bool(self._suspects)

    def settle(self, name: str) -> str:
        """The final name of the next entry, in the order in which they were added."""
        place = self._place(name)
        claim = _number(_digest(place, "/") if name[-1] == "/" else place)
        if claim in self._suspects and claim not in self._folders:
            self._suspects.remove(claim)  # the first keeps its name
            self._given.add(claim)
            return name
        if claim in self._suspects or claim in self._given:
            return self._renamed(name)
        return name

    def _renamed(self, name: str) -> str:
        # Names that differ only in what is cut off share a counter, or many would be slow.
        family = _number(self._place(numbered(name, 2)))
        for number in count(self._numbers.get(family, 2)):
            candidate = numbered(name, number)
            place = _number(self._place(candidate))
            if not (place in self._given or place in self._files or place in self._folders):
                self._given.add(place)
                if number > 2:
                    self._numbers[family] = number + 1
                return candidate
        raise AssertionError("the numbers do not end")

    def _place(self, name: str) -> bytes:
        path, _, leaf = fold(name).removesuffix("/").rpartition("/")
        return _digest(self._known.get(path) or _chain(path)[-1], leaf)

    def _add_folders(self, path: str) -> bytes:
        chain = _chain(path)
        for digest in chain[1:]:
            self._folders.add(_number(digest))
        if len(self._known) >= _KNOWN_FOLDERS:
            self._known.clear()
        self._known[path] = chain[-1]
        return chain[-1]


def _chain(path: str) -> list[bytes]:
    """Digests of the root and of every folder on ``path``, each made from the one above it."""
    chain = [_ROOT]
    for segment in path.split("/") if path else ():
        chain.append(_digest(chain[-1], segment))
    return chain


def _digest(folder: bytes, leaf: str) -> bytes:
    return blake2b(folder + leaf.encode(), digest_size=8).digest()


def _number(digest: bytes) -> int:
    return int.from_bytes(digest, "little")
