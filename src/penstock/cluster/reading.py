"""Reading a version of a file from the nodes: every byte verified before it is given.

Whole blocks are read. The requests for the parts that come next are opened ahead, so that the
bytes go on without a pause; more of what is read ahead waits in the buffers of their connections.
"""

import asyncio
import hashlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from penstock.catalog.cluster.rows import BLOCK, CopyState, PartRow
from penstock.cluster.ahead import ahead
from penstock.cluster.assuring import Assuring
from penstock.cluster.fetching import Digest, Fetch, is_bad
from penstock.cluster.keeping import Keeping
from penstock.cluster.shared import Shared
from penstock.cluster.spans import Gap, Span, has_sums, spans
from penstock.cluster.trouble import NodeFailed, gone, not_as_stored, not_to_be_had
from penstock.stores.interface import FileInfo
from penstock.threads import to_the_end

_OPEN_AHEAD: Final = 4
"""Parts behind the one that is read whose requests are open, at most."""
_NEAR: Final = 4 * BLOCK
"""Bytes that are left before a part when its request is opened. Opened earlier it would wait
longer, and a node gives up what nobody reads."""
_VERIFIED_AHEAD: Final = 1
"""Blocks that wait for whoever reads."""

_log = logging.getLogger("penstock.cluster")


class Reads:
    """All reading of one store; belongs to one event loop."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self._keeping = Keeping(shared.files, shared.options.grace)
        self._assuring = Assuring(shared)
        self._reports: set[asyncio.Task[None]] = set()
        self._reported: set[tuple[str, str]] = set()

    async def read(
        self, key: str, file: str, size: int, start: int, stop: int, sha256: bytes | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes ``start`` to ``stop`` of a version in pieces of at most 1 MiB.

        If that is all of it, they are held against ``sha256`` before the last piece is given.

        :raises SourceChanged: the version is gone.
        :raises ServerUnavailable: no node gives a good copy of some block.
        """
        stop = min(stop, size)
        if start >= stop:
            return
        with self._keeping.during(file):
            await self.shared.members.all()
            whole = (start, stop) == (0, size)
            reading = _Reading(self, key, file, sha256 if whole else None)
            pieces = reading.pieces(self._assuring.seen(file), start, stop)
            if stop - start > BLOCK:
                pieces = ahead(pieces, _VERIFIED_AHEAD)
            async with aclosing(pieces):
                async for data in pieces:
                    yield data

    async def assure(self, info: FileInfo) -> None:
        """See :class:`penstock.stores.interface.Assures`."""
        await self._assuring.assure(info)

    async def assure_all(self, infos: Sequence[FileInfo]) -> None:
        """Likewise."""
        await self._assuring.assure_all(infos)

    async def close(self) -> None:
        """Wait until what was found out is written down."""
        await self._keeping.close()
        await asyncio.gather(*self._reports)

    def report(self, part: PartRow, block: int, failure: NodeFailed) -> None:
        """Write down that a copy is bad, if it is so, beside the reading."""
        if (part.name, failure.node) in self._reported:
            return
        self._reported.add((part.name, failure.node))
        task = asyncio.create_task(self._report(part, block, failure))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report(self, part: PartRow, block: int, failure: NodeFailed) -> None:
        try:
            node = self.shared.members.get(failure.node)
            if node is None or not await is_bad(self.shared, part, block, node):
                return
            # The row that was read may be old: the copy may have been moved away since.
            row = await self.shared.files.part(part.file, part.number)
            if row is not None and row.copies.get(node.id) is CopyState.STORED:
                _log.warning("the copy of %s is bad: %s", part.name, failure)
                await self.shared.copies.bad(part.file, part.number, node.id)
        except Exception:  # noqa: BLE001 - the database may be away; who reads goes on anyway
            _log.exception("a bad copy cannot be written down")
        finally:
            self._reported.discard((part.name, failure.node))


class _Reading:
    """One read. A :class:`penstock.cluster.fetching.Source`."""

    def __init__(self, reads: Reads, key: str, file: str, sha256: bytes | None) -> None:
        self.shared = reads.shared
        self.key = key
        self._reads = reads
        self._file = file
        self._sha256 = sha256
        self._digest = None if sha256 is None else hashlib.sha256()
        self._open: deque[_Open] = deque()

    async def pieces(
        self, rows: list[PartRow] | None, start: int, stop: int
    ) -> AsyncGenerator[bytes, None]:
        """The bytes, in order; ``rows`` are the parts, if they are known."""
        left = stop - start
        try:
            upcoming = spans(rows or await self._rows(start, stop), start, stop)
            self._fill(upcoming, 0)
            while self._open:
                opened = self._open[0]
                await opened.ready()
                for block in range(opened.span.first, opened.span.stop):
                    data = await opened.fetch.next(self._digest)
                    self._fill(upcoming, opened.bytes_behind(block))
                    data = opened.span.trimmed(block, data)
                    left -= len(data)
                    if not left and self._digest is not None:
                        self._hold_against(self._digest)
                    yield data
                self._open.popleft()
        except Gap as error:
            _log.error("the catalog does not have all parts of %s", self._file)
            raise not_to_be_had(self.key) from error
        finally:
            await self._close()

    async def again(self, number: int) -> PartRow:
        """See :class:`penstock.cluster.fetching.Source`."""
        part = await self.shared.files.part(self._file, number)
        if part is None or not has_sums(part):
            raise gone(self.key)
        await self.shared.members.all()
        return part

    def wrong(self, part: PartRow, block: int, failure: NodeFailed) -> None:
        """See :class:`penstock.cluster.fetching.Source`."""
        self._reads.report(part, block, failure)

    async def _rows(self, start: int, stop: int) -> list[PartRow]:
        rows = await self.shared.files.parts(self._file, start, stop)
        if not rows:
            raise gone(self.key)
        return rows

    def _fill(self, upcoming: Iterator[Span], left: int) -> None:
        """Open the requests of the next parts, if ``left`` bytes of this one are few."""
        behind = left + sum(opened.size for opened in list(self._open)[1:])
        while len(self._open) <= _OPEN_AHEAD and behind <= _NEAR:
            span = next(upcoming, None)
            if span is None:
                return
            opened = _Open(Fetch(self, span), span)
            self._open.append(opened)
            behind += opened.size

    async def _close(self) -> None:
        if self._open:
            await to_the_end(asyncio.wait([opened.end() for opened in self._open]))
            for opened in self._open:
                opened.fetch.close()

    def _hold_against(self, digest: Digest) -> None:
        if digest.digest() != self._sha256:
            _log.error("the SHA-256 of %s is not the one that was stored", self._file)
            raise not_as_stored(self.key)


class _Open:
    """A span whose request is under way."""

    def __init__(self, fetch: Fetch, span: Span) -> None:
        self.fetch = fetch
        self.span = span
        self.size = span.bytes_to_read
        self._opening = asyncio.create_task(fetch.open())

    async def ready(self) -> None:
        """Wait for its first block; raises what :meth:`Fetch.open` raised."""
        await self._opening

    def bytes_behind(self, block: int) -> int:
        """Bytes that are to be read behind a block."""
        return max(0, self.size - (block + 1 - self.span.first) * BLOCK)

    def end(self) -> "asyncio.Task[None]":
        """Stop opening it; wait for what is answered before it is closed."""
        if self._opening.done() and not self._opening.cancelled():
            self._opening.exception()  # seen, so that asyncio does not report it as forgotten
        self._opening.cancel()
        return self._opening
