"""Reading the members of a planned ZIP, wherever their bytes are."""

import os
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Self

from isal.isal_zlib import crc32

from penstock.archives.lookahead import LookAhead, Stretch
from penstock.archives.planned import PlannedZip
from penstock.errors import SourceChanged
from penstock.remote import Remote, redacted
from penstock.stores.interface import LocalFiles, Store
from penstock.stores.pieces import closing
from penstock.zipstream import Framer, Member


@dataclass(frozen=True, slots=True)
class Sources:
    """Where members' bytes come from; of those that are not files of this machine ``budget`` bytes
    are read ahead at most, over at most ``connections`` connections for each ZIP.
    """

    store: Store
    remote: Remote
    connections: int = 4
    budget: int = 4 << 20
    deflating: Executor = field(default_factory=lambda: ThreadPoolExecutor(os.cpu_count()))
    """A thread for each processor: more would only take memory and get in each other's way."""

    def close(self) -> None:
        """End the threads. Blocks: in a worker thread."""
        self.deflating.shutdown()

    def reader(self, planned: PlannedZip, span: int | None = None) -> "MemberReader":
        """A reader for ``span`` bytes of a ZIP, or all that follow what is read first."""
        return MemberReader(self, planned, span)


class MemberReader:
    """Reads members in their order. Leave it as a context manager to close its connections."""

    def __init__(self, sources: Sources, planned: PlannedZip, span: int | None) -> None:
        self._sources = sources
        self._planned = planned
        self._span = span
        self._far = not isinstance(sources.store, LocalFiles)
        self._ahead: LookAhead | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._ahead is not None:
            await self._ahead.close()

    async def framed(self, member: Member) -> AsyncGenerator[bytes, None]:
        """A stretch of a member as an exact ZIP holds it: with the headers of stored blocks if
        its CRC-32 is not known, which is then learned.

        :raises SourceChanged: it is not what was planned.
        """
        planned = self._planned
        if planned.plan.is_stored(member.index):
            pieces = self.read(member.index, member.start, member.stop)
            async with aclosing(pieces):
                async for data in pieces:
                    yield data
            return
        framer = Framer(planned.plan, planned.learned, member.index, member.start, member.stop)
        async with aclosing(self.read(member.index, framer.first, framer.last)) as pieces:
            async for data in pieces:
                if framed := framer.frame(data):
                    yield framed
        if not framer.done:
            raise self._changed(member.index, "became shorter")

    async def read(
        self, index: int, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes ``start`` to ``stop`` of a member, of the very version that was planned.

        :raises SourceChanged: it is another version by now, or its CRC-32 is not the one told.
        :raises SourceFailed: a remote file cannot be had.
        :raises NotFound: a stored file is gone.
        """
        remote = index >= self._planned.stored
        far = remote or self._far
        pieces = self._read_ahead(index, start, stop) if far else self._stored(index, start, stop)
        plan = self._planned.plan
        whole = remote and (start, stop) == (0, plan.size_of(index))
        told = plan.crc32_of(index) if whole else None
        value = 0
        async with aclosing(pieces):
            async for data in pieces:
                if told is not None:
                    value = crc32(data, value)
                yield data
        if told is not None and value != told:
            raise self._changed(index, "has another CRC-32 than was told")

    async def _stored(
        self, index: int, start: int, stop: int | None
    ) -> AsyncGenerator[bytes, None]:
        store = self._sources.store
        info = await store.stat(self._planned.key(index))
        self._planned.require(index, info)
        async with closing(store.read(info.key, start, stop, etag=info.etag)) as pieces:
            async for data in pieces:
                yield data

    def _read_ahead(self, index: int, start: int, stop: int | None) -> AsyncGenerator[bytes, None]:
        if self._ahead is None:
            self._ahead = LookAhead(
                self._open,
                self._following(index),
                connections=self._sources.connections,
                budget=self._sources.budget,
            )
        return self._ahead.read(Stretch(index, start, stop))

    def _open(self, stretch: Stretch) -> AsyncGenerator[bytes, None]:
        if stretch.source < self._planned.stored:
            return self._stored(*stretch)
        file = self._planned.remotes[stretch.source - self._planned.stored]
        return self._sources.remote.read(file, stretch.start, stretch.stop)

    def _following(self, index: int) -> Iterator[Stretch]:
        """The members behind ``index``, as far as the span may reach."""
        left = self._span
        for following in range(index + 1, self._planned.members):
            size = self._planned.plan.size_of(following)
            if size == 0:
                continue  # nobody asks for it
            if left is not None:
                if left <= 0:
                    return
                left -= size or 0
            yield Stretch(following, 0, size)

    def _changed(self, index: int, how: str) -> SourceChanged:
        if index < self._planned.stored:
            return SourceChanged(f"{self._planned.key(index)!r} {how}")
        file = self._planned.remotes[index - self._planned.stored]
        return SourceChanged(f"{redacted(file.url)} {how}")
