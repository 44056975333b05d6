"""Large files: gone on with where an earlier run stopped, or begun, alone or in parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.client import tus
from penstock.client.answers import FileInfo
from penstock.client.cutting import cut, goes_in_parts
from penstock.client.destination import Destination
from penstock.client.file_reader import FileReader, Path
from penstock.client.parts import put_parts
from penstock.client.retry import Backoff, is_temporary
from penstock.client.several import Transfer
from penstock.client.spans import Block, FileSpan
from penstock.client.tus_fields import Standing
from penstock.client.unfinished import Found, Left, Wanted, left_over
from penstock.client.uploading import Upload
from penstock.errors import (
    DigestMismatch,
    PenstockError,
    ServerUnavailable,
    SourceChanged,
    UploadGone,
)

TAIL = 64 << 10
"""The last bytes, which make an upload a file, are sent when all before them are verified."""

MOST_ASKED = 4
"""Of so many uploads that earlier runs left the server is asked for the digest."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An upload of an earlier run, and how it stands now that nobody sends to it."""

    found: Found
    standing: Standing


async def put_large(
    destination: Destination, path: Path, reader: FileReader, backoff: Backoff
) -> Transfer:
    """Store a file by way of an upload resource.

    What goes wrong before an upload is begun or found ends this try; the caller makes the next.

    :raises ServerUnavailable: the upload got lost; another try begins anew.
    """
    http = destination.http
    stretches = cut(reader.size)
    wanted = Wanted(reader.size, stretches, destination.content_type)
    left = await left_over(http, destination.key, wanted)
    candidates = await _asked(destination, [one for one in left if not one.is_parts])
    reader.mark({_tail(reader), *(one.standing.offset for one in candidates)})
    same = await destination.holds(reader)
    if same is not None:
        return Transfer(same, skipped=True)
    group = next((one for one in left if one.is_parts), None)
    try:
        upload = await _taken_up(destination, reader, backoff, candidates, group)
        if upload is None and (group is not None or await goes_in_parts(http, reader.size)):
            info = await put_parts(destination, path, reader, stretches, group, backoff)
            return Transfer(info)
        upload = upload or await _begun(destination, reader, backoff)
        return Transfer(await _put_whole(destination, reader, upload))
    except UploadGone as error:
        raise ServerUnavailable(
            f"{http.base} lost what it had of {destination.key} ({error.detail})"
        ) from error


async def _put_whole(destination: Destination, reader: FileReader, upload: Upload) -> FileInfo:
    tail = _tail(reader)
    destination.progress(upload.standing.offset, reader.size)
    try:
        await upload.send(FileSpan(reader, 0, tail))
        await upload.verify(tail, await reader.sha256_at(tail))
        await upload.send(Block(await reader.rest(tail), tail, checked=True))
    except (SourceChanged, DigestMismatch):
        await upload.abandon()
        raise
    return await destination.stored(reader.digester, upload.standing)


async def _begun(destination: Destination, reader: FileReader, backoff: Backoff) -> Upload:
    metadata = destination.metadata(sha256=reader.whole_sha256())
    location, standing = await tus.create(destination.http, metadata, length=reader.size)
    return _upload(destination, reader, backoff, location, standing)


async def _asked(destination: Destination, left: Sequence[Left]) -> list[_Candidate]:
    """How the uploads of earlier runs stand, those with the most bytes first.

    An empty one may be that of a client which is just beginning.
    """
    http = destination.http
    candidates = []
    for one in [one.members[0] for one in left if one.offset][:MOST_ASKED]:
        try:
            url = http.located(one.location)
            standing = await tus.ask(http, url, one.length or 0, digest=True)
        except PenstockError as error:
            if is_temporary(error):
                raise
            continue  # it ended meanwhile, well or badly
        if standing.sha256 is not None:
            candidates.append(_Candidate(one, standing))
    return sorted(candidates, key=lambda one: one.standing.offset, reverse=True)


async def _taken_up(
    destination: Destination,
    reader: FileReader,
    backoff: Backoff,
    candidates: Sequence[_Candidate],
    group: Left | None,
) -> Upload | None:
    """The upload that has more of this very file than the parts; those of another are removed."""
    for one in candidates:
        if group is not None and one.standing.offset <= group.offset:
            return None
        upload = _upload(destination, reader, backoff, one.found.location, one.standing)
        if await reader.sha256_at(one.standing.offset) == one.standing.sha256:
            whole, told = reader.whole_sha256(), one.found.metadata.get("sha256")
            if whole is None or told in (None, whole):
                return upload
        await upload.abandon()
    return None


def _upload(
    destination: Destination,
    reader: FileReader,
    backoff: Backoff,
    location: str,
    standing: Standing,
) -> Upload:
    def told(sent: int) -> None:
        destination.progress(sent, reader.size)

    return Upload(destination.http, backoff, location, standing, told)


def _tail(reader: FileReader) -> int:
    return max(0, reader.size - TAIL)
