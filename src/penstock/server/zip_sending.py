"""Sending a planned ZIP: headers from memory, members from wherever they are.

Big members of a local store go out by ``sendfile``. Small ones are read, together with the
headers around them, into one buffer by one trip to a worker thread: a trip costs more than
sending 10 KiB does.
"""

import os
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice

from penstock.archives import MemberReader, PlannedZip, Sources, StreamedZip
from penstock.errors import SourceChanged
from penstock.logs import note
from penstock.server.chunked import send_chunk
from penstock.server.wire import Wire
from penstock.stores.interface import LocalFiles, OpenFile
from penstock.threads import open_in_thread
from penstock.zipstream import Member, Segment

_BUFFER = 512 << 10
_READ_BELOW = 128 << 10
"""Members up to this size are cheaper to read than to open and send by themselves."""


STATUS = "X-Zip-Status"
"""The trailer field that says whether anything was left out."""


async def send_zip_span(
    sources: Sources, planned: PlannedZip, wire: Wire, start: int, stop: int
) -> None:
    """Send bytes ``start`` to ``stop`` of an exact ZIP.

    :raises SourceChanged: a member is another version by now; the ZIP must be cut off.
    :raises SourceFailed: a remote member cannot be had; likewise.
    :raises NotFound: a member is gone; likewise.
    """
    segments = planned.plan.segments(start, stop, planned.learned)
    async with sources.reader(planned, stop - start) as reader:
        if isinstance(sources.store, LocalFiles):
            await _send_local(_Local(sources.store, planned), reader, wire, segments)
        else:
            await _send_read(reader, wire, segments)


async def send_zip_stream(sources: Sources, planned: PlannedZip, wire: Wire) -> dict[str, str]:
    """Send a ZIP of unknown length in chunks; answers its trailer fields. Raises likewise."""
    stream = StreamedZip(sources, planned)
    async with aclosing(stream.chunks()) as chunks:
        async for data in chunks:
            await send_chunk(wire, data)
    failed = len(stream.failures)
    if failed:
        note("members left out", members=failed, first=stream.failures[0].reason)
    return {STATUS: f"incomplete; failed={failed}" if failed else "complete"}


@dataclass(slots=True)
class _Batch:
    """Bytes to send, then perhaps a stretch of a file, or of a member that must be read.

    ``last`` says that nothing follows.
    """

    data: bytes | bytearray
    file: OpenFile | None = None
    start: int = 0
    stop: int = 0
    member: Member | None = None
    last: bool = False

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


@dataclass(frozen=True, slots=True)
class _Local:
    """A ZIP of which some members are files of a local store."""

    store: LocalFiles
    planned: PlannedZip

    def has(self, member: Member) -> bool:
        """Whether the member goes out as its file is."""
        return member.index < self.planned.stored and self.planned.plan.is_stored(member.index)


async def _send_local(
    local: _Local, reader: MemberReader, wire: Wire, segments: Iterator[Segment]
) -> None:
    ahead: list[Segment] = []
    last = False
    while not last:
        batch = _next_big(local, segments, ahead)
        if batch is None:
            rest = chain(_taken(ahead), segments)
            batch = await open_in_thread(partial(_next_batch, local, rest), _Batch.close)
        last = batch.last
        try:
            await wire.send(batch.data, more=not last)
            if batch.file is not None:
                await wire.send_file(batch.file.fd, batch.start, batch.stop)
            if batch.member is not None:
                await _send_member(reader, wire, batch.member)
        finally:
            batch.close()


def _next_big(local: _Local, segments: Iterator[Segment], ahead: list[Segment]) -> _Batch | None:
    """A header and the big member behind it, if that is next and its file is in memory; or a
    member that must be read.

    What was looked at in vain is left in ``ahead``. Never blocks: a trip to a thread per member
    would cost more than a 1 MiB member itself.
    """
    ahead += islice(segments, max(1 - len(ahead), 0))
    # A range may start within a member. What follows that may depend on its CRC-32, so it is not
    # looked at yet.
    if ahead and isinstance(ahead[-1], bytes):
        ahead += islice(segments, 2 - len(ahead))
    if not ahead or not isinstance(member := ahead[-1], Member):
        return None
    header = ahead[0] if isinstance(ahead[0], bytes) else b""
    if not local.has(member):
        ahead.clear()
        return _Batch(header, member=member)
    if not _is_big(member):
        return None
    opened = local.store.open_cached(local.planned.key(member.index), facts=False)
    if opened is None:
        return None
    ahead.clear()
    return _Batch(header, _required(local, member, opened), member.start, member.stop)


def _taken(ahead: list[Segment]) -> Iterator[Segment]:
    """Empties ``ahead`` as it is read."""
    while ahead:
        yield ahead.pop(0)


def _next_batch(local: _Local, segments: Iterator[Segment]) -> _Batch:
    """Fill a buffer up to half a MiB, or to the next member that goes by itself.

    Blocks: in a worker thread.
    """
    buffer = bytearray()
    for segment in segments:
        if isinstance(segment, bytes):
            buffer += segment
        elif not local.has(segment):
            return _Batch(buffer, member=segment)
        else:
            opened = _open(local, segment)
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


def _open(local: _Local, member: Member) -> OpenFile:
    opened = local.store.open_file(local.planned.key(member.index), facts=False)
    return _required(local, member, opened)


def _required(local: _Local, member: Member, opened: OpenFile) -> OpenFile:
    """The file, if it is still the version that was planned."""
    try:
        local.planned.require(member.index, opened.info)
    except BaseException:
        opened.close()
        raise
    return opened


def _read(opened: OpenFile, member: Member) -> bytes:
    data = os.pread(opened.fd, member.stop - member.start, member.start)
    if len(data) != member.stop - member.start:
        raise SourceChanged(f"{opened.info.key!r} became shorter while it was sent")
    return data


async def _send_read(reader: MemberReader, wire: Wire, segments: Iterator[Segment]) -> None:
    for segment in segments:
        if isinstance(segment, bytes):
            await wire.send(segment, more=True)
        else:
            await _send_member(reader, wire, segment)


async def _send_member(reader: MemberReader, wire: Wire, member: Member) -> None:
    async with aclosing(reader.framed(member)) as pieces:
        async for data in pieces:
            await wire.send(data, more=True)
