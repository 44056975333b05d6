"""Watching a pull to its end, and what becomes of it when nobody watches any more."""

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from penstock.cli.progress import progress_meters
from penstock.cli.render import Render
from penstock.cli.tally import Tally

if TYPE_CHECKING:
    from penstock.client import Client, PullInfo


async def watch(
    client: "Client", pull: "PullInfo", render: Render, tally: Tally, *, shown: bool
) -> None:
    """Show how far it is until it has ended, and then what came of it.

    :raises PenstockError: nothing came of it.
    """
    try:
        with progress_meters(shown=shown) as meters:
            meter, told = meters(pull.key), None
            async with aclosing(client.pulls.watch(pull.id)) as stands:
                async for pull in stands:
                    meter(pull.received, pull.size)
                    if pull.next_try not in (None, told):
                        told = pull.next_try
                        render.pull_waits(pull)
            meters.finish(pull.key)
    except asyncio.CancelledError:
        render.pull_goes_on(pull)
        raise
    tally.add_size(pull.stored().size)
    render.pulled(pull)
