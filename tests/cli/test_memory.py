"""The client's memory does not depend on the size of what it moves."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.running import Cli

MIB = 1 << 20


def peak(process: "subprocess.Popen[bytes]") -> int:
    """The peak RSS (bytes) of a process, watched until it ends well."""
    highest = 0
    while process.poll() is None:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        told = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        highest = max(highest, *(int(kib) * 1024 for kib in told), 0)
        time.sleep(0.01)
    assert process.returncode == 0
    return highest


@pytest.mark.parametrize("source", ["sparse", "-"])
def test_large_files_need_no_more_memory_than_small_ones(penstock: Cli, source: str) -> None:
    peaks: dict[str, list[int]] = {"put": [], "get": []}
    for size in (8 * MIB, 256 * MIB):
        with (penstock.folder / "sparse").open("w+b") as file:
            file.truncate(size)
            put = penstock.start("put", source, "--to", "memory", "-q", stdin=file)
            peaks["put"].append(peak(put))
        get = penstock.start("get", "memory", "-o", "-", stdout=subprocess.DEVNULL)
        peaks["get"].append(peak(get))

    for small, large in peaks.values():
        assert large < 80 * MIB
        assert large - small < 16 * MIB  # that of a short process may be missed at its end


def test_a_zip_that_unpacks_to_much_is_verified_piece_by_piece(penstock: Cli) -> None:
    with (penstock.folder / "sparse").open("wb") as file:
        file.truncate(256 * MIB)
    penstock("put", "sparse", "--to", "zeros/sparse", "-q")

    zipping = penstock.start("zip", "zeros/", "--compress", "deflate", "-q")

    assert peak(zipping) < 80 * MIB
    assert (penstock.folder / "zeros.zip").stat().st_size < 8 * MIB
