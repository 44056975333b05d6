"""Programs that read ZIPs, each made to test a whole archive.

Each reader raises AssertionError unless the program finds every entry of the archive whole. Those
that can read from a pipe get one, so that they cannot look at the central directory first.
"""

import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.zipstream.corpus import GIB, Corpus

ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "JAVA_TOOL_OPTIONS": ""}
JAVA_SOURCE = Path(__file__).parent / "java" / "ListZip.java"

Reader = Callable[[Path, Corpus], None]


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def run(*command: str | Path, ok: int = 0) -> str:
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == ok, done.stdout[-2000:] + done.stderr[-2000:]
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
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout or "", done.stderr


def unzip(archive: Path, zipped: Corpus) -> None:
    need("unzip")
    if not zipped.files:
        assert "zipfile is empty" in run("unzip", "-t", archive, ok=1)  # a warning of its own
        return
    listed = run("unzip", "-Z", archive)
    sizes = re.findall(r"^[-d]\S+ +\d\.\d unx +(\d+) bx stor", listed, re.MULTILINE)
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
    if zipped.plan.size < 8 * GIB:
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
    found = [line.removeprefix("x ") for line in named.splitlines()]
    assert found == [name for name, _, _ in zipped.listing()]


def java_stream(archive: Path, zipped: Corpus) -> None:
    _need_java_compiler()
    printed, _ = run_on_pipe(archive, "java", "-Xshare:auto", JAVA_SOURCE)
    expected = [f"{crc32:08x} {size} {name}" for name, size, crc32 in zipped.listing()]
    assert printed.splitlines() == expected


def python_zipfile(archive: Path, zipped: Corpus) -> None:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        found = [(i.filename, i.file_size, i.CRC) for i in opened.infolist()]
    assert found == list(zipped.listing())


@cache
def _modules_of_java() -> str:
    return run("java", "--list-modules")


def _need_java_compiler() -> None:
    need("java")
    if "jdk.compiler" not in _modules_of_java():
        pytest.skip("java is installed without its compiler (a JRE, not a JDK)")


READERS: dict[str, Reader] = {
    "unzip": unzip,
    "7z": seven_zip,
    "bsdtar": bsdtar,
    "java": java_stream,
    "zipfile": python_zipfile,
}
EXTRACTORS: dict[str, Callable[[Path, Path], list[str | Path]]] = {
    "unzip": lambda archive, folder: ["unzip", "-qq", archive, "-d", folder],
    "7z": lambda archive, folder: ["7z", "x", "-bd", f"-o{folder}", archive],
    "bsdtar": lambda archive, folder: ["bsdtar", "-xf", archive, "-C", folder],
}
