"""A process that delivers and does nothing else: CATALOG-URL RECEIVER-URL SECRET LEASE-SECONDS."""

import asyncio
import sys

from penstock.catalog import GroupCommit, Outbox, open_database
from penstock.hooks import Courier, HookLimits, Receiver


async def deliver(catalog: str, url: str, secret: str, lease: str) -> None:
    engine = await asyncio.to_thread(open_database, catalog)
    outbox = Outbox(engine, GroupCommit(engine))
    half = float(lease) / 2
    limits = HookLimits(
        timeout=half, margin=half, poll=0.1, first_pause=0.01, longest_pause=0.1, first_rest=0.1
    )
    Courier(outbox, Receiver.of(url, secret), limits).start()
    await asyncio.Event().wait()


asyncio.run(deliver(*sys.argv[1:]))
