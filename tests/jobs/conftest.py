"""A queue of jobs on each kind of database, and workers on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, update

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.leases import Leases
from penstock.catalog.schema import job_log, lanes
from penstock.catalog.schema import jobs as table
from penstock.jobs import Handler, Job, JobLimits, Jobs, Run, Worker
from tests.catalog.conftest import postgres

__all__ = ["postgres"]

QUICK = JobLimits(beat=0.05, poll=0.05, first_pause=0.01, longest_pause=0.05)
"""The lease is the usual one: what a test does is never so slow that it is lost unasked."""

LANES = {"small": 3, "large": 1}

OpenJobs = Callable[..., Jobs]
StartWorker = Callable[..., Worker]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of database in turn."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "catalog.sqlite")
    # The same for all tests: a new one takes longer than most of them.
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """A catalog without jobs."""
    opened = open_database(url)
    with opened.begin() as connection:
        for one in (table, job_log, lanes):
            connection.execute(delete(one))
    yield opened
    opened.dispose()


@pytest.fixture
async def open_jobs(engine: Engine) -> AsyncIterator[OpenJobs]:
    """Further queues on the same catalog, as other processes have them."""
    opened: list[tuple[Jobs, GroupCommit, Engine]] = []

    def open_one(**limits: Any) -> Jobs:
        own = create_engine(engine.url)
        commits = GroupCommit(own)
        jobs = Jobs(own, commits, replace(QUICK, **limits), lanes=LANES)
        opened.append((jobs, commits, own))
        return jobs

    yield open_one
    for jobs, commits, own in opened:
        await jobs.close()
        await commits.close()
        await asyncio.to_thread(own.dispose)


@pytest.fixture
def jobs(open_jobs: OpenJobs) -> Jobs:
    return open_jobs()


@pytest.fixture
def leases(jobs: Jobs) -> Leases:
    """The side of the workers, for tests that take the steps one by one."""
    return jobs.leases


@pytest.fixture
async def start_worker(jobs: Jobs) -> AsyncIterator[StartWorker]:
    """Start workers; all are closed after the test."""
    started: list[Worker] = []

    def start(handler: Handler, jobs: Jobs = jobs, **options: Any) -> Worker:
        worker = Worker(jobs, {"test": handler}, **{"lanes": LANES, **options})
        worker.start()
        started.append(worker)
        return worker

    yield start
    await asyncio.gather(*(worker.close() for worker in started))


async def queued(jobs: Jobs, **options: Any) -> Job:
    """A new job of the kind that the workers of the tests do."""
    job, is_new = await jobs.enqueue("test", options.pop("spec", {}), **options)
    assert is_new
    return job


async def reached(jobs: Jobs, job: Job, holds: Callable[[Job], bool], timeout: float = 60.0) -> Job:
    """The job, when something holds of it."""
    async with asyncio.timeout(timeout):
        while not holds(now := await jobs.get(job.id, None)):
            await asyncio.sleep(0.02)
    return now


async def ended(jobs: Jobs, job: Job) -> Job:
    """The job, when it has ended."""
    return await reached(jobs, job, lambda now: now.ended is not None)


async def texts(jobs: Jobs, job: Job) -> list[str]:
    """What the job's log says."""
    return [line.text for line in await jobs.log(job.id, None)]


async def set_columns(engine: Engine, job: Job, **values: object) -> None:
    """Change a job's row behind everybody's back."""

    def work() -> None:
        with engine.begin() as connection:
            connection.execute(update(table).where(table.c.id == job.id).values(**values))

    await asyncio.to_thread(work)


def answering(result: Mapping[str, Any]) -> Callable[[Run], Awaitable[Mapping[str, Any]]]:
    """A handler that is done at once."""

    async def handle(run: Run) -> Mapping[str, Any]:
        return result

    return handle


class Held:
    """A handler that saves ``checkpoint`` and then waits until it is released or cancelled."""

    def __init__(self, checkpoint: dict[str, Any] | None = None) -> None:
        self.runs: list[Run] = []
        self.cancelled: list[bool] = []
        self.release = asyncio.Event()
        self._checkpoint = checkpoint

    async def __call__(self, run: Run) -> Mapping[str, Any]:
        if self._checkpoint is not None:
            await run.save(self._checkpoint)
        self.runs.append(run)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.append(run.cancelled)
            raise
        return {"token": run.job.token}

    async def begun(self, count: int = 1) -> Run:
        """Wait until it has been begun so often; answers the last one."""
        async with asyncio.timeout(60):
            while len(self.runs) < count:
                await asyncio.sleep(0.01)
        return self.runs[-1]
