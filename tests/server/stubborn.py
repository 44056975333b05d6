"""A process that works by a handler that does not let itself be ended: ``stubborn.py CATALOG``."""

import asyncio
import sys
from collections.abc import Mapping
from typing import Any

from penstock.catalog import GroupCommit, open_database
from penstock.jobs import Jobs, Run, Worker
from penstock.server import run_worker


async def stubborn(run: Run) -> Mapping[str, Any]:
    print("begun", flush=True)  # noqa: T201
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("asked to end", flush=True)  # noqa: T201


async def main(catalog: str) -> None:
    engine = open_database(catalog)
    jobs = Jobs(engine, GroupCommit(engine))
    await jobs.enqueue("test", {})
    worker = Worker(jobs, {"test": stubborn}, lanes={"small": 1})
    await run_worker(worker, jobs, lambda: None)


asyncio.run(main(sys.argv[1]))
