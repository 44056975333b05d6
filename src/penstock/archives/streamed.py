"""A ZIP whose length shows only at its end: members deflated, of unknown size, or left out.

A member of at most one block is finished before its header is sent, which so carries real numbers
and opens in every reader. Of a larger one the header goes out first.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import chain

from isal.isal_zlib import crc32_combine

from penstock.archives.members import Sources
from penstock.archives.planned import Failure, PlannedZip
from penstock.archives.producing import Producer, in_order
from penstock.archives.report import report_texts
from penstock.archives.results import Begin, Block, Result, Whole, whole
from penstock.zipstream import ZipWriter

_JOBS_AHEAD = 3


class StreamedZip:
    """The bytes of one planned ZIP; ``failures`` is complete when they are."""

    def __init__(self, sources: Sources, planned: PlannedZip) -> None:
        self._sources = sources
        self._planned = planned
        self._writer = ZipWriter(planned.plan)
        self._member = _Member(0, stored=True)
        self.failures: list[Failure] = list(planned.failures)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The ZIP from its start, in pieces of about a MiB.

        :raises SourceFailed: a member cannot be had (likewise SourceChanged, NotFound).
        """
        async with self._sources.reader(self._planned) as reader:
            producer = Producer(self._sources, self._planned, reader)
            async with aclosing(in_order(producer.jobs(), _JOBS_AHEAD)) as jobs:
                async for results in jobs:
                    if data := b"".join(chain.from_iterable(map(self._bytes, results))):
                        yield data
        for data in chain(self._report(), self._writer.directory()):
            yield data

    def _bytes(self, result: Result) -> Iterator[bytes]:
        match result:
            case Failure():
                self.failures.append(result)
            case Whole():
                yield from self._whole(result)
            case Begin():
                yield self._begin(result)
            case Block():
                yield result.body
                yield self._after(result)

    def _whole(self, result: Whole) -> Iterator[bytes]:
        yield self._writer.known(
            result.member,
            size=result.size,
            crc32=result.crc32,
            compressed_size=len(result.body),
            deflated=result.deflated,
        )
        yield result.body

    def _begin(self, begin: Begin) -> bytes:
        self._member = _Member(begin.member, begin.stored)
        if not begin.stored:
            return self._writer.open(begin.member)
        plan = self._planned.plan
        size = plan.size_of(begin.member)
        value = plan.crc32_of(begin.member)
        assert size is not None
        assert value is not None
        return self._writer.known(
            begin.member, size=size, crc32=value, compressed_size=size, deflated=False
        )

    def _after(self, block: Block) -> bytes:
        member = self._member
        member.add(block)
        if not block.last:
            return b""
        if member.stored:
            return b""
        return self._writer.close(
            size=member.size, crc32=member.crc32, compressed_size=member.compressed_size
        )

    def _report(self) -> Iterator[bytes]:
        requested = self._planned.members + len(self._planned.failures)
        texts = report_texts(self.failures, requested)
        for index, text in enumerate(texts, self._planned.members):
            yield from self._whole(whole(index, text.encode(), None))


class _Member:
    """The numbers of a member of several blocks, as far as it has come."""

    __slots__ = ("compressed_size", "crc32", "index", "size", "stored")

    def __init__(self, index: int, stored: bool) -> None:
        self.index = index
        self.stored = stored
        self.size = self.crc32 = self.compressed_size = 0

    def add(self, block: Block) -> None:
        self.crc32 = crc32_combine(self.crc32, block.crc32, block.size)
        self.size += block.size
        self.compressed_size += len(block.body)
