"""Sizes as people write them, and bars on a terminal."""

import os
import pty
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.cli.render import printable
from penstock.cli.sizes import human_size, parse_size
from tests.cli.running import COMMAND, Cli


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1", 1),
        ("500K", 512_000),
        ("40M", 40 << 20),
        ("1.5GiB", 1.5 * (1 << 30)),
        ("2 mb/s", 2 << 20),
    ],
)
def test_sizes_are_read(text: str, size: float) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "M", "0", "0.5", "-1", "1X", "nan", "1e3"])
def test_nonsense_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a size|less than|no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 60, "1024.0 PiB"),
    ],
)
def test_sizes_are_written(size: int, text: str) -> None:
    assert human_size(size) == text


@given(st.text())
def test_nothing_unprintable_is_printed(text: str) -> None:
    assert printable(text).isprintable()


def test_a_terminal_sees_a_bar_with_rate_and_eta(penstock: Cli, film: Path) -> None:
    out, shown = on_terminal(penstock, "put", str(film), "--to", "bar")

    assert out == b"bar  4.0 MiB\n"
    assert re.search(rb"\d\.\d/4\.0 MiB", shown)
    assert re.search(rb"\d\.\d [MK]iB/s", shown)
    assert re.search(rb"0:00:0\d", shown)


def test_a_bar_without_an_end_has_a_rate(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "endless/film.mkv")

    out, shown = on_terminal(penstock, "zip", "endless/", "--compress", "deflate")

    assert out == b"endless.zip  4.0 MiB  1 file\n"
    assert re.search(rb"\d\.\d/\? MiB", shown)
    assert re.search(rb"\d\.\d [MK]iB/s", shown)


def on_terminal(penstock: Cli, *arguments: str) -> tuple[bytes, bytes]:
    """What a slow command prints, and what it shows on a terminal meanwhile."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--limit-rate", "2M"],
        cwd=penstock.folder,
        env={**penstock.environment({}), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=inner,
    )
    os.close(inner)
    shown = b""
    while more := read_terminal(terminal):
        shown += more
    os.close(terminal)
    out, _ = process.communicate(timeout=30)
    return out, shown


def read_terminal(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other side is closed
        return b""
