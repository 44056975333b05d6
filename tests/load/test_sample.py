"""The generator of sample files."""

import csv as table
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from load import sample
from load.sample import csv, main, noise

_ROOT = Path(__file__).parents[2]
KINDS = pytest.mark.parametrize("kind", [csv, noise])


@KINDS
@settings(deadline=None, max_examples=40)
@given(size=st.integers(0, 3_000) | st.integers(990_000, 1_100_000), seed=st.integers(0, 2**32))
def test_a_file_has_exactly_the_size_asked_for(kind: sample.Pieces, size: int, seed: int) -> None:
    assert sum(map(len, kind(size, seed))) == size


@settings(deadline=None, max_examples=40)
@given(size=st.integers(15, 200_000), seed=st.integers(0, 2**32))
def test_every_row_of_a_table_has_its_index_and_a_number(size: int, seed: int) -> None:
    rows = list(table.reader(io.StringIO(b"".join(csv(size, seed)).decode())))

    assert rows[0] == ["index", "data"]
    assert [row[0] for row in rows[1:]] == [str(number) for number in range(len(rows) - 1)]
    assert all(len(row) == 2 and row[1].isdecimal() for row in rows[1:])


@KINDS
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(kind: sample.Pieces) -> None:
    size = 2_500_000

    assert _digest(kind(size, 7)) == _digest(kind(size, 7))
    assert _digest(kind(size, 7)) != _digest(kind(size, 8))


def test_a_table_has_the_sha256_that_the_documents_tell() -> None:
    assert (
        _digest(csv(1 << 20, 0))
        == "e71bc03f2fd2a1b09b3eece99ddce5be25badf1375ef779789ef9d043af0b4a1"
    )


@KINDS
def test_no_piece_is_large_however_large_the_file(kind: sample.Pieces) -> None:
    assert max(map(len, islice(kind(1 << 40, 0), 8))) <= 1 << 20


def test_the_command_prints_what_sha256sum_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.csv"

    assert main(["--csv", "300KiB", "--seed", "3", str(path)]) == 0

    content = path.read_bytes()
    assert len(content) == 300 << 10
    assert capsys.readouterr().out == f"{hashlib.sha256(content).hexdigest()}  {path}\n"


def test_the_command_says_what_is_no_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--csv", "big", str(tmp_path / "file.csv")])

    assert "big is no size such as 100MiB" in capsys.readouterr().err


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    small, large = (_peak(tmp_path / size, size) for size in ("1MiB", "32MiB"))

    assert large - small < 12 << 20


def _peak(path: Path, size: str) -> int:
    """The most memory, in bytes, that the command held."""
    program = (
        "import resource; from load.sample import main; "
        f"main(['--csv', {size!r}, {str(path)!r}]); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-1])


def _digest(pieces: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()
