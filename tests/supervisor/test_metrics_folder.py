"""The folder of the metrics: one for each supervisor, and none of those that were killed."""

import fcntl
from pathlib import Path

import pytest

from penstock.supervisor.metrics_folder import metrics_folder


@pytest.fixture
def within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RUNTIME_DIRECTORY", f"{tmp_path}:/elsewhere")
    return tmp_path


def test_it_is_there_for_as_long_as_it_is_used(within: Path) -> None:
    with metrics_folder() as folder:
        assert list(within.iterdir()) == [Path(folder)]
        assert Path(folder).stat().st_mode & 0o777 == 0o700

    assert list(within.iterdir()) == []


def test_what_a_killed_supervisor_left_is_removed_by_the_next(within: Path) -> None:
    left = within / "penstock-metrics-left"
    left.mkdir()
    (left / "counter_0.db").write_bytes(b"old")
    (left / "0.lock").touch()

    with metrics_folder() as folder:
        assert list(within.iterdir()) == [Path(folder)]


def test_what_is_in_use_stays(within: Path) -> None:
    other = within / "penstock-metrics-other"  # a worker of a killed one, which still sends
    other.mkdir()
    with (other / "0.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with metrics_folder() as one, metrics_folder() as two:
            assert set(within.iterdir()) == {Path(one), Path(two), other}


def test_what_is_no_folder_of_ours_stays(within: Path) -> None:
    elsewhere = within / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    (within / "penstock-metrics-link").symlink_to(elsewhere)

    with metrics_folder():
        pass

    assert (elsewhere / "precious").exists()
