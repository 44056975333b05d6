"""The folder of a cache: whole files and parts of files, bounded together.

A file's name is a hash of its address; ``NAME.json`` beside it has what is known of it, and
``NAME.part`` is a download on its way. What was used least lately goes first when there must be
room; what is in use stays.
"""

import asyncio
import os
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from penstock.relay import disk
from penstock.relay.told import Told
from penstock.server.wire import Wire
from penstock.threads import in_thread, open_in_thread, to_the_end


@dataclass(slots=True)
class Record:
    """``size`` bytes on disk; ``checked`` is when the upstream last said that this is its file
    (seconds since 1970)."""

    size: int
    holders: int = 0
    checked: float = 0.0


class Stored:
    """An open file of the cache, in use until it is released."""

    how = "hit"

    def __init__(self, told: Told, fd: int, record: Record) -> None:
        self.told = told
        self._fd = fd
        self._record = record

    @property
    def checked(self) -> float:
        return self._record.checked

    @checked.setter
    def checked(self, when: float) -> None:
        self._record.checked = when

    async def ready(self) -> None:
        """It is all there."""

    async def send(self, wire: Wire, start: int, stop: int) -> None:
        """Send the bytes ``start`` to ``stop``."""
        await wire.send_file(self._fd, start, stop)

    def release(self) -> None:
        os.close(self._fd)
        self._record.holders -= 1


class Shelf:
    """Files below ``folder``, at most ``most`` bytes together. Not for several processes."""

    def __init__(self, folder: str, most: int) -> None:
        self._folder = folder
        self._most = most
        self._total = 0
        self._removing = asyncio.Lock()  # or a download might find what is about to go
        self._records: OrderedDict[str, Record] = OrderedDict()

    async def open(self) -> list[str]:
        """Find out what is there; answers the addresses of downloads that are not complete."""
        found = await in_thread(disk.scan, self._folder)
        for name, size in found.sizes:
            self._put(name, Record(size))
        for name in self._pick("", 0) or []:
            await self._remove(name)
        return found.unfinished

    def path(self, name: str) -> str:
        """Where a file lies; a download to there has its part beside."""
        return os.path.join(self._folder, name[:2], name)

    async def take(self, name: str) -> Stored | None:
        """Open a file, which is then in use until it is closed; ``None`` if it is not there."""
        record = self._records.get(name)
        if record is None:
            return None
        record.holders += 1
        self._records.move_to_end(name)
        opened = None
        try:
            opened = await open_in_thread(partial(disk.open_file, self.path(name)), disk.close_file)
        finally:
            if opened is None:
                record.holders -= 1
        if opened is None:  # somebody meddled with it
            await self.drop(name)
            return None
        fd, told = opened
        return Stored(told, fd, record)

    async def begin(self, name: str, size: int) -> bool:
        """Make room for a download; whether there is. It is in use until :meth:`end`."""
        part = name + disk.PART
        await in_thread(os.makedirs, os.path.dirname(self.path(name)), exist_ok=True)
        async with self._removing:
            while gone := self._pick(part, size):
                for other in gone:
                    if not self._records[other].holders:  # nobody has come to read it meanwhile
                        await to_the_end(self._remove(other))
            if gone is None:
                return False
            self._forget(part)
            self._put(part, Record(size, holders=1))
        return True

    async def end(self, name: str, told: Told | None, checked: float) -> None:
        """A download ended: keep what is known of the file; ``None`` if it is not complete."""
        part = name + disk.PART
        if told is None and await in_thread(os.path.exists, self.path(part)):
            self._records[part].holders = 0
            return
        self._forget(part)
        if told is not None:
            self._forget(name)
            self._put(name, Record(told.size or 0, checked=checked))
            await to_the_end(in_thread(disk.save, self.path(name), told))

    async def refresh(self, name: str, told: Told) -> None:
        """Keep what the upstream tells now of the very same version."""
        await to_the_end(in_thread(disk.refresh, self.path(name), told))

    async def drop_part(self, name: str) -> None:
        """Remove what came of a file."""
        await self.drop(name + disk.PART)

    async def drop(self, name: str) -> None:
        """Remove a file; those who have it open read on."""
        async with self._removing:
            await to_the_end(self._remove(name))

    async def _remove(self, name: str) -> None:
        """What is on the disk is counted: it is forgotten once it is removed."""
        record = self._records.get(name)
        await in_thread(disk.remove, self.path(name))
        if self._records.get(name) is record:  # else another has come meanwhile
            self._forget(name)

    def _pick(self, part: str, size: int) -> list[str] | None:
        """What is to be removed so that ``part`` can have ``size`` bytes; ``None`` if there is
        not enough."""
        old = self._records.get(part)
        missing = self._total - (0 if old is None else old.size) + size - self._most
        if size > self._most:
            return None
        gone = []
        for name, record in self._records.items():
            if missing <= 0:
                break
            if not record.holders and name != part:
                gone.append(name)
                missing -= record.size
        return gone if missing <= 0 else None

    def _put(self, name: str, record: Record) -> None:
        self._records[name] = record
        self._total += record.size

    def _forget(self, name: str) -> None:
        record = self._records.pop(name, None)
        if record is not None:
            self._total -= record.size
