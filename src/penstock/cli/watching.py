"""Watching work of the server to its end, and what becomes of it when nobody watches any more."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from penstock.cli.progress import Meters, progress_meters
from penstock.cli.render import Render
from penstock.cli.tally import Tally

if TYPE_CHECKING:
    from penstock.client import ArchiveInfo, Client, PullInfo


class _Work(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def next_try(self) -> datetime | None: ...


_W = TypeVar("_W", bound=_Work)


async def watch(
    client: "Client", pull: "PullInfo", render: Render, tally: Tally, *, shown: bool
) -> None:
    """Show how far a pull is until it has ended, and then what came of it.

    :raises PenstockError: nothing came of it.
    """

    def show(pull: "PullInfo", meters: Meters) -> None:
        meters(pull.key)(pull.received, pull.size)

    stands = client.pulls.watch(pull.id)
    pull = await _to_the_end(stands, pull, show, render.pull_waits, render.pull_goes_on, shown)
    tally.add_size(pull.stored().size)
    render.pulled(pull)


async def watch_archive(
    client: "Client", archive: "ArchiveInfo", render: Render, *, shown: bool
) -> "ArchiveInfo":
    """Show how far an archive is until it has ended; answers how it stands then."""

    def show(archive: "ArchiveInfo", meters: Meters) -> None:
        if archive.files:
            meters.note(archive.key, f"{archive.files_done:,}/{archive.files:,} files")
        meters(archive.key)(archive.done, archive.size)

    stands = client.archives.watch(archive.id)
    waits, goes_on = render.archive_waits, render.archive_goes_on
    return await _to_the_end(stands, archive, show, waits, goes_on, shown)


async def _to_the_end(
    stands: AsyncGenerator[_W, None],
    one: _W,
    show: Callable[[_W, Meters], None],
    waits: Callable[[_W], None],
    goes_on: Callable[[_W], None],
    shown: bool,
) -> _W:
    told: datetime | None = None
    try:
        with progress_meters(shown=shown) as meters:
            async with aclosing(stands):
                async for one in stands:
                    show(one, meters)
                    if one.next_try not in (None, told):
                        told = one.next_try
                        waits(one)
            meters.finish(one.key)
    except asyncio.CancelledError:
        goes_on(one)
        raise
    return one
