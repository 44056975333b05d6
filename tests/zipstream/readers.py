"""Programs that read ZIPs, each made to test a whole archive.

Each reader raises AssertionError unless the program finds every entry of the archive whole, and
`Refused` with its words if it says that it cannot. Those that can read from a pipe get one, so that
they cannot look at the central directory first.
"""

import atexit
import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from stream_unzip import UnzipError, stream_unzip

from tests.zipstream.corpus import GIB, Corpus, Way

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "JAVA_TOOL_OPTIONS": ""}
JAVA_SOURCE = Path(__file__).parent / "java" / "ListZip.java"

Reader = Callable[[Path, Corpus], None]


class Refused(AssertionError):
    """The program cannot read the archive and says why."""


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(*command: str | Path, ok: int = 0) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != ok:
        raise Refused(done.stdout[-2000:] + done.stderr[-2000:])
    return done.stdout + done.stderr


def run_on_pipe(archive: Path, *command: str | Path, keep_output: bool = True) -> tuple[str, str]:
    with subprocess.Popen(["cat", archive], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            stdin=cat.stdout,
            stdout=subprocess.PIPE if keep_output else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise Refused(done.stderr[-2000:])
    return done.stdout or "", done.stderr


def unzip(archive: Path, zipped: Corpus) -> None:
    need("unzip")
    if not zipped.files:
        assert "zipfile is empty" in run("unzip", "-t", archive, ok=1)  # a warning of its own
        return
    listed = run("unzip", "-Z", archive)
    sizes = re.findall(r"^[-d]\S+ +\d\.\d unx +(\d+) b\S (?:stor|def.)", listed, re.MULTILINE)
    assert sizes == [str(size) for _, size, _ in zipped.listing()]
    chosen = _for_unzip(zipped)
    printed = run("unzip", "-t", archive, *chosen)
    tested = re.findall(r"^ +testing: .* OK$", printed, re.MULTILINE)
    assert len(tested) == len(chosen or zipped.files)
    assert "No errors detected" in printed


def _for_unzip(zipped: Corpus) -> list[str]:
    """Names to test, or none for all of them.

    unzip takes half a minute for 4 GiB. Of many large members it gets the first that needs ZIP64;
    the small ones behind them show that it skips the others rightly.
    """
    if zipped.way is not Way.STORED or zipped.size < 8 * GIB:
        return []
    return [name for name, size, _ in zipped.listing() if size < GIB or size == 4 * GIB - 1]


def seven_zip(archive: Path, zipped: Corpus) -> None:
    need("7z")
    printed = run("7z", "t", "-bd", archive)
    assert "Everything is Ok" in printed
    assert not re.search("warning|error", printed, re.IGNORECASE)
    listed = run("7z", "l", "-ba", "-slt", archive)
    found = re.findall(r"^Path = (.*)\n(?:Folder = .*\n)?Size = (\d+)$", listed, re.MULTILINE)
    expected = [(name.removesuffix("/"), str(size)) for name, size, _ in zipped.listing()]
    assert sorted(found) == sorted(expected)


def bsdtar(archive: Path, zipped: Corpus) -> None:
    """Reads from a pipe, checks sizes and CRC-32, and names each entry once it is through."""
    need("bsdtar")
    _, named = run_on_pipe(archive, "bsdtar", "-xvOf", "-", keep_output=False)
    _require_names(named, zipped)


def bsdtar_on_file(archive: Path, zipped: Corpus) -> None:
    need("bsdtar")
    command: list[str | Path] = ["bsdtar", "-xvOf", archive]
    done = subprocess.run(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    named = done.stderr.decode()
    if done.returncode:
        raise Refused(named[-2000:])
    _require_names(named, zipped)


def _require_names(named: str, zipped: Corpus) -> None:
    found = [line.removeprefix("x ") for line in named.splitlines()]
    assert found == [name for name, _, _ in zipped.listing()]


def java_stream(archive: Path, zipped: Corpus) -> None:
    printed, _ = run_on_pipe(archive, *_java())
    _require_lines(printed, zipped)


def java_file(archive: Path, zipped: Corpus) -> None:
    command = [*_java(), archive]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr[-2000:])
    _require_lines(done.stdout, zipped)


def _require_lines(printed: str, zipped: Corpus) -> None:
    expected = [f"{crc32:08x} {size} {name}" for name, size, crc32 in zipped.listing()]
    assert printed.splitlines() == expected


def python_zipfile(archive: Path, zipped: Corpus) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        found = [(i.filename, i.file_size, i.CRC) for i in opened.infolist()]
    assert found == list(zipped.listing())


def stream_unzipped(archive: Path, zipped: Corpus) -> None:
    """Reads from front to back and checks every CRC-32 itself."""
    try:
        found = [(name.decode(), sum(map(len, data))) for name, _, data in _streamed(archive)]
    except UnzipError as error:
        raise Refused(type(error).__name__) from error
    assert found == [(name, size) for name, size, _ in zipped.listing()]


def _streamed(archive: Path) -> Iterator[tuple[bytes, int | None, Iterator[bytes]]]:
    with archive.open("rb") as zip_file:
        yield from stream_unzip(iter(lambda: zip_file.read(1 << 20), b""))


def busybox(archive: Path, zipped: Corpus) -> None:
    """Says nothing when it tests, but prints the content of every entry."""
    need("busybox")
    run("busybox", "unzip", "-t", archive)
    done = subprocess.run(["busybox", "unzip", "-p", archive], capture_output=True, check=True)
    _require_content(done.stdout, zipped)


def busybox_on_pipe(archive: Path, zipped: Corpus) -> None:
    need("busybox")
    run_on_pipe(archive, "busybox", "unzip", "-t", "-")
    printed = subprocess.run(
        f"cat '{archive}' | busybox unzip -p -", shell=True, capture_output=True, check=True
    )
    _require_content(printed.stdout, zipped)


def _require_content(printed: bytes, zipped: Corpus) -> None:
    assert printed == b"".join(file.read(0, file.size) for file in zipped.files)


@cache
def _java() -> tuple[str | Path, ...]:
    """The command that runs our Java program, compiled."""
    need("javac")
    classes = tempfile.mkdtemp(prefix="penstock-java-")
    atexit.register(shutil.rmtree, classes, ignore_errors=True)
    run("javac", "-d", classes, JAVA_SOURCE)
    return ("java", "-Xshare:auto", "-cp", classes, JAVA_SOURCE.stem)


READERS: dict[str, Reader] = {
    "unzip": unzip,
    "7z": seven_zip,
    "bsdtar": bsdtar,
    "java": java_stream,
    "zipfile": python_zipfile,
}
"""Those that every archive is tried in."""

ALL_READERS: dict[str, Reader] = {
    "unzip": unzip,
    "7z": seven_zip,
    "bsdtar": bsdtar_on_file,
    "bsdtar, from a pipe": bsdtar,
    "Java ZipFile": java_file,
    "Java ZipInputStream, from a pipe": java_stream,
    "Python zipfile": python_zipfile,
    "stream-unzip, from a pipe": stream_unzipped,
    "busybox unzip": busybox,
    "busybox unzip, from a pipe": busybox_on_pipe,
}
"""Those of the matrix."""

EXTRACTORS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "unzip": lambda archive, folder: ["unzip", "-qq", archive, "-d", folder],
    "7z": lambda archive, folder: ["7z", "x", "-bd", f"-o{folder}", archive],
    "bsdtar": lambda archive, folder: ["bsdtar", "-xf", archive, "-C", folder],
}
