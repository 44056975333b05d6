"""A file that goes into S3 part by part ahead of its end, over many processes.

Implements :class:`penstock.stores.arrivals.Arrival`. What is kept of it is the name of the write,
where the parts are cut, and the multipart upload; which parts are there S3 itself is asked for.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from uuid import uuid4

from penstock.errors import TooLarge
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.stores.arrivals import Arrived, Beside
from penstock.stores.interface import Checkpoint, Condition, Facts, FileInfo, Keep
from penstock.stores.s3.beside import BesideSource
from penstock.stores.s3.calls import Head
from penstock.stores.s3.cutting import Cuts, cuts_of
from penstock.stores.s3.integrity import Integrity, integrity_of
from penstock.stores.s3.multipart import Begun, Multipart, abort, expected_etag
from penstock.stores.s3.parts import MIB
from penstock.stores.s3.publishing import Publishing, fields_of
from penstock.stores.s3.shared import Shared, for_caller
from penstock.stores.s3.signing import encoded
from penstock.stores.s3.trouble import Refused
from penstock.stores.s3.writer import S3Writer
from penstock.stores.tasks import side_by_side
from penstock.threads import in_pool, to_the_end

_AT_ONCE: Final = 3
_STRETCH: Final = 4 * MIB

_log = logging.getLogger("penstock.stores.s3")

_NOT_AS_THEY_ARE: Final = frozenset(
    {"BadDigest", "EntityTooSmall", "InvalidPart", "InvalidPartOrder", "NoSuchUpload"}
)
"""What a server says that will not make a file of these parts, however often it is asked."""


class S3Arrival:
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
        self._multipart: Multipart | None = None
        self._opening = asyncio.Lock()

    @property
    def _name(self) -> str:
        """:raises BadKey: no object can have it."""
        return self._shared.name_of(self._key)

    @property
    def kept(self) -> Checkpoint:
        return self._kept

    def part(self, number: int) -> tuple[int, int] | None:
        try:
            start, stop = self._cuts().span(number)
        except TooLarge:
            return None
        if number > self._shared.options.max_parts:
            return None
        if self._size is None:
            return start, stop
        if self._size <= self._cuts().part or start >= self._size:
            return None
        return start, min(stop, self._size)

    async def send(self, number: int, read: Beside, keep: Keep) -> None:
        span = self.part(number)
        assert span is not None
        with for_caller(self._key):
            upload = self._kept.get("upload")
            try:
                multipart = await self._opened(read, keep, Facts())
                if self.part(number) == span:  # else it was begun anew, and is cut otherwise
                    await self._send(multipart, number, span, read)
            except Refused as error:
                # It was swept while nobody said that it goes on: the next part begins another.
                if error.code == "NoSuchUpload":
                    await self._begin_anew(upload)
                raise

    async def finish(
        self, size: int, facts: Facts, read: Beside, condition: Condition, keep: Keep
    ) -> Arrived:
        facts = facts._replace(content_type=await self._type(read, size))
        with for_caller(self._key):
            head = await self._current()
            if "upload" not in self._kept:
                self._size = size
            token = self._kept.get("token") or uuid4().hex
            publishing = Publishing(self._shared, self._key, token, size)
            if head is not None and head.write == token:
                if await self._is_whole(head, size, facts, read):
                    file = await publishing.noted(head, facts)
                    await self._ended()
                    return Arrived(file, bool(self._kept.get("replaced")))
                # Nobody shall take it for the file.
                await self._shared.calls.delete(self._name, {"If-Match": f'"{head.etag}"'})
                head = None
            replaced = head is not None
            self._kept |= {"token": token, "replaced": replaced}
            await keep(self._kept)
            if "upload" not in self._kept and size <= self._cuts().part:
                file = await self._put(token, size, facts, read, condition)
            else:
                file = await self._join(publishing, size, facts, read, condition, keep)
            return Arrived(file, replaced)

    async def renew(self) -> None:
        if "upload" in self._kept:
            with for_caller(self._key):
                begun = self._begun()
                await self._shared.orphans.note(self._name, begun.upload, begun.note)

    async def forsake(self) -> None:
        if "upload" in self._kept:
            begun = self._begun()
            await to_the_end(abort(self._shared, self._name, begun.upload, begun.note))

    async def _join(
        self,
        publishing: Publishing,
        size: int,
        facts: Facts,
        read: Beside,
        condition: Condition,
        keep: Keep,
    ) -> FileInfo:
        """Send what is missing, and make the parts an object; all anew if S3 cannot take these."""
        anew = False
        while True:
            try:
                multipart = await self._complete_parts(size, facts, read, keep)

                async def step(guard: Mapping[str, str], multipart: Multipart = multipart) -> str:
                    return await multipart.complete(guard, _whole(facts), size)

                head = await publishing.run(step, condition, multipart=True)
            except Refused as error:
                # It may have become the file already, and only the answer was lost.
                found = await publishing.mine(certain=False)
                if found is None and error.code in _NOT_AS_THEY_ARE and not anew:
                    anew = True
                    self._size = size
                    await self._begin_anew(self._kept.get("upload"))
                    continue
                if found is None:
                    raise
                head = found
            await self._ended()
            return await publishing.noted(head, facts)

    async def _complete_parts(self, size: int, facts: Facts, read: Beside, keep: Keep) -> Multipart:
        """Have every part in S3: some at once, and those that are there are not sent again."""
        if len(self._cuts().spans(size)) > self._shared.options.max_parts:
            # Its length was not known, and it became longer than so many parts can be.
            self._size = size
            await self._begin_anew(self._kept.get("upload"))
        multipart = await self._opened(read, keep, facts)
        spans = self._cuts().spans(size)
        sizes = {number: stop - start for number, (start, stop) in enumerate(spans, start=1)}
        multipart.keep_only(sizes)

        async def send(number: int) -> None:
            await self._send(multipart, number, spans[number - 1], read)

        await side_by_side(send, sizes, _AT_ONCE)
        return multipart

    async def _send(
        self, multipart: Multipart, number: int, span: tuple[int, int], read: Beside
    ) -> None:
        with BesideSource(self._shared, read) as source:
            if not await multipart.has(number, source, *span):
                await multipart.renew()
                await multipart.send_now(number, source, *span)

    async def _opened(self, read: Beside, keep: Keep, facts: Facts) -> Multipart:
        """The multipart upload, begun or found; ``facts`` as far as they are known."""
        async with self._opening:
            if self._multipart is None and "upload" in self._kept:
                self._multipart = await self._found()
            if self._multipart is None:
                self._multipart = await self._begin(read, keep, facts)
            return self._multipart

    async def _found(self) -> Multipart:
        """The multipart upload that another process began."""
        begun = self._begun()
        try:
            return await Multipart.found(self._shared, self._name, begun)
        except Refused as error:
            if error.passing or error.code == "NoSuchUpload":
                raise
            # Whoever may not list the parts sends them again, in the place of the same ones.
            _log.warning("parts of %s cannot be listed: %s", encoded(self._name), error)
            return Multipart(self._shared, self._name, begun)

    async def _begin(self, read: Beside, keep: Keep, facts: Facts) -> Multipart:
        token = self._kept.get("token") or uuid4().hex
        content_type = facts.content_type or await self._type(read, FIRST)
        fields = fields_of(token, facts._replace(content_type=content_type))
        multipart = await Multipart.begin(self._shared, self._name, fields)
        cuts = self._cuts()
        kept = {
            **self._kept,
            **multipart.begun._asdict(),
            "token": token,
            "part": cuts.part,
            "doubled": cuts.doubled,
        }
        try:
            await keep(kept)
        except BaseException:
            await to_the_end(multipart.abort())
            raise
        self._kept = kept
        return multipart

    async def _begin_anew(self, upload: str | None) -> None:
        """Forget the parts of an upload; others will be cut by the length, if it is known."""
        async with self._opening:
            if upload is None or self._kept.get("upload") != upload:
                return  # somebody did it just now
            await self.forsake()
            self._multipart = None
            gone = (*Begun._fields, "part", "doubled")
            self._kept = {name: value for name, value in self._kept.items() if name not in gone}

    async def _put(
        self, token: str, size: int, facts: Facts, read: Beside, condition: Condition
    ) -> FileInfo:
        """In one request."""
        sha256 = facts.sha256 is not None
        async with S3Writer(self._shared, self._key, size, sha256=sha256, token=token) as writer:
            for start in range(0, size, _STRETCH):
                stop = min(start + _STRETCH, size)
                await writer.write(await to_the_end(in_pool(self._shared.pool, read, start, stop)))
            return await writer.commit(content_type=facts.content_type, condition=condition)

    async def _ended(self) -> None:
        """The parts are an object: the note is needed no more."""
        if "upload" in self._kept:
            await Multipart(self._shared, self._name, self._begun()).completed()

    async def _is_whole(self, head: Head, size: int, facts: Facts, read: Beside) -> bool:
        """Whether what this write made is the file.

        It is not if its bytes arrived wrong, and the process died before it saw that.
        """
        if head.size != size or head.crc32 not in (None, facts.crc32):
            return False
        if size > self._cuts().part or "-" in head.etag:
            return True  # it is made of parts, which were seen to be right before
        with BesideSource(self._shared, read) as source:
            work = partial(integrity_of, source.pread, 0, size, md5=True)
            integrity = await to_the_end(in_pool(self._shared.pool, work))
        return await expected_etag(self._shared, integrity, part=False) in (None, head.etag)

    async def _current(self) -> Head | None:
        try:
            return await self._shared.calls.head(self._name)
        except Refused as error:
            if error.absent:
                return None
            raise

    async def _type(self, read: Beside, size: int) -> str | None:
        """The type that was told, or that the first bytes tell."""
        if self._content_type is not None:
            return self._content_type
        first = await to_the_end(in_pool(self._shared.pool, read, 0, min(size, FIRST)))
        return content_type_of_bytes(first, self._key)

    def _cuts(self) -> Cuts:
        """Where it is cut, chosen already or to be."""
        if "part" in self._kept:
            return Cuts(self._kept["part"], self._kept["doubled"])
        options = self._shared.options
        return cuts_of(options.part_size, self._size, options.max_parts)

    def _begun(self) -> Begun:
        return Begun(*(self._kept[name] for name in Begun._fields))


def _whole(facts: Facts) -> Integrity:
    assert facts.crc32 is not None
    return Integrity(facts.crc32, None)
