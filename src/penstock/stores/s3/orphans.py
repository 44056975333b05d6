"""Multipart uploads whose process died: found by the notes it left, and aborted.

S3 keeps, and charges for, the parts of an upload that nobody ended, and does not tell whose it
is. So each of ours has a small object beside the files that names it, removed when it ends.
Uploads of other programs in the bucket are never touched.
"""

import asyncio
import json
import logging
import time
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
        self._age = age

    @property
    def renewal(self) -> float:
        """Seconds after which a note is to be renewed."""
        return self._age / 4

    async def note(self, name: str, upload: str, note: str = "") -> str:
        """Write down an upload of the object ``name``, or renew its note; answers the note."""
        note = note or f"{self._folder}{uuid4().hex}"
        text = json.dumps({"object": name, "upload": upload}).encode()
        await self._calls.put(note, {"Content-Type": "application/json"}, text, len(text))
        return note

    async def forget(self, note: str) -> None:
        """The upload was ended."""
        await self._calls.delete(note)

    async def sweep(self) -> int:
        """Abort the orphans; answers how many there were."""
        swept, token = 0, None
        while True:
            page = await self._calls.list(self._folder, token=token)
            for listed in page.objects:
                if listed.modified_ns / 1e9 + self._age < time.time():
                    swept += await self._end(listed.name)
            token = page.token
            if token is None:
                return swept

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
        except (ValueError, KeyError, TypeError):
            _log.warning("%s is no note of a multipart upload; removed", encoded(note, "/"))
        except Refused as error:
            if not error.absent:  # else somebody swept it just now
                _log.warning("%s names an upload that stays: %s", encoded(note, "/"), error)
                return False
        await self._calls.delete(note)
        return True
