"""Blocks of one part, in order, each verified, from whichever node gives them."""

import asyncio
import time
from functools import partial
from typing import Final, Protocol, TypeAlias

from isal.isal_zlib import crc32

from penstock.catalog.cluster.rows import BLOCK, Node, PartRow
from penstock.cluster.choosing import candidates
from penstock.cluster.node_stream import PartStream
from penstock.cluster.shared import Shared
from penstock.cluster.spans import Span, block_crc32, block_size, offset
from penstock.cluster.trouble import Kind, NodeFailed, not_to_be_had
from penstock.threads import in_pool, to_the_end

Beginning: TypeAlias = "asyncio.Task[tuple[PartStream, bytes]]"

HEDGE: Final = 0.5
"""Seconds after which another node is asked for the same first block too."""
_RESTED: Final = 10.0
"""Seconds after which it is no fault of a node's that nothing comes of an answer any more: a node
gives up what nobody reads."""
_SLOWEST: Final = 30.0
"""Seconds that a block may take, however steadily it comes."""
PAUSES: Final = (0.1, 0.4, 0.8, 1.6)
"""Seconds after which every node is asked again: what is answered by then is cut off otherwise."""


class Digest(Protocol):
    """What the bytes of a file go through in order, as :mod:`hashlib` has it."""

    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Source(Protocol):
    """The file that is read, as its parts need it."""

    shared: Shared
    key: str

    async def again(self, number: int) -> PartRow:
        """The part as the catalog has it now.

        :raises SourceChanged: the file is gone.
        """

    def wrong(self, part: PartRow, block: int, failure: NodeFailed) -> None:
        """A node does not have a good copy of a part, other than the catalog says."""


class Fetch:
    """Reads a span. It may be opened long before its first block is wanted: then that block is in
    memory, and what follows waits in the buffers of its connection. To be closed."""

    def __init__(self, source: Source, span: Span) -> None:
        self._source = source
        self._part = span.part
        self._stop = span.stop
        self._at = span.first
        self._stream: PartStream | None = None
        self._held: bytes | None = None
        self._came = 0.0
        self._tried: set[str] = set()
        self._failed: set[str] = set()
        self._passing = False

    async def open(self) -> None:
        """Have the first block, verified.

        :raises ServerUnavailable: no node gives a good one.
        :raises SourceChanged: the file is gone.
        """
        for pause in PAUSES:
            self._passing = False
            if await self._raced():
                return
            await asyncio.sleep(pause)
            # It may have been copied elsewhere, or moved; and a node may have come back.
            before, self._part = self._part, await self._source.again(self._part.number)
            if before.copies == self._part.copies and not self._passing:
                break
            self._tried.clear()
        else:
            if await self._raced():
                return
        raise not_to_be_had(self._source.key)

    async def next(self, digest: Digest | None) -> bytes:
        """The next block; ``digest`` is fed with it.

        :raises ServerUnavailable: no node gives a good one.
        :raises SourceChanged: the file is gone.
        """
        data = await self._continued(digest) if self._held is None else None
        if data is None:
            if self._held is None:
                await self.open()
            data, self._held = self._held, None
            assert data is not None
            if digest is not None:
                await in_pool(self._source.shared.pool, digest.update, data)
        self._at += 1
        self._tried.clear()
        if self._at == self._stop:
            self.close()
        return data

    def close(self) -> None:
        """End the request; keep the connection if it was read to its end."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _continued(self, digest: Digest | None) -> bytes | None:
        """The next block from the node that gave the one before; ``None`` if it fails."""
        if self._stream is None:
            return None
        asked = time.monotonic()
        try:
            self._stream.go_direct()
            return await self._read(self._stream, digest)
        except NodeFailed as failure:
            self.close()
            if asked - self._came < _RESTED or not failure.is_of_node:
                self._note(failure)
            return None

    async def _raced(self) -> bool:
        """Ask one node after the other, without waiting long for any, until one gives a good block.

        Every node is asked once, at most.
        """
        racing: set[Beginning] = set()
        slow: set[Beginning] = set()
        try:
            while True:
                node = self._candidate()
                if node is not None:
                    self._tried.add(node.id)
                    racing.add(asyncio.create_task(self._begin(node), name=node.id))
                if not racing:
                    return False
                timeout = HEDGE if self._candidate() else None
                ended, racing = await asyncio.wait(
                    racing, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if self._won(ended):
                    # Or everybody would wait for it, part by part.
                    for task in slow & racing:
                        self._source.shared.members.trouble(task.get_name())
                    return True
                if not ended:
                    slow |= racing
        finally:
            await self._end(racing)

    async def _end(self, racing: set[Beginning]) -> None:
        for task in racing:
            task.cancel()
        try:
            if racing:
                await to_the_end(asyncio.wait(racing))
        finally:
            self._won(racing)

    def _won(self, ended: set[Beginning]) -> bool:
        """Keep the first of those that ended well, and close the others."""
        for task in ended:
            if task.cancelled():
                continue
            error = task.exception()
            if isinstance(error, NodeFailed):
                self._note(error)
            elif error is not None:
                raise error
            elif self._stream is None:
                self._stream, self._held = task.result()
            else:
                task.result()[0].close()
        return self._stream is not None

    def _candidate(self) -> Node | None:
        members = self._source.shared.members
        for node in candidates(self._part, members, self._failed):
            if node.id not in self._tried:
                return node
        return None

    async def _begin(self, node: Node) -> tuple[PartStream, bytes]:
        part = self._part
        start, stop = offset(part, self._at), offset(part, self._stop)
        stream = await self._source.shared.client.open(node, part.name, start, stop)
        try:
            return stream, await self._read(stream, None)
        except BaseException:
            stream.close()
            raise

    async def _read(self, stream: PartStream, digest: Digest | None) -> bytes:
        data = await _block(self._source.shared, stream, self._part, self._at, digest)
        self._came = time.monotonic()
        return data

    def _note(self, failure: NodeFailed) -> None:
        self._failed.add(failure.node)
        if failure.is_of_node:
            self._passing = True
            self._source.shared.members.trouble(failure.node)
        else:
            self._source.wrong(self._part, self._at, failure)


async def is_bad(shared: Shared, part: PartRow, block: int, node: Node) -> bool:
    """Whether a node's copy is bad at a block, or missing; ``False`` if that cannot be told now.

    What was wrong may have become so on its way.
    """
    start, stop = offset(part, block), offset(part, block + 1)
    try:
        stream = await shared.client.open(node, part.name, start, stop)
        try:
            await _block(shared, stream, part, block, None)
        finally:
            stream.close()
    except NodeFailed as failure:
        return failure.kind in (Kind.BAD, Kind.MISSING)
    return False


async def _block(
    shared: Shared, stream: PartStream, part: PartRow, block: int, digest: Digest | None
) -> bytes:
    """The next block of a stream, verified.

    :raises NodeFailed: it is not the right one, or does not come.
    """
    seen: list[bytes | None] = []
    work = partial(_verified, block_crc32(part, block), digest, seen)
    try:
        async with asyncio.timeout(_SLOWEST):
            await stream.block(block_size(part, block), work, shared.pool)
    except TimeoutError as error:
        if not seen:  # else it is here, and gone through the digest
            raise NodeFailed(Kind.UNREACHABLE, stream.node, "it is too slow") from error
    [data] = seen
    if data is None:
        reason = f"{part.name} is damaged in the MiB at {block * BLOCK}"
        raise NodeFailed(Kind.BAD, stream.node, reason)
    return data


def _verified(expected: int, digest: Digest | None, seen: list[bytes | None], data: bytes) -> None:
    """Adds the same bytes to ``seen``, if they are the right ones. In a worker thread."""
    right = crc32(data) == expected
    if right and digest is not None:
        digest.update(data)
    seen.append(data if right else None)
