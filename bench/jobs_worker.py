"""A process that works on the jobs of :mod:`bench.jobs` until it is killed.

    python -m bench.jobs_worker CATALOG-URL JOURNAL LEASE-SECONDS

A job is ``steps`` steps of ``seconds`` each. Each one leaves a row in the table of effects, in the
transaction that saves the checkpoint; the journal, a file, has a line for each that was begun.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, Table, Text, insert

from penstock.catalog import GroupCommit, open_database
from penstock.jobs import JobLimits, Jobs, Run, Worker

KIND = "steps"
LANE = "small"
PLACES = 3
BEGUN = -1
"""The step of the row that an attempt leaves before its first one."""

effects = Table(
    "bench_effects",
    MetaData(),
    Column("sequence", Integer, primary_key=True),
    Column("job", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("token", Integer, nullable=False),
)


def handler(journal: int) -> Callable[[Run], Any]:
    """Does the steps; ``journal`` is the descriptor of the journal."""

    async def handle(run: Run) -> Mapping[str, Any]:
        spec, job, token = run.job.spec, run.job.id, run.job.token

        def effect(step: int) -> Callable[[Connection], object]:
            row = {"job": job, "step": step, "token": token}
            return lambda connection: connection.execute(insert(effects), row)

        def note(what: str) -> None:
            os.write(
                journal, f"{time.monotonic():.6f} {job} {token} {os.getpid()} {what}\n".encode()
            )

        await run.save(also=effect(BEGUN))
        note("start")
        for step in range(run.checkpoint.get("step", 0), spec["steps"]):
            note(f"step {step}")
            await asyncio.sleep(spec["seconds"])
            await run.save({"step": step + 1}, done=step + 1, also=effect(step))
        return {"steps": spec["steps"]}

    return handle


async def work(url: str, journal: str, lease: str) -> None:
    """Until the process is killed, or told to end by SIGTERM."""
    engine = await asyncio.to_thread(open_database, url)
    commits = GroupCommit(engine)
    limits = JobLimits(lease=float(lease), beat=min(1.0, float(lease) / 5), poll=0.25)
    jobs = Jobs(engine, commits, limits)
    descriptor = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    worker = Worker(jobs, {KIND: handler(descriptor)}, lanes={LANE: PLACES})
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    worker.start()
    await ended.wait()
    await worker.close()
    await jobs.close()
    await commits.close()
    engine.dispose()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
