"""What is kept of a composition between two attempts."""

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from penstock.stores.composing import Course
from penstock.stores.interface import Checkpoint
from penstock.stores.s3.compose.covering import Limits

_EVERY: Final = 2.0
_SHARE: Final = 20.0
_MOST_CRC32S: Final = 20_000
_MOST_MADE: Final = 1500
"""What is kept must stay small (a job keeps a MiB): copies whose CRC-32 is left out, and temporary
objects whose upload is, are made again after a crash."""


@dataclass(slots=True)
class Kept:
    """``what`` is made names the file to be; ``limits`` give the same ``parts`` again, which are
    named too.

    ``token`` is the write's name, ``upload`` the multipart upload and ``note`` its note: what
    ``upload`` there is, is not known while that is empty. ``nested``
    is whether temporary objects are needed; ``made`` are the uploads of those that are begun, by
    their span, and ``crc32s`` those of what was copied into them, by where it starts.
    """

    what: str
    limits: Limits
    parts: str
    token: str
    upload: str
    note: str
    nested: bool
    made: dict[str, str] = field(default_factory=dict)
    crc32s: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, kept: Checkpoint) -> "Kept | None":
        """Read what was saved; ``None`` if nothing was, or nothing that can be gone on with."""
        values: Mapping[str, Any] = kept
        try:
            return cls(
                str(values["what"]),
                Limits(*values["limits"]),
                str(values["parts"]),
                str(values["token"]),
                str(values["upload"]),
                str(values["note"]),
                bool(values["nested"]),
                {str(span): str(upload) for span, upload in values["made"].items()},
                {int(start): int(value) for start, value in values["crc32s"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def as_json(self) -> Checkpoint:
        """What :meth:`of` reads; what finds no room in it will be made again."""
        return {
            "what": self.what,
            "limits": list(self.limits),
            "parts": self.parts,
            "token": self.token,
            "upload": self.upload,
            "note": self.note,
            "nested": self.nested,
            "made": dict(islice(self.made.items(), _MOST_MADE)),
            "crc32s": {
                str(start): value for start, value in islice(self.crc32s.items(), _MOST_CRC32S)
            },
        }


class Keeper:
    """Saves what is kept: at once, or before long."""

    def __init__(self, course: Course, kept: Kept) -> None:
        self._course = course
        self._kept = kept
        self._lock = asyncio.Lock()
        self._changed = False
        self._due = time.monotonic()

    async def now(self) -> None:
        """Return when it is durable. Raises what :attr:`Course.save` does."""
        async with self._lock:
            begun, self._changed = time.monotonic(), False
            await self._course.save(self._kept.as_json())
            took = time.monotonic() - begun
            self._due = time.monotonic() + max(_EVERY, _SHARE * took)

    async def soon(self) -> None:
        """As :meth:`now`, if it is long enough ago: what a crash loses can be made again."""
        self._changed = True
        if time.monotonic() >= self._due and not self._lock.locked():
            await self.now()

    async def flush(self) -> None:
        """Save what was not saved yet."""
        if self._changed:
            await self.now()


def name_of_wish(name: str, digest: str, fields: Mapping[str, str]) -> str:
    """Names the object to be, with everything that is told of it when its upload is created."""
    text = json.dumps([name, digest, sorted(fields.items())])
    return hashlib.sha256(text.encode()).hexdigest()
