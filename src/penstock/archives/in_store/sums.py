"""The CRC-32s of an archive's members: known, told by the store as it copies, or read."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial
from typing import NamedTuple

from isal.isal_zlib import crc32, crc32_combine

from penstock.archives.at_once import ask_all
from penstock.archives.in_store.folder import Folder, member_bytes
from penstock.errors import NotFound, SourceChanged
from penstock.stores.composing import Composes
from penstock.stores.interface import Store
from penstock.zipstream import Plan

_ASKED_AT_ONCE = 16
REMEMBERED_AT_ONCE = 1000
"""What is learned of a million small files is not held in memory together."""


class _Piece(NamedTuple):
    """Bytes ``start`` to ``stop`` of a member."""

    start: int
    stop: int
    crc32: int


class Sums:
    """Of one archive. What is read for its CRC-32 is read once, whoever asks for it."""

    def __init__(self, store: Store, folder: Folder) -> None:
        self._store = store
        self._composes = store if isinstance(store, Composes) else None
        self._folder = folder
        self._copied: defaultdict[int, list[_Piece]] = defaultdict(list)
        self._asking: dict[int, asyncio.Task[None]] = {}
        self._learned: list[tuple[str, str, int]] = []
        self.plan: Plan = folder.plan.with_crc32s(folder.crc32s)

    def is_known(self, i: int) -> bool:
        """Whether the CRC-32 of the member is known."""
        return bool(self._folder.known[i])

    @property
    def all_known(self) -> bool:
        """Whether those of all members are."""
        return 0 not in self._folder.known

    async def ask(self, members: Sequence[int]) -> None:
        """Have the store tell of these members what it can without their being read here.

        :raises SourceChanged: one is another version by now.
        """
        store = self._composes
        if store is None:
            return

        async def ask(i: int) -> None:
            if not self.is_known(i):
                value = await store.crc32(self._folder.key(i), self._folder.etag(i))
                if value is not None:
                    self.learn(i, value)
                    await self.remember(REMEMBERED_AT_ONCE)

        await ask_all(ask, members, _ASKED_AT_ONCE)

    def learn(self, i: int, value: int) -> None:
        """The CRC-32 of a whole member."""
        if self.is_known(i):
            return
        self._folder.crc32s[i] = value
        self._folder.known[i] = 1
        self._copied.pop(i, None)
        if self._composes is not None:  # any other store has written it down itself
            self._learned.append((self._folder.key(i), self._folder.etag(i), value))

    def require(self, i: int, value: int) -> None:
        """Hold the CRC-32 of a whole member that was read against the one that is known.

        :raises SourceChanged: it is another one.
        """
        if value != self._folder.crc32s[i]:
            raise SourceChanged(f"{self._folder.key(i)!r} has not the CRC-32 that is known of it")

    def copied(self, i: int, start: int, stop: int, value: int) -> None:
        """The CRC-32 of a stretch of a member that the store has copied."""
        if not self.is_known(i):
            self._copied[i].append(_Piece(start, stop, value))

    async def know(self, i: int) -> None:
        """Read what is not known of a member.

        :raises SourceChanged: it is another version by now.
        """
        if self.is_known(i):
            return
        asking = self._asking.get(i)
        if asking is None:
            asking = self._asking[i] = asyncio.ensure_future(self._read(i))
            asking.add_done_callback(partial(self._answered, i))
        await asyncio.shield(asking)

    async def know_all(self) -> None:
        """As :meth:`know`, of every member."""
        i = self._folder.known.find(0)
        while i >= 0:
            await self.know(i)
            await self.remember(REMEMBERED_AT_ONCE)
            i = self._folder.known.find(0, i)

    async def remember(self, least: int = 1) -> None:
        """Write down what was learned, if it is of so many members, so that it need not be read
        again."""
        if self._composes is None or len(self._learned) < least:
            return
        learned, self._learned = self._learned, []
        for at in range(0, len(learned), REMEMBERED_AT_ONCE):
            await self._composes.remember(learned[at : at + REMEMBERED_AT_ONCE])

    async def close(self) -> None:
        """End what is still being read."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _answered(self, i: int, asked: "asyncio.Task[None]") -> None:
        del self._asking[i]
        if not asked.cancelled():
            asked.exception()  # seen: who asked may be gone

    async def _read(self, i: int) -> None:
        if self._composes is None:
            key, etag = self._folder.key(i), self._folder.etag(i)
            try:
                value = (await self._store.checksum(key, etag=etag)).crc32
            except NotFound as error:
                raise SourceChanged(f"{key!r} was removed meanwhile") from error
            assert value is not None
            self.learn(i, value)
            return
        size, whole, at = self._folder.size(i), 0, 0
        # Beside what was copied, and told of, only the rest is read.
        for piece in [*sorted(self._copied.pop(i, [])), _Piece(size, size, 0)]:
            if piece.start < at:
                continue
            value = await self._crc32(i, at, piece.start)
            whole = crc32_combine(whole, value, piece.start - at)
            whole = crc32_combine(whole, piece.crc32, piece.stop - piece.start)
            at = piece.stop
        self.learn(i, whole)

    async def _crc32(self, i: int, start: int, stop: int) -> int:
        value = 0
        if start < stop:
            pieces = member_bytes(self._store, self._folder, i, start, stop)
            async with aclosing(pieces):
                async for data in pieces:
                    value = crc32(data, value)
        return value
