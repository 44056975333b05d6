"""The bytes of a remote file, in order, over as many connections as it takes."""

from collections.abc import AsyncGenerator

from penstock.remote.backoff import Backoff
from penstock.remote.file import RemoteFile
from penstock.remote.place import Place
from penstock.remote.session import Session
from penstock.remote.trouble import Trouble


async def read(
    session: Session, file: RemoteFile, start: int, stop: int | None
) -> AsyncGenerator[bytes, None]:
    """The bytes ``start`` to ``stop`` of ``file``, of one version of it.

    :raises RemoteRefused: it leads where we must not go.
    :raises SourceChanged: it is another version than ``file`` tells, or than at the start.
    :raises SourceFailed: it cannot be had, or broke off where it cannot be resumed.
    """
    place = Place(file, start, stop)
    backoff = Backoff(session.limits, session.limits.tries)
    while not place.is_done:
        before = place.offset
        try:
            async with session.request("GET", file.url, file.headers, place.headers) as answer:
                place.enter(answer)
                while place.wants_more:
                    data = await answer.read()
                    if not data:
                        place.leave(answer)
                        break
                    if piece := place.take(data):
                        yield piece
        except Trouble as trouble:
            if place.is_done:
                return
            place.require_resumable(trouble)
            await backoff.after(trouble, progressed=place.offset > before)
