"""Workers as processes: what happens when they cannot be started, or a signal comes just then."""

import errno
import os
import shutil
import signal
from pathlib import Path

import pytest

from penstock.settings import Settings
from penstock.supervisor import generation
from penstock.supervisor.child import Child
from penstock.supervisor.generation import Generation
from penstock.supervisor.listening import Listening
from penstock.supervisor.supervising import _Supervisor
from tests.eventually import eventually

SLEEP = shutil.which("sleep")


def sleeper(slot: int) -> Child:
    """A process that does nothing for long."""
    assert SLEEP is not None
    child = Child(slot, (SLEEP, "600"), {}, (), lambda _line: None)
    child.ready.set()
    return child


async def test_a_worker_that_could_not_be_started_a_thousand_times_is_started_when_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generation, "_LONGEST_WAIT", 0.0)
    started: list[Child] = []
    failures = iter(range(1100))

    def start(slot: int) -> Child:
        if started and next(failures, None) is not None:
            raise OSError(errno.EAGAIN, "too many processes")
        started.append(sleeper(slot))
        return started[-1]

    workers = Generation(start, 1, draining=0.0, patience=60.0, lost=lambda _code: None)
    await workers.begin()
    started[0].signal(signal.SIGKILL)

    is_started_again = await eventually(lambda: len(started) == 2, 30)

    await workers.end(at_once=True)
    assert is_started_again


async def test_a_process_of_which_one_could_not_see_the_end_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[int] = []

    def full(pid: int) -> int:
        begun.append(pid)
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "pidfd_open", full)
    before = os.listdir("/proc/self/fd")

    with pytest.raises(OSError, match="too many open files"):
        sleeper(0)

    assert [pid for pid in begun if Path(f"/proc/{pid}").exists()] == []
    assert begun
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def supervisor(tmp_path: Path) -> _Supervisor:
    """One that has not begun."""
    settings = Settings(data=tmp_path, workers=2)
    listening = Listening("127.0.0.1", 0)  # opens nothing
    return _Supervisor(lambda: settings, settings, listening, str(tmp_path), 30.0)


async def test_a_signal_that_comes_as_all_are_ready_is_not_lost(supervisor: _Supervisor) -> None:
    async def ready_at_the_same_moment() -> None:
        supervisor.told.put_nowait(signal.SIGTERM)

    assert not await supervisor._unless_told(ready_at_the_same_moment())
