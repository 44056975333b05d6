"""A process that works and does nothing else: CATALOG-URL FOLDER LEASE-SECONDS.

A job's handler counts to its ``steps``, one every ``seconds``, and saves every fifth. It adds a
line to the file of the job in the folder for each step and for its beginning and end.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.catalog import GroupCommit, open_database
from penstock.jobs import JobLimits, Jobs, Run, Worker


async def work(url: str, folder: str, lease: str) -> None:
    engine = await asyncio.to_thread(open_database, url)
    commits = GroupCommit(engine)
    limits = JobLimits(lease=float(lease), beat=float(lease) / 10, poll=0.1)
    jobs = Jobs(engine, commits, limits)

    async def handle(run: Run) -> Mapping[str, Any]:
        descriptor = os.open(Path(folder, run.job.id), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def note(what: str) -> None:
            os.write(descriptor, f"{os.getpid()} {run.job.token} {what}\n".encode())

        try:
            begin, steps = run.checkpoint.get("step", 0), run.job.spec["steps"]
            note(f"begin {begin}")
            for step in range(begin, steps):
                note(f"step {step}")
                await asyncio.sleep(run.job.spec["seconds"])
                if step % 5 == 4:
                    await run.save({"step": step + 1}, done=step + 1, total=steps)
            return {"pid": os.getpid()}
        finally:
            note("leave")
            os.close(descriptor)

    worker = Worker(jobs, {"test": handle}, lanes={"small": 2})
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    worker.start()
    await told.wait()
    await worker.close()
    await jobs.close()
    await commits.close()


asyncio.run(work(*sys.argv[1:]))
