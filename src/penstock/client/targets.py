"""Where a download goes: a path, by way of a part beside it, or a stream."""

import errno
import os
import stat
from collections.abc import Awaitable, Callable
from typing import IO, TypeAlias

from penstock.client.answers import Version
from penstock.client.fetch import Remote, fetch
from penstock.client.file_reader import Path, digest_file
from penstock.client.http import Http
from penstock.client.part_file import PartFile
from penstock.client.progress import Progress
from penstock.client.sinks import PartSink, Sink, StreamSink
from penstock.errors import DigestMismatch
from penstock.octets.digests import Digester
from penstock.threads import use_in_thread

Target: TypeAlias = Path | IO[bytes]
Look: TypeAlias = Callable[[Sink], Awaitable[None]]


async def _no_look(sink: Sink) -> None:
    pass


async def bring(
    http: Http,
    remote: Remote,
    target: Target,
    origin: str,
    progress: Progress,
    *,
    look: Look = _no_look,
    tail: int = 0,
) -> Digester:
    """Fetch ``remote`` to ``target``; answers the digests of the verified bytes.

    ``origin`` is what a part must have come from to be gone on with. ``look`` may read back what
    came before it takes the target's place, and refuse it by DigestMismatch; of a stream the
    last ``tail`` bytes are there for that.
    """
    path = await file_path(target)
    if path is not None:
        return await _to_file(http, remote, path, origin, progress, look)
    return await to_stream(http, remote, target, progress, look=look, tail=tail)


async def file_path(target: Target) -> str | None:
    """The path of a file that ``target`` is or can become; ``None`` for streams and devices.

    :raises IsADirectoryError: it is a folder.
    """
    if not isinstance(target, str | os.PathLike):
        return None
    path = os.fspath(target)
    is_device = await size_there(path) is None and await use_in_thread(os.path.exists, path)
    return None if is_device else path


async def to_stream(
    http: Http,
    remote: Remote,
    target: Target,
    progress: Progress,
    *,
    look: Look = _no_look,
    tail: int = 0,
) -> Digester:
    """Fetch ``remote`` to a stream or device, in order; the rest is as with :func:`bring`."""
    if not isinstance(target, str | os.PathLike):
        return await _to_stream(http, remote, StreamSink(target, tail), progress, look)
    device = await use_in_thread(open, target, "wb", buffering=0)
    with device:
        return await _to_stream(http, remote, StreamSink(device, tail), progress, look)


async def size_there(path: Path) -> int | None:
    """The size of the regular file at ``path``; ``None`` if there is none.

    :raises IsADirectoryError: it is a folder.
    """
    try:
        status = await use_in_thread(os.stat, path)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder", os.fspath(path))
    return status.st_size if stat.S_ISREG(status.st_mode) else None


async def is_there(path: Path, version: Version | None) -> bool:
    """Whether the file at ``path`` is ``version`` already; hashes it only if the sizes agree.

    No if nobody knows a digest of the version.
    """
    if version is None or version.size is None or not version.has_digest:
        return False
    if await size_there(path) != version.size:
        return False
    return bool(version.agrees(await digest_file(path)))


async def _to_stream(
    http: Http, remote: Remote, sink: StreamSink, progress: Progress, look: Look
) -> Digester:
    await fetch(http, remote, sink, progress)
    await sink.finish()
    await look(sink)
    return sink.digester


async def _to_file(
    http: Http, remote: Remote, path: str, origin: str, progress: Progress, look: Look
) -> Digester:
    part = await PartFile.open(path, origin, in_order=True)
    try:
        sink = await PartSink.open(part)
        await fetch(http, remote, sink, progress)
        await look(sink)
        await part.commit()
    except DigestMismatch:
        await part.discard()
        raise
    finally:
        await part.close()
    return sink.digester
