"""Multipart uploads whose process died: found by the notes it left, and aborted.

S3 keeps, and charges for, the parts of an upload that nobody ended, and does not tell whose it
is. So each of ours has a small object beside the files that names it, removed when it ends. The
temporary objects that a file is composed of are named there by their folder.
Uploads of other programs in the bucket are never touched.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import uuid4

from penstock.errors import PenstockError
from penstock.stores.keys import RESERVED
from penstock.stores.s3.calls import Calls
from penstock.stores.s3.signing import encoded
from penstock.stores.s3.trouble import Broken, Refused

_EVERY: Final = 3600.0
_log = logging.getLogger("penstock.stores.s3")


class Orphans:
    """The notes of the multipart uploads below one prefix.

    An upload is an orphan when its note is ``age`` seconds old: who is alive renews it.
    """

    def __init__(self, calls: Calls, prefix: str, age: float) -> None:
        self._calls = calls
        self._prefix = prefix
        self._folder = f"{prefix}{RESERVED}/multipart/"
        self._made = f"{prefix}{RESERVED}/compose/"
        self._age = age

    @property
    def renewal(self) -> float:
        """Seconds after which a note is to be renewed."""
        return self._age / 4

    def made(self, token: str) -> str:
        """The folder of the temporary objects of one composition."""
        return f"{self._made}{token}/"

    def new(self) -> str:
        """The name of a note that is to be."""
        return f"{self._folder}{uuid4().hex}"

    async def note(self, name: str, upload: str, note: str = "", *, made: str = "") -> str:
        """Write down an upload of the object ``name``, or renew its note; answers the note.

        ``made`` is the folder of temporary objects that go with it.
        """
        note = note or self.new()
        named = {"object": name, "upload": upload, **({"made": made} if made else {})}
        text = json.dumps(named).encode()
        await self._calls.put(note, {"Content-Type": "application/json"}, text, len(text))
        return note

    async def forget(self, note: str) -> None:
        """The upload was ended."""
        await self._calls.delete(note)

    async def clear(self, made: str) -> None:
        """Remove the temporary objects below a folder, and uploads that should become some.

        :raises ValueError: it is no such folder.
        """
        if not made.startswith(self._made) or made == self._made:
            raise ValueError("no folder of temporary objects")
        ended: set[tuple[str, str]] = set()
        while uploads := {*await self._uploads(made)} - ended:
            for name, upload in uploads:
                await self._calls.abort(name, upload)
            ended |= uploads
        token = None
        while True:
            page = await self._calls.list(made, token=token)
            for listed in page.objects:
                await self._calls.delete(listed.name)
            token = page.token
            if token is None:
                return

    async def abort_unknown(self, name: str) -> None:
        """Abort the uploads of an object that have no parts.

        Who dies when an upload was created, and before its id is written down, leaves such a one.
        """
        for found, upload in await self._uploads(name):
            if found == name and not await self._parts(name, upload):
                await self._calls.abort(name, upload)

    async def _parts(self, name: str, upload: str) -> Sequence[object]:
        try:
            return await self._calls.list_parts(name, upload)
        except Refused as error:
            if error.status != 404:
                raise
            return []  # it has ended

    async def _uploads(self, prefix: str) -> Sequence[tuple[str, str]]:
        try:
            found = await self._calls.list_uploads(prefix)
        except Refused as error:
            if error.passing:
                raise
            # What cannot be asked for is left to a rule of the bucket.
            _log.warning("multipart uploads that may have been left cannot be listed: %s", error)
            return []
        return [upload for upload in found if upload[0].startswith(prefix)]

    async def sweep(self) -> int:
        """Abort the orphans; answers how many there were."""
        swept = 0
        async for note in self._old(self._folder):
            swept += await self._end(note)
        # Who wakes when its work was done by another may make one that no note speaks of.
        async for made in self._old(self._made):
            await self._calls.delete(made)
        return swept

    async def _old(self, folder: str) -> AsyncIterator[str]:
        """The names of the objects below a folder that are too old."""
        token = None
        while True:
            page = await self._calls.list(folder, token=token)
            for listed in page.objects:
                if listed.modified_ns / 1e9 + self._age < time.time():
                    yield listed.name
            token = page.token
            if token is None:
                return

    async def sweep_on(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            try:
                if swept := await self.sweep():
                    _log.info("aborted %d multipart uploads that nobody ended", swept)
            except (Refused, Broken, PenstockError) as error:
                _log.warning("orphaned multipart uploads cannot be swept: %s", error)
            await asyncio.sleep(_EVERY)

    async def _end(self, note: str) -> bool:
        """Whether what the note speaks of is gone now."""
        try:
            named = json.loads(await self._calls.get(note))
            if not str(named["object"]).startswith(self._prefix):
                raise ValueError("not below the prefix")
            await self._calls.abort(named["object"], named["upload"])
            if "made" in named:
                await self.clear(str(named["made"]))
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is no note of a multipart upload; removed", encoded(note, "/"))
        except Refused as error:
            if not error.absent:  # else somebody swept it just now
                _log.warning("%s names an upload that stays: %s", encoded(note, "/"), error)
                return False
        await self._calls.delete(note)
        return True
