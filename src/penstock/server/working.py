"""Working without a port: jobs are done until a signal comes."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any

from penstock.errors import Exit
from penstock.jobs import Jobs, Worker
from penstock.logs import note
from penstock.server.signals import ignore_signals, received_signals, waking_signals
from penstock.systemd import Notices


async def run_worker(
    worker: Worker,
    jobs: Jobs,
    started: Callable[[], None],
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Do jobs until a signal; ``started`` is called once they are claimed, ``stopping`` when no
    more are.

    On SIGTERM, SIGINT or SIGHUP handlers are ended and their jobs given back, which takes seconds.
    A second signal ends the process at once, as a crash would: what it held is begun elsewhere
    when the leases are over.
    """
    async with Notices.opened() as notices:
        await _work(worker, jobs, started, stopping, notices)


async def _work(
    worker: Worker,
    jobs: Jobs,
    started: Callable[[], None],
    stopping: Callable[[], None],
    notices: Notices,
) -> None:
    with waking_signals():
        stop = received_signals()
        worker.start()
        try:
            started()
            await notices.ready("works on jobs")
            await stop.get()
            note("stopping", jobs=worker.running)
            await notices.stopping()
        finally:
            stopping()
            await _unless_again(worker.close(), stop)
            await jobs.close()
        ignore_signals()
    note("stopped")


async def _unless_again(closing: Coroutine[Any, Any, None], again: "asyncio.Queue[int]") -> None:
    """Wait for the end in good order, or end here and now if another signal comes."""
    ends, told = asyncio.create_task(closing), asyncio.create_task(again.get())
    await asyncio.wait([ends, told], return_when=asyncio.FIRST_COMPLETED)
    if not ends.done():
        note("stopped at once", level=logging.WARNING)
        logging.shutdown()
        os._exit(Exit.INTERRUPTED)
    told.cancel()
    await ends
