"""From the members of a planned ZIP to the results it is put together from."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

from penstock.archives.members import MemberReader, Sources
from penstock.archives.planned import Failure, PlannedZip
from penstock.archives.probing import reason_of
from penstock.archives.results import Begin, Encode, Result, block, whole
from penstock.archives.selection import Compress
from penstock.archives.small_members import small_results, small_run
from penstock.errors import PenstockError
from penstock.stores.interface import LocalFiles
from penstock.threads import in_pool
from penstock.zipstream.blocks import stored
from penstock.zipstream.deflate import BLOCK, Engine, deflate_block, pays

Results: TypeAlias = Sequence[Result]
Job: TypeAlias = "asyncio.Future[Results]"
Blocks: TypeAlias = AsyncGenerator[tuple[bytes, bool], None]


class Producer:
    """Makes the results of one ZIP.

    With a report a member may be left out until it is begun, so as much of it is read before that
    as may be read ahead; if the source of a larger one breaks later the ZIP ends.
    """

    def __init__(self, sources: Sources, planned: PlannedZip, reader: MemberReader) -> None:
        self._local = sources.store if isinstance(sources.store, LocalFiles) else None
        self._pool = sources.deflating
        self._planned = planned
        self._reader = reader
        self._hold = sources.budget if planned.reports else 0
        compress = planned.selection.compress
        self._engine = None if compress is Compress.STORE else planned.selection.level
        self._samples = compress is Compress.AUTO

    async def jobs(self) -> AsyncGenerator[Job, None]:
        """The members in order, as work that is going on in threads."""
        index = 0
        while index < self._planned.members:
            run = small_run(self._planned, index)
            if run and self._local is not None:
                yield _begun(
                    in_pool(
                        self._pool, small_results, self._local, self._planned, run, self._engine
                    )
                )
                index = run.stop
                continue
            async with aclosing(self._member(index)) as jobs:
                async for job in jobs:
                    yield job
            index += 1

    async def _member(self, index: int) -> AsyncGenerator[Job, None]:
        pieces = self._reader.read(index, 0, self._planned.plan.size_of(index))
        async with aclosing(pieces), aclosing(in_blocks(pieces)) as blocks:
            try:
                held = await _first(blocks, self._hold)
            except PenstockError as error:
                if not self._planned.reports:
                    raise
                yield _done(Failure(self._planned.plan.name(index), reason_of(error)))
                return
            if len(held) == 1 and held[0][1]:
                engine = self._engine if self._planned.plan.is_deflated(index) else None
                yield _begun(in_pool(self._pool, lambda: [whole(index, held[0][0], engine)]))
                return
            plainly, encode = await self._coding(index, held[0][0])
            yield _done(Begin(index, plainly))
            for data, last in held:
                yield _begun(in_pool(self._pool, _block, encode, data, last))
            held.clear()
            async for data, last in blocks:
                yield _begun(in_pool(self._pool, _block, encode, data, last))

    async def _coding(self, index: int, first: bytes) -> tuple[bool, Encode]:
        """How a large member goes in: whether plainly stored, and what makes its blocks."""
        if self._planned.plan.is_stored(index):
            return True, _as_it_is
        if self._engine is None or not self._planned.plan.is_deflated(index):
            return False, _stored_blocks
        if self._samples and not await in_pool(self._pool, pays, first):
            return False, _stored_blocks
        return False, partial(_deflated, self._engine)


async def in_order(jobs: AsyncGenerator[Job, None], ahead: int) -> AsyncGenerator[Results, None]:
    """The results of jobs in their order; up to ``ahead`` are begun before the first is done."""
    pending: deque[Job] = deque()
    coming: asyncio.Future[Job | None] | None = _next(jobs)
    try:
        while coming is not None or pending:
            more = coming if len(pending) < ahead else None
            waits = [wait for wait in (more, pending[0] if pending else None) if wait is not None]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if more is not None and more.done():
                job = more.result()
                coming = None if job is None else _next(jobs)
                pending += [] if job is None else [job]
            if pending and pending[0].done():
                yield pending.popleft().result()
    finally:
        left: list[asyncio.Future[Any]] = [*pending, *([] if coming is None else [coming])]
        for work in left:
            work.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await jobs.aclose()


async def in_blocks(pieces: AsyncIterator[bytes]) -> Blocks:
    """The same bytes in blocks of ``BLOCK``, the last one perhaps shorter and marked so."""
    buffer = bytearray()
    async for data in pieces:
        buffer += data
        while len(buffer) > BLOCK:
            yield bytes(buffer[:BLOCK]), False
            del buffer[:BLOCK]
    yield bytes(buffer), True


async def _first(blocks: Blocks, hold: int) -> list[tuple[bytes, bool]]:
    """The first block, and those behind it up to ``hold`` bytes."""
    held = [await anext(blocks)]
    while not held[-1][1] and len(held) * BLOCK < hold:
        held.append(await anext(blocks))
    return held


def _next(jobs: AsyncGenerator[Job, None]) -> "asyncio.Future[Job | None]":
    return asyncio.ensure_future(anext(jobs, None))


def _begun(work: Awaitable[Results]) -> Job:
    return asyncio.ensure_future(work)


def _done(result: Result) -> Job:
    job: Job = asyncio.get_running_loop().create_future()
    job.set_result([result])
    return job


def _block(encode: Encode, data: bytes, last: bool) -> Results:
    return [block(encode, data, last)]


def _stored_blocks(data: bytes, last: bool) -> bytes:
    return stored(data, last=last)


def _as_it_is(data: bytes, last: bool) -> bytes:
    return data


def _deflated(engine: Engine, data: bytes, last: bool) -> bytes:
    return deflate_block(data, engine, last=last)
