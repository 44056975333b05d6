"""The files that are sent: random bytes or text, made once a run, shared by all servers."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MIB = 1 << 20

# The bytes, in pieces, of a file by its number and size.
Content = Callable[[int, int], Iterator[bytes]]


def noise(_number: int, size: int) -> Iterator[bytes]:
    """Random bytes, which nothing makes smaller."""
    for at in range(0, size, MIB):
        yield os.urandom(min(MIB, size - at))


@dataclass(frozen=True)
class Corpus:
    """Files below ``root``; ``size`` bytes is the one everything else is derived from."""

    folder: Path
    size: int

    @property
    def root(self) -> Path:
        return self.folder / "files"

    def file(self) -> str:
        """The key of one file of ``size`` bytes."""
        return self._file("large/file.bin", noise(0, self.size))

    def named(self, name: str, content: Content) -> str:
        """The key of one more file of ``size`` bytes, with a name of its own."""
        return self._file(name, content(0, self.size))

    def many(
        self, folder: str, count: int, size: int, content: Content = noise, extension: str = "bin"
    ) -> str:
        """A folder of ``count`` files of ``size`` bytes, none below; answers its name."""
        for number in range(count):
            self._file(f"{folder}/{number:05}.{extension}", content(number, size))
        return folder

    def sparse(self, key: str, size: int) -> str:
        """The key of a file of zeros that takes no space on the disk."""
        self._path(key).touch()
        os.truncate(self._path(key), size)
        return key

    def _path(self, key: str) -> Path:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _file(self, key: str, content: Iterator[bytes]) -> str:
        path = self._path(key)
        if not path.exists():
            with path.open("wb") as file:
                file.writelines(content)
        return key


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wrong_bytes(path: Path, wanted: Path) -> int:
    """At how many places a file differs from another, those that one of them lacks included."""
    wrong = abs(path.stat().st_size - wanted.stat().st_size)
    with path.open("rb") as found, wanted.open("rb") as right:
        while (piece := found.read(MIB)) and (other := right.read(len(piece))):
            if piece[: len(other)] != other:
                wrong += _differences(piece[: len(other)], other)
    return wrong


def _differences(one: bytes, two: bytes) -> int:
    both = int.from_bytes(one) ^ int.from_bytes(two)
    return len(one) - both.to_bytes(len(one)).count(0)


def folder_digests(folder: Path) -> dict[str, str]:
    """The digest of every file by its name below ``folder``'s parent, as a ZIP names it."""
    return {
        str(path.relative_to(folder.parent)): digest(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def zip_digests(path: Path) -> dict[str, str]:
    """The digest of every member of a ZIP; zipfile holds each against its CRC-32."""
    with zipfile.ZipFile(path) as archive:
        digests = {}
        for name in archive.namelist():
            with archive.open(name) as member:
                digests[name] = hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
        return digests
