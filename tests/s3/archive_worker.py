"""A process that archives and does nothing else: SETTINGS-AS-JSON LEASE-SECONDS.

It does the work of ``penstock worker`` on these settings, and dies, for the others, sooner.
"""

import asyncio
import json
import signal
import sys

from penstock.archives.in_store import KIND, Archiver
from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.jobs import JobLimits, Jobs, Worker
from penstock.settings import Settings
from penstock.wiring import archive_options, lanes_of, open_services


async def work(text: str, lease: str) -> None:
    settings = Settings(**json.loads(text), worker=False)
    services = await asyncio.to_thread(open_services, settings)
    url = settings.catalog or sqlite_url(settings.data / "catalog.sqlite")
    engine = await asyncio.to_thread(open_database, url)
    commits = GroupCommit(engine)
    beat = float(lease) / 10
    jobs = Jobs(engine, commits, JobLimits(lease=float(lease), beat=beat, poll=0.1))
    archiver = Archiver(services.store, services.uploads, archive_options(settings))
    cleanups = {KIND: archiver.clean_up}
    worker = Worker(jobs, {KIND: archiver}, lanes=lanes_of(settings), cleanups=cleanups)
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    worker.start()
    await told.wait()
    await worker.close()
    await jobs.close()
    await commits.close()
    await services.close()


asyncio.run(work(*sys.argv[1:]))
