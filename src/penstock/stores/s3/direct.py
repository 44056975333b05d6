"""Uploads that browsers send to S3 themselves, by links that are signed here.

S3 does not tell whose a multipart upload is. Those that were begun here have a note, as all of
ours have, at a name made of the upload's id: who names an upload without one, or with another
key, is not served, so uploads of other programs cannot be reached.
"""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from penstock.errors import BadRequest, NotFound, TooLarge
from penstock.stores.direct import Form, SentPart
from penstock.stores.interface import FileInfo
from penstock.stores.keys import RESERVED
from penstock.stores.s3.calls import UNTYPED
from penstock.stores.s3.documents import ListedPart, Part
from penstock.stores.s3.forms import Forms
from penstock.stores.s3.links import Links
from penstock.stores.s3.metadata import metadata_fields
from penstock.stores.s3.shared import Shared, for_caller
from penstock.stores.s3.trouble import Broken, Refused
from penstock.threads import to_the_end

_REMEMBERED: Final = 10_000
_UNFIT: Final = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"})
_UNKEPT: Final = frozenset({"InvalidArgument", "InvalidRequest", "MetadataTooLarge"})

Stat = Callable[[str], Awaitable[FileInfo]]


class S3Direct:
    """The direct uploads of one store; ``stat`` tells what it has, ``awake`` has it swept."""

    def __init__(self, shared: Shared, links: Links, stat: Stat, awake: Callable[[], None]) -> None:
        self._shared = shared
        self._links = links
        self._stat = stat
        self._awake = awake
        self._seen: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Ids of uploads with the object's name, and when the note was renewed."""
        self._forms = Forms(shared, links)

    @property
    def most_parts(self) -> int:
        return self._shared.options.max_parts

    async def begin(self, key: str, content_type: str, metadata: Mapping[str, str]) -> str:
        self._awake()
        name = self._shared.name_of(key)
        fields = {"Content-Type": content_type or UNTYPED, **metadata_fields(metadata)}
        with for_caller(key):
            try:
                return await to_the_end(self._begin(name, fields))
            except Refused as error:
                if metadata and (error.code in _UNKEPT or error.status == 431):
                    reason = error.code or error.status
                    raise BadRequest(
                        f"S3 does not take the metadata ({reason}); send less of it"
                    ) from None
                raise

    async def parts(self, key: str, upload: str) -> Sequence[SentPart]:
        with for_caller(key):
            name = await self._name_of(key, upload)
            listed = await self._listed(name, upload)
        return [SentPart(part.number, part.etag, part.size) for part in listed]

    async def part_urls(
        self, key: str, upload: str, numbers: Sequence[int], expires: float
    ) -> Sequence[str]:
        with for_caller(key):
            name = await self._name_of(key, upload)
        return [await self._links.write_part(name, upload, each, expires) for each in numbers]

    async def complete(
        self, key: str, upload: str, parts: Sequence[tuple[int, str]], most: int
    ) -> FileInfo:
        chosen = [Part(number, etag) for number, etag in parts]
        with for_caller(key):
            try:
                name = await self._name_of(key, upload)
            except NotFound:
                # Who lost the answer asks again.
                if not await self._stands(self._shared.name_of(key), chosen):
                    raise
            else:
                await to_the_end(self._complete(key, name, upload, chosen, most))
        return await self._stat(key)

    async def abort(self, key: str, upload: str) -> None:
        with for_caller(key):
            name = await self._name_of(key, upload)
            await to_the_end(self._abort(name, upload))

    async def form(
        self, key: str, content_type: str, metadata: Mapping[str, str], most: int, expires: float
    ) -> Form | None:
        name = self._shared.name_of(key)
        fields = {"content-type": content_type or UNTYPED, **metadata_fields(metadata)}
        with for_caller(key):
            return await self._forms.of(name, fields, most, expires)

    async def takes_forms(self) -> bool:
        """Whether the server takes files in forms; tried once."""
        with for_caller(""):
            return await self._forms.work()

    async def _begin(self, name: str, fields: Mapping[str, str]) -> str:
        upload = await self._shared.calls.create(name, fields)
        try:
            await self._shared.orphans.note(name, upload, self._note_of(upload))
        except BaseException:
            with suppress(Refused, Broken):
                await self._shared.calls.once.abort(name, upload)
            raise
        self._remember(upload, name)
        return upload

    async def _name_of(self, key: str, upload: str) -> str:
        """The object's full name, if the upload is one of ours; renews its note now and then."""
        name = self._shared.name_of(key)
        seen = self._seen.get(upload)
        if seen is None or time.monotonic() - seen[1] > self._shared.orphans.renewal:
            seen = await self._looked_up(upload)
        if seen[0] != name:
            raise _unknown()
        return name

    async def _looked_up(self, upload: str) -> tuple[str, float]:
        note = self._note_of(upload)
        try:
            named = json.loads(await self._shared.calls.get(note))
            name = named["object"]
        except Refused as error:
            if error.absent:
                raise _unknown() from None
            raise
        except (ValueError, KeyError, TypeError):
            raise _unknown() from None
        await self._shared.orphans.note(name, upload, note)
        return self._remember(upload, name)

    async def _listed(self, name: str, upload: str) -> Sequence[ListedPart]:
        try:
            return await self._shared.calls.list_parts(name, upload)
        except Refused as error:
            if _is_gone(error):
                raise await self._ended(upload) from None
            raise

    async def _complete(
        self, key: str, name: str, upload: str, parts: Sequence[Part], most: int
    ) -> None:
        calls = self._shared.calls
        try:
            numbers = {part.number for part in parts}
            listed = await calls.list_parts(name, upload)
            if sum(part.size for part in listed if part.number in numbers) > most:
                await self._abort(name, upload)
                raise TooLarge(f"the file is over the limit of {most:,} bytes; nothing was stored")
            async with self._shared.turns.at(key):
                await calls.complete(name, upload, parts, {})
        except Refused as error:
            if error.code in _UNFIT:
                raise BadRequest(
                    f"S3 does not take these parts ({error.code}): name each that came with its "
                    "ETag, in order; all but the last have 5 MiB at least"
                ) from None
            if not _is_gone(error):
                raise
            # The answer may be what was lost, and not the request.
            if not await self._stands(name, parts):
                raise await self._ended(upload) from None
        await self._forget(upload)

    async def _stands(self, name: str, parts: Sequence[Part]) -> bool:
        """Whether these parts are what is stored, by the ETag that most servers make of theirs."""
        try:
            digests = b"".join(bytes.fromhex(part.etag) for part in parts)
            head = await self._shared.calls.head(name)
        except ValueError:
            return False
        except Refused as error:
            if error.passing:  # then nothing is known
                raise
            return False
        whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        return head.etag == f"{whole}-{len(parts)}"

    async def _abort(self, name: str, upload: str) -> None:
        await self._shared.calls.abort(name, upload)
        await self._forget(upload)

    async def _ended(self, upload: str) -> NotFound:
        """What is to be told of an upload that S3 does not know any more."""
        await self._forget(upload)
        return _unknown()

    async def _forget(self, upload: str) -> None:
        self._seen.pop(upload, None)
        with suppress(Refused, Broken):  # else it is swept
            await self._shared.orphans.forget(self._note_of(upload))

    def _remember(self, upload: str, name: str) -> tuple[str, float]:
        seen = self._seen[upload] = name, time.monotonic()
        self._seen.move_to_end(upload)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return seen

    def _note_of(self, upload: str) -> str:
        digest = hashlib.sha256(upload.encode(errors="surrogatepass")).hexdigest()[:40]
        return f"{self._shared.place.prefix}{RESERVED}/multipart/{digest}"


def _is_gone(error: Refused) -> bool:
    return error.code == "NoSuchUpload" or error.absent


def _unknown() -> NotFound:
    return NotFound("no such upload is under way at this key: it ended, or was not begun here")
