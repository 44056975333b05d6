"""Processes that work are killed, frozen and ended, and others go on with their jobs."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from penstock.jobs import Job, JobLimits, Jobs, State
from tests.jobs.conftest import ended, queued, reached

_WORK = Path(__file__).with_name("work.py")
_LONG = {"steps": 25, "seconds": 0.05}
_ENDLESS = {"steps": 100_000, "seconds": 0.05}

Process = subprocess.Popen[bytes]
StartProcess = Callable[..., Process]


@pytest.fixture
def start_process(url: str, tmp_path: Path) -> Iterator[StartProcess]:
    """Start processes that work; what is left of them is killed after the test."""
    started: list[Process] = []

    def start(lease: float = 15.0) -> Process:
        command = [sys.executable, str(_WORK), url, str(tmp_path), str(lease)]
        process = subprocess.Popen(command)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def noted(folder: Path, job: Job) -> list[tuple[int, str]]:
    """What handlers did with the job: process and deed."""
    lines = [line.split(" ", 2) for line in (folder / job.id).read_text().splitlines()]
    return [(int(pid), what) for pid, _, what in lines]


async def begun(jobs: Jobs, job: Job) -> Job:
    """The job when it has a checkpoint."""
    return await reached(jobs, job, lambda now: now.done > 0)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_killed_worker_is_replaced_from_its_checkpoint_on_when_its_lease_is_over(
    jobs: Jobs, start_process: StartProcess, tmp_path: Path
) -> None:
    """Within twice the lease, which is half a minute for the usual one."""
    lease = 5.0
    assert 2 * JobLimits().lease <= 30
    victim = start_process(lease)
    job = await queued(jobs, spec=_LONG)
    await begun(jobs, job)
    other = start_process(lease)
    victim.kill()
    killed = time.monotonic()
    victim.wait()
    left = await jobs.get(job.id)

    await reached(jobs, job, lambda now: now.attempts == 2)

    # The other has just been started; that may take seconds of its own.
    assert time.monotonic() - killed < 2 * lease + 10
    done = await ended(jobs, job)
    assert (done.state, done.result, done.attempts) == (State.DONE, {"pid": other.pid}, 2)
    deeds = noted(tmp_path, job)
    assert next(what for pid, what in deeds if pid == other.pid) == (
        f"begin {left.checkpoint['step']}"
    )


async def test_a_worker_that_ends_gives_its_jobs_to_another_at_once(
    jobs: Jobs, start_process: StartProcess, tmp_path: Path
) -> None:
    """The lease would be an hour."""
    first = start_process(lease=3600)
    job = await queued(jobs, spec=_LONG)
    await begun(jobs, job)

    first.send_signal(signal.SIGTERM)
    second = start_process(lease=3600)

    done = await ended(jobs, job)
    assert first.wait(60) == 0
    assert done.result == {"pid": second.pid}
    assert (first.pid, "leave") in noted(tmp_path, job)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_a_worker_that_was_frozen_is_fenced_out_and_stops(
    jobs: Jobs, start_process: StartProcess, tmp_path: Path
) -> None:
    frozen = start_process(lease=5)
    job = await queued(jobs, spec=_LONG)
    await begun(jobs, job)
    frozen.send_signal(signal.SIGSTOP)
    other = start_process(lease=5)
    await reached(jobs, job, lambda now: now.attempts >= 2)

    frozen.send_signal(signal.SIGCONT)

    done = await ended(jobs, job)
    assert done.result == {"pid": other.pid}
    deeds = noted(tmp_path, job)
    taken = deeds.index(next(deed for deed in deeds if deed[0] == other.pid))
    late = [what for pid, what in deeds[taken:] if pid == frozen.pid]
    # It may have been stopped just before it began another step.
    assert late[-1] == "leave"
    assert len(late) <= 2


async def test_cancelling_reaches_a_handler_in_another_process(
    jobs: Jobs, start_process: StartProcess, tmp_path: Path
) -> None:
    process = start_process()
    job = await queued(jobs, spec=_ENDLESS)
    await begun(jobs, job)
    asked = time.monotonic()

    await jobs.cancel(job.id)
    gone = await ended(jobs, job)

    assert gone.state is State.CANCELLED
    # The beat of a process with the usual lease is 1.5 s here; the rest is slack.
    assert time.monotonic() - asked < 15
    assert noted(tmp_path, job)[-1] == (process.pid, "leave")
