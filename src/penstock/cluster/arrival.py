"""A file that goes into a cluster part by part ahead of its end, over many processes.

Implements :class:`penstock.stores.arrivals.Arrival`. What is kept of it is the id of the version
and where it is cut; which parts are on nodes already the catalog is asked for.
"""

import asyncio
from typing import Any, Final

from penstock.cluster.cutting import Cuts, cuts_of
from penstock.cluster.making import Making, Span, can_be_had
from penstock.cluster.part_bytes import within
from penstock.cluster.shared import Shared
from penstock.cluster.writer import AT_ONCE
from penstock.errors import NotFound, ServerUnavailable, Superseded
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.arrivals import Arrived, Beside
from penstock.stores.interface import Checkpoint, Condition, Facts, FileInfo, Keep
from penstock.stores.keys import check_key
from penstock.stores.tasks import side_by_side
from penstock.threads import in_pool, to_the_end

LEASE: Final = 86_400.0
"""Seconds without a sign of life after which what was sent is removed."""


class _Gone(Exception):
    """Nobody renewed it for too long: what was sent is removed, or will be."""


class ClusterArrival:
    """The arrival of one file; ``size`` and ``content_type`` are what was told of it."""

    def __init__(
        self,
        shared: Shared,
        key: str,
        size: int | None,
        content_type: str | None,
        kept: Checkpoint,
    ) -> None:
        self._shared = shared
        self._key = key
        self._size = size
        self._content_type = content_type
        self._kept: dict[str, Any] = dict(kept)
        self._opening = asyncio.Lock()
        self._making: Making | None = None
        self._down: set[int] = set()
        """Parts that are written down."""
        self._there: set[int] = set()
        """Parts that are on nodes."""

    @property
    def kept(self) -> Checkpoint:
        return self._kept

    def part(self, number: int) -> tuple[int, int] | None:
        cuts, size = self._cuts()
        start, length = cuts.span(number, size)
        if not length or length == size:
            return None
        return start, start + length

    async def send(self, number: int, read: Beside, keep: Keep) -> None:
        span = self.part(number)
        assert span is not None
        making: Making | None = None
        try:
            making = await self._opened(self._size, keep)
            if self.part(number) == span:  # else it was begun anew, and is cut otherwise
                await self._send(making, Span(number, span[0], span[1] - span[0]), read)
        except _Gone as error:
            # The next part begins another.
            await self._begin_anew(making, keep)
            raise ServerUnavailable(
                "what was sent of the upload was removed, since it was not gone on with for a "
                "day; it is sent again when the upload goes on"
            ) from error

    async def finish(
        self, size: int, facts: Facts, read: Beside, condition: Condition, keep: Keep
    ) -> Arrived:
        check_key(self._key)
        facts = facts._replace(content_type=await self._type(read, size))
        if (arrived := await self._arrived(size, facts)) is not None:
            return arrived
        if "file" in self._kept:
            try:
                return await self._finish(size, facts, read, condition, keep)
            except _Gone:
                await self._begin_anew(self._making, keep)
        try:
            return await self._finish(size, facts, read, condition, keep)
        except _Gone as error:
            raise ServerUnavailable(
                "the storage cluster gave the upload up; finish it again"
            ) from error

    async def renew(self) -> None:
        if "file" in self._kept:
            await self._shared.files.renew([self._kept["file"]], LEASE)

    async def forsake(self) -> None:
        if "file" in self._kept:
            await self._shared.files.abort(self._kept["file"])

    async def _finish(
        self, size: int, facts: Facts, read: Beside, condition: Condition, keep: Keep
    ) -> Arrived:
        if "file" in self._kept and self._cuts()[1] not in (None, size):
            raise _Gone  # it was cut for another length
        self._size = size
        ending = {"ending": await self._shared.copies.now()}
        if "file" in self._kept:
            known = self._making is not None
            making = await self._opened(size, keep)
            if known:
                await self._look(making)
            kept = {**self._kept, **ending}
            await keep(kept)
            self._kept = kept
        else:
            making = await self._opened(size, keep, ending)
        spans = [Span(n, *span) for n, span in enumerate(self._cuts()[0].spans(size), 1)]

        async def send(span: Span) -> None:
            await self._send(making, span, read)

        await side_by_side(send, spans, AT_ONCE)
        try:
            commit = making.commit(self._key, size, facts, condition)
            file, replaced = await to_the_end(commit)
        except Superseded as error:
            raise _Gone from error
        return Arrived(file, replaced)

    async def _arrived(self, size: int, facts: Facts) -> Arrived | None:
        """What it became already, if its end was made before and nobody got the answer.

        Another file may have taken its place since, and it may be cleaned away: to send it again
        would put old bytes over newer ones.
        """
        if "ending" not in self._kept:
            return None
        file, since = self._kept["file"], self._kept["ending"]
        try:
            made = await self._shared.files.made(file)
        except Superseded:
            if not await self._was_made(since):
                return None
            return Arrived(FileInfo(self._key, size, int(since * 1e9), file, *_told(facts)), False)
        return None if made is None else Arrived(*made)

    async def _was_made(self, since: float) -> bool:
        """Whether a version whose end was made after ``since`` and of which nothing is left was
        seen. One that never became whole is not removed before its lease is over; of an older one
        nobody knows, but to say so hurts nobody where another file took its place."""
        if await self._shared.copies.now() < since + LEASE:
            return True
        try:
            current = await self._shared.files.stat(self._key)
        except NotFound:
            return False
        return current.modified_ns > since * 1e9

    async def _send(self, making: Making, span: Span, read: Beside) -> None:
        if span.number in self._there:
            return
        try:
            if span.number not in self._down:
                await making.add([span])
                self._down.add(span.number)
            await making.send(span, within(read, span.start))
            await making.tell()
        except Superseded as error:
            raise _Gone from error
        self._there.add(span.number)

    async def _opened(
        self, size: int | None, keep: Keep, ending: Checkpoint | None = None
    ) -> Making:
        """The version, begun or found. ``ending`` is kept with one that is begun, if what begins
        it will make its end too."""
        async with self._opening:
            if self._making is None and "file" in self._kept:
                self._making = await self._found()
            if self._making is None:
                self._making = await self._begin(size, keep, ending)
            return self._making

    async def _found(self) -> Making:
        """The version that another process began."""
        making = Making(self._shared, self._key, file=self._kept["file"], lease=LEASE)
        await self._look(making)
        return making

    async def _look(self, making: Making) -> None:
        """See which parts can be had: the nodes that some were sent to may be lost since."""
        await self._shared.members.all()
        try:
            await self._shared.files.stored(making.file, (), LEASE)
        except Superseded as error:
            raise _Gone from error
        rows = await self._shared.files.parts(making.file)
        making.goes_on({row.number: tuple(row.copies) for row in rows})
        self._down = {row.number for row in rows}
        self._there = {row.number for row in rows if can_be_had(self._shared, row.stored)}

    async def _begin(self, size: int | None, keep: Keep, ending: Checkpoint | None) -> Making:
        await self._shared.members.writable()
        making = Making(self._shared, self._key, lease=LEASE)
        cuts = cuts_of(size, self._shared.options)
        spans = [Span(n, *span) for n, span in enumerate(cuts.spans(size or 0), 1)]
        kept = {"file": making.file, "size": size, **cuts._asdict(), **(ending or {})}
        try:
            await making.begin(size, spans)
            await keep(kept)
        except BaseException:
            # Where it may be kept after all, and then says that it may have been stored, it must
            # not be gone: nothing was sent yet, and it ends with its lease.
            if ending is None:
                await to_the_end(making.abort())
            raise
        self._kept = kept
        self._down = {span.number for span in spans}
        self._there = set()
        return making

    async def _begin_anew(self, making: Making | None, keep: Keep) -> None:
        """Forget a version that was given up; the next one is cut by the length, if it is known."""
        async with self._opening:
            if making is not self._making:
                return  # somebody did it just now
            # Before it is removed: that nothing is left of it must not look as if it was stored.
            await keep({})
            await self.forsake()
            self._making = None
            self._kept = {}

    async def _type(self, read: Beside, size: int) -> str | None:
        """The type that was told, or that the first bytes tell."""
        if self._content_type is not None:
            return self._content_type
        first = await to_the_end(in_pool(self._shared.pool, read, 0, min(size, FIRST)))
        return content_type_of_bytes(first, self._key)

    def _cuts(self) -> tuple[Cuts, int | None]:
        """Where it is cut, and for which length, chosen already or to be."""
        if "file" in self._kept:
            return Cuts(*(self._kept[name] for name in Cuts._fields)), self._kept["size"]
        return cuts_of(self._size, self._shared.options), self._size


def _told(facts: Facts) -> tuple[str | None, bytes | None, int | None]:
    return facts.content_type, facts.sha256, facts.crc32
