"""A ZIP of a folder as the store that makes it sees it: what to copy, and the bytes of the rest."""

import asyncio
from bisect import bisect_left
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import aclosing
from functools import partial

from isal.isal_zlib import crc32

from penstock.archives.in_store.folder import Folder, member_bytes
from penstock.archives.in_store.room import Room
from penstock.archives.in_store.sums import REMEMBERED_AT_ONCE, Sums
from penstock.stores.composing import Composes, Stretch
from penstock.stores.interface import Store
from penstock.threads import in_thread
from penstock.zipstream import Member, Segment

_AHEAD = 8
_ROOM = 48 << 20
_PIECE = 256 << 10
_SMALL = 1 << 20
"""In a store that does not compose: up to here a member is read ahead whole."""
_UNINTERRUPTED = 64
"""Members after which others have a turn, if nothing had to be waited for."""


class ZipBlueprint:
    """Implements :class:`penstock.stores.composing.Blueprint`.

    Smaller files are read whole, some ahead of the one that is sent, within ``room``; so their
    CRC-32 is known before the header that holds it is made. Close it when done.

    ``received`` counts the bytes of files that were read here.
    """

    def __init__(self, store: Store, folder: Folder, room: Room | None = None) -> None:
        self._store = store
        self._folder = folder
        self._sums = Sums(store, folder)
        self._plan = self._sums.plan
        self._offsets = folder.plan.geometry.offsets
        self._directory = folder.plan.geometry.directory
        self._copied_from = store.copied_from if isinstance(store, Composes) else 0
        self.room = room or Room(_ROOM)
        self.received = 0
        self._reading = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @property
    def size(self) -> int:
        size = self._plan.size
        assert size is not None
        return size

    @property
    def digest(self) -> str:
        etag = self._folder.plan.etag
        assert etag is not None
        return etag

    def stretches(self) -> Iterator[Stretch]:
        folder = self._folder
        for i in folder.large:
            size, stop = folder.size(i), self._offsets[i + 1]
            yield Stretch(stop - size, stop, folder.key(i), folder.etag(i), 0, size)

    async def ask(self) -> None:
        """Have the store tell the CRC-32s of what is copied, as far as it can; the rest is read,
        unless the store tells them as it copies.

        :raises SourceChanged: a file is another version by now.
        """
        await self._sums.ask(self._folder.large)

    def copied(self, stretch: Stretch, start: int, stop: int, crc32: int) -> None:
        i = self._plan.geometry.member_at(stretch.start)
        self._sums.copied(i, start - stretch.start, stop - stretch.start, crc32)

    async def crc32(self) -> int | None:
        if not self._sums.all_known:
            return None
        return await in_thread(lambda: self._plan.crc32)

    def files_before(self, position: int) -> int:
        """How many files end before ``position``."""
        if position >= self._directory:
            return self._folder.files
        before = self._plan.geometry.member_at(position)
        return before - bisect_left(self._folder.empty, before)

    async def close(self) -> None:
        """End what is still being read."""
        await self._sums.close()

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        block = bytearray()
        async with aclosing(self._pieces(start, stop)) as pieces:
            async for piece in pieces:
                if not block and len(piece) >= _PIECE:
                    yield piece
                    continue
                block += piece
                if len(block) >= _PIECE:
                    yield bytes(block)
                    block.clear()
        await self._sums.remember()
        if block:
            yield bytes(block)

    async def _pieces(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        if start < self._directory:
            until = min(stop, self._directory)
            self._reading += 1
            self._quiet.clear()
            try:
                async with aclosing(self._records(start, until)) as records:
                    async for piece in records:
                        yield piece
            finally:
                self._reading -= 1
                if not self._reading:
                    self._quiet.set()
        if stop > self._directory:
            # What others are reading just now need not be read for its CRC-32 alone.
            await self._quiet.wait()
            await self._sums.know_all()
            for header in self._plan.segments(max(start, self._directory), stop):
                assert isinstance(header, bytes)
                yield header
                await asyncio.sleep(0)  # a million of them are made in seconds

    async def _records(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Headers and members, as far as they lie within the span."""
        async with aclosing(self._ahead(start, stop)) as pieces:
            async for segment, data in pieces:
                if not isinstance(segment, Member):
                    yield segment
                elif data is not None:
                    yield data
                else:
                    read = self._read(segment.index, segment.start, segment.stop)
                    async with aclosing(read) as parts:
                        async for part in parts:
                            yield part

    async def _ahead(
        self, start: int, stop: int
    ) -> AsyncGenerator[tuple[Segment, bytes | None], None]:
        """The segments of the span; those of smaller members with their bytes, read ahead."""
        reading: deque[_Reading] = deque()
        upcoming = self._readings(start, stop)
        held = 0
        try:
            following = next(upcoming, None)
            while reading or following is not None:
                while following is not None and len(reading) < _AHEAD:
                    if not self.room.take_at_once(following.room):
                        if held:
                            break
                        await self.room.take(following.room)
                    held += following.room
                    following.begin()
                    reading.append(following)
                    following = next(upcoming, None)
                one = reading[0]
                data = await one.data()
                await self._sums.know(one.member)
                if one.member % _UNINTERRUPTED == 0:
                    await self._sums.remember(REMEMBERED_AT_ONCE)
                    await asyncio.sleep(0)
                for segment in self._plan.segments(one.start, one.stop):
                    yield segment, data if isinstance(segment, Member) else None
                reading.popleft()
                held -= one.room
                self.room.give_back(one.room)
        finally:
            for one in reading:
                await one.end()
            self.room.give_back(held)

    def _readings(self, start: int, stop: int) -> Iterator["_Reading"]:
        """What the span has of each member."""
        first = self._plan.geometry.member_at(start)
        last = self._plan.geometry.member_at(stop - 1)
        for i in range(first, last + 1):
            begin, end = max(start, self._offsets[i]), min(stop, self._offsets[i + 1])
            yield _Reading(i, begin, end, *self._ahead_of(i, begin, end))

    def _ahead_of(
        self, i: int, start: int, stop: int
    ) -> tuple[int, Callable[[], Coroutine[None, None, bytes]] | None]:
        """How much room the bytes of a member within the span take, and how to read them; of a
        large member nothing is read ahead."""
        size = self._folder.size(i)
        if not size or size >= (self._copied_from or _SMALL):
            return 0, None
        if not self._sums.is_known(i):
            return size, partial(self._learned, i, start, stop)
        begin, end = self._within(i, start, stop)
        if begin == end:
            return 0, None
        return end - begin, partial(self._whole, i, begin, end)

    def _within(self, i: int, start: int, stop: int) -> tuple[int, int]:
        """Which bytes of a member the span has."""
        size = self._folder.size(i)
        body = self._offsets[i + 1] - size
        return min(max(start - body, 0), size), min(max(stop - body, 0), size)

    async def _learned(self, i: int, start: int, stop: int) -> bytes:
        """As :meth:`_whole`, of a member whose CRC-32 is not known: all of it is read."""
        whole = await self._whole(i, 0, self._folder.size(i))
        self._sums.learn(i, crc32(whole))
        begin, end = self._within(i, start, stop)
        return whole[begin:end]

    async def _whole(self, i: int, start: int, stop: int) -> bytes:
        pieces = bytearray()
        async with aclosing(self._read(i, start, stop)) as read:
            async for data in read:
                pieces += data
        if (start, stop) == (0, self._folder.size(i)) and self._sums.is_known(i):
            self._sums.require(i, crc32(pieces))
        return bytes(pieces)

    async def _read(self, i: int, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(member_bytes(self._store, self._folder, i, start, stop)) as pieces:
            async for data in pieces:
                self.received += len(data)
                yield data


class _Reading:
    """What a span has of one member: the bytes ``start`` to ``stop`` of the ZIP."""

    def __init__(
        self,
        member: int,
        start: int,
        stop: int,
        room: int,
        read: Callable[[], Coroutine[None, None, bytes]] | None,
    ) -> None:
        self.member = member
        self.start = start
        self.stop = stop
        self.room = room
        self._read = read
        self._task: asyncio.Task[bytes] | None = None

    def begin(self) -> None:
        """Read ahead, if it is to be."""
        if self._read is not None:
            self._task = asyncio.ensure_future(self._read())

    async def data(self) -> bytes | None:
        """The bytes, when they are here; ``None``: they are not read ahead."""
        return None if self._task is None else await self._task

    async def end(self) -> None:
        """Drop it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
