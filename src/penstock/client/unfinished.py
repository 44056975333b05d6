"""What earlier runs, of this machine or another, left on the server to be gone on with."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from penstock.client import tus, tus_fields
from penstock.client.answers import understood
from penstock.client.http import Http, json_of
from penstock.errors import Forbidden, MethodNotAllowed, NotFound

WORTH_WAITING = 64 << 20
"""Bytes that are worth finding out whether whoever sent them is still there."""

WATCH_SECONDS = 15.0
"""A server tells every ten seconds, or oftener, how far an upload is that moves."""

LOOK_SECONDS = 0.5

WHOLE = "whole"
PARTIAL = "partial"
FINAL = "final"


@dataclass(frozen=True, slots=True)
class Found:
    """One upload that has not become a file yet; ``active`` if some request holds it now.

    Parts of one file have the same ``group``; ``start`` is where in the file one begins.
    """

    location: str
    kind: str
    offset: int
    length: int | None
    active: bool
    group: str
    start: int
    metadata: Mapping[str, str]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read one Upload object of the API."""
        length = document["length"]
        return cls(
            location=str(document["url"]),
            kind=str(document["kind"]),
            offset=int(document["offset"]),
            length=None if length is None else int(length),
            active=bool(document["active"]),
            group=str(document["group"]),
            start=int(document["start"]),
            metadata=tus_fields.metadata_values(str(document["metadata"])),
        )


@dataclass(frozen=True, slots=True)
class Left:
    """An upload, or the parts of one file, that can be gone on with."""

    members: tuple[Found, ...]

    @property
    def is_parts(self) -> bool:
        return self.members[0].kind == PARTIAL

    @property
    def offset(self) -> int:
        """Bytes that need not be sent again."""
        return sum(one.offset for one in self.members)

    @property
    def active(self) -> bool:
        return any(one.active for one in self.members)


class Wanted:
    """Which uploads can become the file that is to be sent.

    ``parts`` are the stretches (start, length) that a file of ``size`` bytes is cut into.
    """

    def __init__(
        self, size: int, parts: Sequence[tuple[int, int]], content_type: str | None
    ) -> None:
        self._size = size
        self._parts = frozenset(parts)
        self._content_type = content_type

    def choose(self, found: Sequence[Found]) -> dict[str, Left]:
        """Those of ``found``, by what tells one from another."""
        families: dict[str, list[Found]] = {}
        for one in found:
            if one.kind == WHOLE and self._is_whole(one):
                families[one.location] = [one]
            elif one.kind == PARTIAL and one.group and (one.start, one.length) in self._parts:
                families.setdefault(one.group, []).append(one)
        return {name: Left(tuple(members)) for name, members in families.items()}

    def _is_whole(self, one: Found) -> bool:
        told = one.metadata.get("filetype") or one.metadata.get("type")
        return one.length == self._size and told == self._content_type


async def listing(http: Http, key: str) -> list[Found]:
    """The uploads of ``key`` that are not ended, in one try; none if the server lists none."""
    try:
        _, body = await http.ask("GET", http.url(tus.UPLOADS, [("key", key)]))
    except (NotFound, MethodNotAllowed, Forbidden):  # of a share link others' are not shown
        return []
    return understood(
        lambda all_of: [Found.from_json(one) for one in all_of["uploads"]], json_of(body)
    )


async def left_over(http: Http, key: str, wanted: Wanted) -> list[Left]:
    """What can be gone on with, the largest first: nobody sends to it any more.

    One that a request holds may be what a lost network left, so a large one is watched.
    """
    found = wanted.choose(await listing(http, key))
    free = [left for left in found.values() if not left.active]
    enough = max((left.offset for left in free), default=0) + WORTH_WAITING
    watches = {
        name: _Watch(left) for name, left in found.items() if left.active and left.offset >= enough
    }
    while any(watch.goes_on for watch in watches.values()):
        await asyncio.sleep(LOOK_SECONDS)
        found = wanted.choose(await listing(http, key))
        for name, watch in watches.items():
            watch.look(found.get(name))
    free += [watch.left for watch in watches.values() if watch.left is not None]
    return sorted(free, key=lambda left: left.offset, reverse=True)


class _Watch:
    """Finds out whether somebody still sends to what a request holds.

    It may move once although nobody does: what had arrived is made durable.
    """

    def __init__(self, left: Left) -> None:
        self.left: Left | None = left
        self._moves = 0
        self._end = self._later()

    @property
    def goes_on(self) -> bool:
        """Whether that is not known yet."""
        now = asyncio.get_running_loop().time()
        return self.left is not None and self.left.active and now < self._end

    def look(self, now: Left | None) -> None:
        """How it stands now; ``None`` if it is no more."""
        if not self.goes_on or self.left is None:
            return
        if now is not None and now.offset != self.left.offset and now.active:
            self._moves += 1
            self._end = self._later()
        self.left = now if self._moves < 2 else None

    def _later(self) -> float:
        return asyncio.get_running_loop().time() + WATCH_SECONDS
