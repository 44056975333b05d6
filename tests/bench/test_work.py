"""The server does not work more for an operation than the baseline allows, and more is noticed."""

from pathlib import Path

import pytest

from bench.work.baseline import compare, read, table
from bench.work.counted import count
from bench.work.operations import OPERATIONS
from bench.work.trace import Trace


@pytest.mark.timeout(240)
def test_no_operation_takes_more_work_than_before(tmp_path: Path) -> None:
    missing: list[str] = []

    rows = compare(count(tmp_path, missing.append), read())

    assert all(row.holds for row in rows), f"\n{table(rows)}\nmeant? make work-baseline"
    untold = [*missing, *{row.verdict for row in rows if row.allowed is None}]
    if untold:
        pytest.skip("what could be counted holds; " + "; ".join(untold))


def test_the_baseline_has_every_count() -> None:
    """Those of Python are of one version at least."""
    known = {name: {one.partition(",")[0] for one in counts} for name, counts in read().items()}

    assert known == {operation.name: set(operation.counts) for operation in OPERATIONS}


def test_more_work_by_a_tenth_is_seen() -> None:
    allowed = {"get": {"statements": 100.0, "through us": 100_000.0}}

    (same, more) = compare({"get": {"statements": 110.0, "through us": 110_001.0}}, allowed)

    assert same.holds
    assert not more.holds
    assert "MORE WORK" in table([same, more])


def test_bytes_through_the_program_are_told_from_those_that_stay_in_the_kernel() -> None:
    trace = Trace("/data", "/data/catalog")

    trace.read(
        [
            "10 accept4(5<socket:[1]>, NULL, NULL, SOCK_CLOEXEC) = 9<socket:[2]>\n",
            '10 recvfrom(9<socket:[2]>, ""..., 262144, 0, NULL, NULL) = 100\n',
            '10 recvfrom(7<socket:[3]>, ""..., 4096, 0, NULL, NULL) = 1\n',
            "11 sendfile(9<socket:[2]>, 12</data/files/a>, [0] => [5], 5 <unfinished ...>\n",
            '12 write(2</elsewhere/log>, ""..., 80) = 80\n',
            "12 fdatasync(13</data/catalog.sqlite-wal>) = 0\n",
            "11 <... sendfile resumed>) = 5\n",
            "12 fsync(13</data/files/a>) = 0\n",
            "10 recvfrom(9<socket:[2]>, 0x7f, 262144, 0, NULL, NULL) = -1 EAGAIN (no bytes)\n",
        ]
    )

    assert (trace.through_us, trace.in_kernel) == (100, 5)
    assert (trace.syncs, trace.catalog_syncs) == (1, 1)
    assert trace.calls == 4
