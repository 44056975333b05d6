"""What a remote file is, asked before it is read."""

from collections.abc import Mapping

from penstock.remote.answer import Answer
from penstock.remote.backoff import Backoff
from penstock.remote.file import RemoteFile
from penstock.remote.session import Session
from penstock.remote.trouble import Trouble
from penstock.remote.verdict import check_coding, failed

TRIES = 3


async def probe(session: Session, url: str, headers: Mapping[str, str]) -> RemoteFile:
    """Ask for size, version and name.

    HEAD is tried once. If it is refused, fails or does not tell all, a GET of the first byte
    decides: some servers know no HEAD, and links of S3 are signed for one method.

    :raises BadRequest: the URL or a header cannot be.
    :raises RemoteRefused: it leads where we must not go.
    :raises SourceFailed: it cannot be had.
    """
    asked = RemoteFile(url, headers)
    backoff = Backoff(session.limits, min(TRIES, session.limits.tries))
    try:
        told = await _head(session, asked)
        if told is not None:
            return told
    except Trouble as trouble:
        await backoff.after(trouble)
    while True:
        try:
            return await _first_byte(session, asked)
        except Trouble as trouble:
            await backoff.after(trouble)


async def _head(session: Session, asked: RemoteFile) -> RemoteFile | None:
    """What HEAD tells; ``None`` if that does not suffice."""
    async with session.request("HEAD", asked.url, asked.headers, {}) as answer:
        if answer.status != 200:
            if isinstance(error := failed(answer), Trouble):
                raise error
            return None
        check_coding(answer)
        told = asked.described(answer.status, answer.headers)
        return told if told.size and told.ranges else None


async def _first_byte(session: Session, asked: RemoteFile) -> RemoteFile:
    async with session.request("GET", asked.url, asked.headers, {"Range": "bytes=0-0"}) as answer:
        told = asked.described(answer.status, answer.headers)
        empty = answer.status == 416 and told.size == 0
        if answer.status not in (200, 206) and not empty:
            raise failed(answer)
        check_coding(answer)
        await _finish(answer)
        return told


async def _finish(answer: Answer) -> None:
    """Read the byte that was asked for, so that the connection can be used again."""
    if answer.headers.get("Content-Length") == "1":
        while await answer.read():
            pass
