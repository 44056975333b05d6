"""What the server is asked to do while its work is counted."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.connection import Connection, opened

MIB = 1 << 20
LARGE, MEMBER, SMALL = 64 * MIB, 16 * MIB, 4096
SMALL_FILES = 200
GETS, RANGES, RANGE = 1000, 200, 128 << 10
PATCHES, PATCH = 4, 4 * MIB

LARGE_KEY = "work/large.bin"


@dataclass(frozen=True)
class Asked:
    """A server on a port of this machine, and a folder with files to send."""

    port: int
    folder: Path

    def connection(self) -> Connection:
        return Connection(self.port)

    def file(self, size: int) -> Path:
        path = self.folder / f"{size}.bin"
        if not path.exists():
            path.write_bytes(os.urandom(size))
        return path


@dataclass(frozen=True)
class Operation:
    """``act`` is counted, its counts are divided by ``times``. Of all counts only those named in
    ``counts`` are the same in every run, and compared."""

    name: str
    title: str
    act: Callable[[Asked], None]
    counts: tuple[str, ...]
    times: int = 1


def prepare(asked: Asked) -> None:
    """What is read has to be there."""
    with opened(asked.file(SMALL)) as small, asked.connection() as connection:
        for number in range(SMALL_FILES):
            connection.put(f"/v1/files/many/{number}.bin", small, SMALL)
        with opened(asked.file(MEMBER)) as member:
            connection.put("/v1/files/many/member.bin", member, MEMBER)


def _put(asked: Asked) -> None:
    with opened(asked.file(LARGE)) as fd, asked.connection() as connection:
        connection.put(f"/v1/files/{LARGE_KEY}", fd, LARGE)


def _get(asked: Asked) -> None:
    with asked.connection() as connection:
        _expect(connection.get(f"/v1/files/{LARGE_KEY}"), LARGE)


def _gets(asked: Asked) -> None:
    with asked.connection() as connection:
        for number in range(GETS):
            _expect(connection.get(f"/v1/files/many/{number % SMALL_FILES}.bin"), SMALL)


def _ranges(asked: Asked) -> None:
    with asked.connection() as connection:
        for number in range(RANGES):
            start = number * RANGE
            field = f"Range: bytes={start}-{start + RANGE - 1}\r\n"
            _expect(connection.get(f"/v1/files/{LARGE_KEY}", field), RANGE)


def _zip(asked: Asked) -> None:
    with asked.connection() as connection:
        taken = connection.get("/v1/zip?prefix=many/")
    if taken <= SMALL_FILES * SMALL + MEMBER:
        raise RuntimeError(f"a ZIP of {taken} bytes has not all files in it")


def _tus(asked: Asked) -> None:
    size = PATCHES * PATCH
    with opened(asked.file(size)) as fd, asked.connection() as connection:
        path = connection.create("/v1/uploads", "work/sent.bin", size)
        for start in range(0, size, PATCH):
            connection.begin_patch(path, start, PATCH)
            connection.send(fd, start, start + PATCH)
            _expect(connection.end_patch(), start + PATCH)


def _expect(taken: int, wanted: int) -> None:
    if taken != wanted:
        raise RuntimeError(f"{taken} bytes came where {wanted} were expected")


_ALWAYS = ("through us", "in the kernel", "syncs", "statements")

OPERATIONS = (
    Operation("put", "PUT of 64 MiB", _put, _ALWAYS),
    Operation("get", "GET of 64 MiB", _get, _ALWAYS),
    Operation("gets", "GET of 4 KiB", _gets, (*_ALWAYS, "calls", "Python calls"), GETS),
    Operation("ranges", "GET of a range of 128 KiB", _ranges, (*_ALWAYS, "Python calls"), RANGES),
    Operation("zip", "ZIP of 200 × 4 KiB and 16 MiB", _zip, (*_ALWAYS, "Python calls")),
    Operation("tus", "tus upload of 4 × 4 MiB", _tus, _ALWAYS),
)
