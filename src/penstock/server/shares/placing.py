"""Files put by a link are counted, and are no larger than it takes.

A file has its place from when its upload begins. It is given back if nothing comes of that at once,
or if the upload is cancelled before it is whole; not if the upload fails later on, or is left until
it expires, for of those nobody is sure to hear.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from penstock.access.shares import share_id_of
from penstock.errors import BadRequest, Forbidden
from penstock.server.access.granted import grant_of
from penstock.server.services import services_of
from penstock.threads import to_the_end


class Place:
    """The place of a file, while nobody knows yet what comes of it."""

    is_being_stored = False
    """Set right before a commit, which goes on though its request is cancelled: who hangs up then
    has used the place, for the file is stored all the same."""


@asynccontextmanager
async def placed(
    request: web.Request, length: int | None, *, is_whole: bool = True
) -> AsyncIterator[Place]:
    """Have a place for a file of ``length`` bytes, which is given back if the block fails; for who
    comes by no link that is nothing.

    :raises BadRequest: the length is not known beforehand.
    :raises Forbidden: it is to be put together of parts, or no more files are taken.
    :raises TooLarge: it is larger than the link takes.
    :raises ShareGone: the link has ended.
    """
    identity = share_id_of(grant_of(request))
    place = Place()
    if identity is None:
        yield place
        return
    if not is_whole:
        raise Forbidden("by a link each file is sent as one upload, not in parts")
    if length is None:
        raise BadRequest("by a link only files whose length is told beforehand are taken")
    shares = services_of(request).shares
    placing = asyncio.ensure_future(shares.place(identity, length))
    try:
        # Cancelled meanwhile, it is counted all the same: only at its end is it known what to undo.
        await to_the_end(placing)
        yield place
    except BaseException as error:
        is_kept = place.is_being_stored and isinstance(error, asyncio.CancelledError)
        if _went_well(placing) and not is_kept:
            await shares.give_back(identity, length)
        raise


def _went_well(task: asyncio.Future[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def give_back_place(request: web.Request, length: int | None) -> None:
    """An upload was cancelled before it was whole: its file does not count any more."""
    identity = share_id_of(grant_of(request))
    if identity is not None:
        await services_of(request).shares.give_back(identity, length or 0)
