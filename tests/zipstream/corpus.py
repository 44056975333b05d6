"""Members to make ZIPs of, and the ZIPs: in memory, by stretches, or as sparse files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from isal.isal_zlib import crc32, crc32_combine

from penstock.zipstream import Entry, Member, Plan, plan_zip

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
    """A member's name and content: some bytes, or that many zero bytes."""

    name: str
    content: bytes | int = b""

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


@dataclass(frozen=True)
class Corpus:
    files: Sequence[File]

    @cached_property
    def plan(self) -> Plan:
        rows = enumerate(self.files)
        return plan_zip(Entry(f.name, f.size, f.crc32, MOMENT + i, i) for i, f in rows)

    def read(self, start: int, stop: int) -> bytes:
        """That stretch of the ZIP."""
        return b"".join(
            self.files[piece.index].read(piece.start, piece.stop)
            if isinstance(piece, Member)
            else piece
            for piece in self.plan.segments(start, stop)
        )

    def whole(self) -> bytes:
        return self.read(0, self.plan.size)

    def write(self, path: Path) -> None:
        """The ZIP as a file with holes where there are only zeros."""
        with path.open("wb") as zip_file:
            for piece in self.plan.segments():
                if isinstance(piece, bytes):
                    zip_file.write(piece)
                elif isinstance(self.files[piece.index].content, int):
                    zip_file.seek(piece.stop - piece.start, 1)
                else:
                    zip_file.write(self.files[piece.index].read(piece.start, piece.stop))
            zip_file.truncate(self.plan.size)

    def listing(self) -> Iterator[tuple[str, int, int]]:
        """Name, size and CRC-32 as a reader must find them."""
        for i, file in enumerate(self.files):
            yield self.plan.name(i), file.size, file.crc32


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

_SMALL: dict[str, Callable[[], list[File]]] = {
    "nothing": list,
    "an empty file": lambda: [File("empty")],
    "hostile names": _named,
    "folders": lambda: [File("a/"), File("a/b/"), File("a/b/c.txt", b"c"), File("d/")],
    "65,534 entries": lambda: _many(65_534),
    "65,535 entries": lambda: _many(65_535),
    "65,536 entries": lambda: _many(65_536),
    "70,000 entries": lambda: _many(70_000),
}
_LARGE: dict[str, Callable[[], list[File]]] = {
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
SMALL, LARGE = tuple(_SMALL), tuple(_LARGE)


@cache
def corpus(name: str) -> Corpus:
    return Corpus((_SMALL | _LARGE)[name]())
