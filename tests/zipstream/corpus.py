"""Members to make ZIPs of, and the ZIPs: in memory, by stretches, or as sparse files."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import BinaryIO

from isal.isal_zlib import crc32, crc32_combine

from penstock.zipstream import (
    Engine,
    Entry,
    Framer,
    Learned,
    Member,
    Plan,
    ZipWriter,
    plan_zip,
)
from penstock.zipstream.deflate import deflate_block

MOMENT = 1_731_628_923  # 2024-11-15T00:02:03Z
GIB = 1 << 30


@cache
def crc32_of_zeros(length: int) -> int:
    value, unit, step = 0, crc32(b"\0"), 1
    while step <= length:
        if length & step:
            value = crc32_combine(value, unit, step)
        unit = crc32_combine(unit, unit, step)
        step *= 2
    return value


@dataclass(frozen=True)
class File:
    """A member's name and content: some bytes, or that many zero bytes.

    ``known``: the plan is told its CRC-32 in any case.
    """

    name: str
    content: bytes | int = b""
    known: bool = False

    @property
    def size(self) -> int:
        return self.content if isinstance(self.content, int) else len(self.content)

    @property
    def crc32(self) -> int:
        if isinstance(self.content, int):
            return crc32_of_zeros(self.content)
        return int(crc32(self.content))

    def read(self, start: int, stop: int) -> bytes:
        return bytes(stop - start) if isinstance(self.content, int) else self.content[start:stop]


class Way(StrEnum):
    """The ways in which members can be written."""

    STORED = "stored"
    FRAMED = "in stored blocks"
    DEFLATED = "deflated, numbers in front"
    DESCRIBED = "deflated, numbers behind"


@dataclass(frozen=True)
class Corpus:
    files: Sequence[File]
    way: Way = Way.STORED

    @cached_property
    def plan(self) -> Plan:
        return plan_zip(self._entry(i, file) for i, file in enumerate(self.files))

    def _entry(self, i: int, file: File) -> Entry:
        crc32 = file.crc32 if self.way is Way.STORED or file.known else None
        deflate = self.way in (Way.DEFLATED, Way.DESCRIBED)
        return Entry(file.name, file.size, crc32, MOMENT + i, i, deflate)

    @property
    def size(self) -> int:
        """Length of a ZIP that has an exact one."""
        assert self.plan.size is not None
        return self.plan.size

    @cached_property
    def learned(self) -> Learned:
        """What is known once the whole ZIP was sent; of a huge one as if it had been."""
        learned = Learned(self.plan)
        if self.size < GIB:
            for _ in self.pieces(0, None, learned):
                pass
            return learned
        for i, file in enumerate(self.files):
            if self.plan.is_framed(i):
                learned.put(i, file.crc32)
        return learned

    def pieces(
        self, start: int, stop: int | None, learned: Learned, most: int = 1 << 20
    ) -> Iterator[bytes]:
        """That stretch of the ZIP, made of at most ``most`` plain bytes at a time."""
        for piece in self.plan.segments(start, stop, learned):
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from self._stretch(piece, learned, most)

    def read(self, start: int, stop: int) -> bytes:
        """That stretch of the ZIP, after it was sent as a whole."""
        return b"".join(self.pieces(start, stop, self.learned))

    def whole(self) -> bytes:
        if self.plan.size is None:
            return b"".join(self._written())
        return self.read(0, self.plan.size)

    def write(self, path: Path) -> None:
        """The ZIP as a file; one of exact size has holes where there are only zeros."""
        if self.plan.size is None:
            path.write_bytes(self.whole())
            return
        learned = Learned(self.plan)
        with path.open("wb") as zip_file:
            for piece in self.plan.segments(learned=learned):
                if isinstance(piece, bytes):
                    zip_file.write(piece)
                elif isinstance(self.files[piece.index].content, int):
                    self._write_zeros(zip_file, piece, learned)
                else:
                    zip_file.writelines(self._stretch(piece, learned))
            zip_file.truncate(self.plan.size)

    def listing(self) -> Iterator[tuple[str, int, int]]:
        """Name, size and CRC-32 as a reader must find them."""
        for i, file in enumerate(self.files):
            yield self.plan.name(i), file.size, file.crc32

    def _stretch(self, piece: Member, learned: Learned, most: int = 1 << 20) -> Iterator[bytes]:
        file = self.files[piece.index]
        if not self.plan.is_framed(piece.index):
            yield file.read(piece.start, piece.stop)
            return
        framer = Framer(self.plan, learned, piece.index, piece.start, piece.stop)
        for at in range(framer.first, framer.last, most):
            yield framer.frame(file.read(at, min(at + most, framer.last)))
        assert framer.done

    def _write_zeros(self, zip_file: BinaryIO, piece: Member, learned: Learned) -> None:
        start = zip_file.tell()
        if self.plan.is_framed(piece.index):
            for framed in self._stretch(piece, learned, 64 * 65_535):
                for at in range(0, len(framed), 65_540):
                    zip_file.write(framed[at : at + 5])  # the header of a block; its zeros are not
                    zip_file.seek(min(65_535, len(framed) - at - 5), 1)
        zip_file.seek(start + piece.stop)

    def _written(self) -> Iterator[bytes]:
        writer = ZipWriter(self.plan)
        for i, file in enumerate(self.files):
            deflated = b"".join(_deflated(file.read(0, file.size)))
            if self.way is Way.DESCRIBED and not self.plan.name(i).endswith("/"):
                yield writer.open(i) + deflated
                yield writer.close(size=file.size, crc32=file.crc32, compressed_size=len(deflated))
                continue
            is_folder = self.plan.name(i).endswith("/")
            content = b"" if is_folder else deflated
            yield writer.known(
                i,
                size=file.size,
                crc32=file.crc32,
                compressed_size=len(content),
                deflated=not is_folder,
            )
            yield content
        yield from writer.directory()


def _deflated(content: bytes, block: int = 100_000) -> Iterator[bytes]:
    for at in range(0, max(len(content), 1), block):
        last = at + block >= len(content)
        yield deflate_block(content[at : at + block], Engine.FAST, last=last)


NAMES = (
    "plain.txt", "two words.txt", "nested/deep/er/file.bin", "naïve café.txt",
    "naive\u0301 cafe\u0301.txt", "日本語/写真 1.jpeg", "Ελληνικά/Ωμέγα", "עברית.txt",
    "👩\u200d👩\u200d👧.png", ".hidden", "dash-–—.txt", "$HOME", "%41.txt", "-rf", "~", "a'b",
    "x" * 300 + ".tar.gz", "ü" * 200 + ".jpeg", "/etc/passwd", "../../escape", "..\\..\\escape",
    "C:\\Windows\\x.dll", "C:/Windows/y.dll", "a/./b/../c", "nul\0byte", "line\nbreak",
    "tab\there", "bell\a", "evil\u202egpj.exe", "CON", "com1.txt", "aux.tar.gz", "LPT9",
    "trailing.", "trailing ", "dir. /x", 'quote".txt', "a:b", "star*", "what?", "<tag>",
    "pipe|", "lone\udc80surrogate", "", "..", "/", "Case.txt", "case.TXT", "CASE.txt", "same",
    "same", "same (2)", "clash", "clash/inner", "folder/", "folder/file", "Folder/", "straße",
    "STRASSE",
)  # fmt: skip


def _named() -> list[File]:
    return [File(name, name.encode(errors="replace") * 3) for name in NAMES if name[-1:] != "/"] + [
        File(name) for name in NAMES if name[-1:] == "/"
    ]


def _many(count: int) -> list[File]:
    return [File(f"{i // 1000:03d}/{i:06d}.txt", b"%d" % i) for i in range(count)]


_AFTER = File("after.txt", b"what follows is found")

_VARIOUS = (0, 1, 100, 65_534, 65_535, 65_536, 131_070, 131_071, 300_000)


def _various() -> list[File]:
    """Around the length of a stored block, of bytes that shrink and bytes that do not."""
    text = b"".join(b"line %d of a text\n" % i for i in range(20_000))
    noise = random.Random(1).randbytes(300_000)
    return [
        File(f"{kind}/{size}", content[:size])
        for kind, content in (("text", text), ("noise", noise))
        for size in _VARIOUS
    ]


_SMALL: dict[str, Callable[[], list[File]]] = {
    "nothing": list,
    "an empty file": lambda: [File("empty")],
    "hostile names": _named,
    "various files": _various,
    "folders": lambda: [File("a/"), File("a/b/"), File("a/b/c.txt", b"c"), File("d/")],
    "65,534 entries": lambda: _many(65_534),
    "65,535 entries": lambda: _many(65_535),
    "65,536 entries": lambda: _many(65_536),
    "70,000 entries": lambda: _many(70_000),
}
_LARGE: dict[str, Callable[[], list[File]]] = {
    "4 GiB": lambda: [File("before", b"b"), File("huge.bin", 4 * GIB), _AFTER],
    "5 GiB": lambda: [File("before", b"b"), File("huge.bin", 5 * GIB), _AFTER],
    "around 4 GiB": lambda: [
        File("4 GiB - 2", 4 * GIB - 2),
        File("4 GiB - 1", 4 * GIB - 1),
        File("4 GiB", 4 * GIB),
        File("4 GiB + 1", 4 * GIB + 1),
        File("empty"),
        _AFTER,
    ],
}
SMALL, LARGE = tuple(_SMALL), ("5 GiB", "around 4 GiB")


@cache
def corpus(name: str, way: Way = Way.STORED) -> Corpus:
    return Corpus((_SMALL | _LARGE)[name](), way)
