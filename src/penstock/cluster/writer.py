"""A file on its way into a cluster."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Final, Self

from penstock.cluster.cutting import cuts, cuts_of
from penstock.cluster.making import LEASE, Making, Span
from penstock.cluster.part_bytes import within
from penstock.cluster.shared import Shared
from penstock.errors import BodyIncomplete, Busy, PenstockError, Superseded
from penstock.octets.digests import Digester
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.batches import Batches
from penstock.stores.interface import ALWAYS, Checksum, Condition, Facts, FileInfo
from penstock.stores.keys import check_key
from penstock.stores.spool import Spool
from penstock.stores.tasks import side_by_side
from penstock.threads import to_the_end

AT_ONCE: Final = 3
"""Parts of one file that are sent at the same time."""


class ClusterWriter:
    """Gathers one part after the other; whole ones are sent while the next ones come in.

    The last part, and with it a file of one part, waits for the commit. Of a file whose length
    nobody told, and that has no more bytes than one of its parts could have, so do all. ``lease``
    is how many seconds it may be without a sign of life of this process.
    """

    def __init__(
        self,
        shared: Shared,
        key: str,
        size: int | None,
        *,
        sha256: bool,
        lease: float = LEASE,
    ) -> None:
        self._shared = shared
        self._key = key
        self._size = size
        self._spans = [Span(n, *span) for n, span in enumerate(cuts(size or 0, shared.options), 1)]
        self._open_cuts = cuts_of(None, shared.options)
        self._making = Making(shared, key, lease=lease)
        self._begun = False
        self._number = 1
        self._at = 0
        """Where the part that is gathered starts."""
        self._digester = Digester(sha256=sha256)
        self._batches = Batches(shared.pool, self._digest)
        self._spool = shared.spool()
        self._first = b""
        self._running: set[asyncio.Task[None]] = set()
        self._failure: Exception | None = None
        self._open = True

    async def write(self, data: bytes) -> None:
        self._raise_failure()
        try:
            await self._batches.put(data)
            if len(self._first) < FIRST:
                self._first += data[: FIRST - len(self._first)]
            view = memoryview(data)
            while view:
                if self._spool.size == self._part():
                    await self._send_spool()
                taken = view[: self._part() - self._spool.size]
                await self._spool.append(taken)
                view = view[len(taken) :]
        except BaseException as error:
            # Bytes went missing here, so nothing may become of the others.
            self._fail(error if isinstance(error, Exception) else _broken_off())
            raise

    async def checksum(self) -> Checksum:
        await self._batches.drain()
        return Checksum(self._digester.sha256, self._digester.crc32)

    async def commit(
        self,
        key: str | None = None,
        *,
        content_type: str | None = None,
        condition: Condition = ALWAYS,
    ) -> FileInfo:
        key = check_key(self._key if key is None else key)
        self._raise_failure()
        try:
            facts = Facts(*await self.checksum(), content_type or self._told_by_bytes(key))
            await self._spool.seal()
            await self._send_rest()
            if self._at != self._digester.size:
                raise PenstockError("a part of the file went missing; store it again")
            # Once begun it runs to its end, or the file might become visible after an abort.
            self._open = False
            return await to_the_end(self._publish(key, facts, condition))
        except BaseException as error:
            # Some parts may be on their nodes, and written down, so it is not begun again.
            self._fail(error if isinstance(error, Exception) else _broken_off())
            if isinstance(error, Superseded):
                raise _given_up() from error
            raise

    async def abort(self) -> None:
        if not self._open:
            return
        self._open = False
        await to_the_end(self._drop())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.abort()

    def _digest(self, batch: list[bytes]) -> None:
        """In a worker thread."""
        for data in batch:
            self._digester.update(data)

    def _told_by_bytes(self, key: str) -> str | None:
        return content_type_of_bytes(self._first, key)

    def _part(self) -> int:
        """Bytes of the part that is gathered, if as many come."""
        if self._number <= len(self._spans):
            return self._spans[self._number - 1].size
        _, size = self._open_cuts.span(self._number - len(self._spans), None)
        return size

    async def _begin(self, size: int | None, spans: Sequence[Span]) -> None:
        await self._making.begin(size, spans)
        self._making.keep_alive()
        self._begun = True

    async def _send_spool(self) -> None:
        """Begin to send the part that is full; waits while enough others are on their way."""
        span = await self._written_down()
        await self._spool.seal()
        await self._wait_until(AT_ONCE - 1)
        full, self._spool = self._spool, self._shared.spool()
        self._number, self._at = span.number + 1, span.start + span.size
        task = asyncio.create_task(self._making.send(span, full.pread))
        self._running.add(task)
        # Not in the task: one that is cancelled early never runs.
        task.add_done_callback(partial(self._sent, full))

    async def _written_down(self) -> Span:
        """The part that is gathered, written down before it is sent."""
        span = Span(self._number, self._at, self._spool.size)
        known = self._number <= len(self._spans)
        if not self._begun:
            spans = self._spans if known else [span]
            await self._begin(self._size if known else None, spans)
        elif not known:
            # More than was told.
            await self._making.add([span])
        return span

    def _sent(self, spool: Spool, task: asyncio.Task[None]) -> None:
        spool.close()
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error if isinstance(error, Exception) else _broken_off())

    async def _send_rest(self) -> None:
        """Have all parts on their nodes."""
        if self._begun:
            left = sum(span.size for span in self._spans[self._number - 1 :])
            if left and left != self._spool.size:
                raise BodyIncomplete("fewer bytes came than were announced; send the file again")
            if self._spool.size:
                await self._send_spool()
            await self._wait_until(0)
            return
        size = self._spool.size
        spans = [Span(n, *span) for n, span in enumerate(cuts(size, self._shared.options), 1)]
        await self._begin(size, spans)

        async def send(span: Span) -> None:
            await self._making.send(span, within(self._spool.pread, span.start))

        await side_by_side(send, spans, AT_ONCE)
        self._at = size

    async def _wait_until(self, running: int) -> None:
        while self._failure is None and len(self._running) > running:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        self._raise_failure()

    async def _publish(self, key: str, facts: Facts, condition: Condition) -> FileInfo:
        try:
            if await self._making.is_lost():
                raise _given_up()
            info, _ = await self._making.commit(key, self._digester.size, facts, condition)
        except BaseException:
            await self._making.abort()
            raise
        finally:
            self._spool.close()
        return info

    async def _drop(self) -> None:
        await self._batches.stop()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self._making.abort()
        self._spool.close()

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = _given_up() if isinstance(error, Superseded) else error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


def _broken_off() -> Exception:
    return PenstockError("the write was broken off; store the file again")


def _given_up() -> PenstockError:
    """This process stood still for minutes, or the nodes that had a part are gone."""
    return Busy(
        "what came of the file before is not on the storage nodes any more, and nothing was "
        "stored; send the file again"
    )
