"""Sending a stretch of a planned ZIP: headers from memory, members from the store.

Big members of a local store go out by ``sendfile``. Small ones are read, together with the
headers around them, into one buffer by one trip to a worker thread: a trip costs more than
sending 10 KiB does.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

from penstock.archives import PlannedZip
from penstock.errors import SourceChanged
from penstock.server.wire import Wire
from penstock.stores.interface import LocalFiles, OpenFile, Store
from penstock.threads import open_in_thread
from penstock.zipstream import Member, Segment

_BUFFER = 512 << 10
_READ_BELOW = 128 << 10
"""Members up to this size are cheaper to read than to open and send by themselves."""


async def send_zip_span(
    store: Store, planned: PlannedZip, wire: Wire, start: int, stop: int
) -> None:
    """Send bytes ``start`` to ``stop`` of the ZIP.

    :raises SourceChanged: a member is another version by now; the ZIP must be cut off.
    :raises NotFound: a member is gone.
    """
    segments = planned.plan.segments(start, stop)
    if isinstance(store, LocalFiles):
        await _send_local(store, planned, wire, segments)
    else:
        await _send_read(store, planned, wire, segments)


@dataclass(slots=True)
class _Batch:
    """Bytes to send, then perhaps a stretch of a file; ``last`` says that nothing follows."""

    data: bytes | bytearray
    file: OpenFile | None = None
    start: int = 0
    stop: int = 0
    last: bool = False

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


async def _send_local(
    store: LocalFiles, planned: PlannedZip, wire: Wire, segments: Iterator[Segment]
) -> None:
    ahead: list[Segment] = []
    last = False
    while not last:
        batch = _next_big(store, planned, segments, ahead)
        if batch is None:
            rest = chain(_taken(ahead), segments)
            batch = await open_in_thread(partial(_next_batch, store, planned, rest), _Batch.close)
        last = batch.last
        try:
            await wire.send(batch.data, more=not last)
            if batch.file is not None:
                await wire.send_file(batch.file.fd, batch.start, batch.stop)
        finally:
            batch.close()


def _next_big(
    store: LocalFiles, planned: PlannedZip, segments: Iterator[Segment], ahead: list[Segment]
) -> _Batch | None:
    """A header and the big member behind it, if that is next and its file is in memory.

    What was looked at in vain is left in ``ahead``. Never blocks: a trip to a thread per member
    would cost more than a 1 MiB member itself.
    """
    ahead += islice(segments, 2 - len(ahead))
    if len(ahead) < 2:
        return None
    header, member = ahead
    if not (isinstance(header, bytes) and isinstance(member, Member) and _is_big(member)):
        return None
    opened = store.open_cached(planned.key(member.index), facts=False)
    if opened is None:
        return None
    ahead.clear()
    return _Batch(header, _required(planned, member, opened), member.start, member.stop)


def _taken(ahead: list[Segment]) -> Iterator[Segment]:
    """Empties ``ahead`` as it is read."""
    while ahead:
        yield ahead.pop(0)


def _next_batch(store: LocalFiles, planned: PlannedZip, segments: Iterator[Segment]) -> _Batch:
    """Fill a buffer up to half a MiB, or to the next big member. Blocks: in a worker thread."""
    buffer = bytearray()
    for segment in segments:
        if isinstance(segment, bytes):
            buffer += segment
        else:
            opened = _open(store, planned, segment)
            if _is_big(segment):
                return _Batch(buffer, opened, segment.start, segment.stop)
            try:
                buffer += _read(opened, segment)
            finally:
                opened.close()
        if len(buffer) >= _BUFFER:
            return _Batch(buffer)
    return _Batch(buffer, last=True)


def _is_big(member: Member) -> bool:
    return member.stop - member.start > _READ_BELOW


def _open(store: LocalFiles, planned: PlannedZip, member: Member) -> OpenFile:
    opened = store.open_file(planned.key(member.index), facts=False)
    return _required(planned, member, opened)


def _required(planned: PlannedZip, member: Member, opened: OpenFile) -> OpenFile:
    """The file, if it is still the version that was planned."""
    try:
        planned.require(member.index, opened.info)
    except BaseException:
        opened.close()
        raise
    return opened


def _read(opened: OpenFile, member: Member) -> bytes:
    data = os.pread(opened.fd, member.stop - member.start, member.start)
    if len(data) != member.stop - member.start:
        raise SourceChanged(f"{opened.info.key!r} became shorter while it was sent")
    return data


async def _send_read(
    store: Store, planned: PlannedZip, wire: Wire, segments: Iterator[Segment]
) -> None:
    for segment in segments:
        if isinstance(segment, bytes):
            await wire.send(segment, more=True)
            continue
        info = await store.stat(planned.key(segment.index))
        planned.require(segment.index, info)
        async for data in store.read(info.key, segment.start, segment.stop, etag=info.etag):
            await wire.send(data, more=True)
