"""Random puts, gets, replaces, deletes and range reads; answers are held against the history."""

import asyncio
import io
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import aiohttp

from tests.cluster.chaos.history import NOTHING, Key, content

_BROKEN = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_CLEAN = {502, 503, 504, 507}
_PIECE = 64 << 10


class Wrong(AssertionError):
    """An answer that must never be."""


class Load:
    """Operations on ``keys``, each by any of the ``sessions``, which are with servers that have the
    same files; ``done`` counts them by kind and how they ended."""

    def __init__(
        self, sessions: Sequence[aiohttp.ClientSession], keys: Sequence[Key], seed: int
    ) -> None:
        self.sessions = list(sessions)
        self._chance = random.Random(seed)
        self._keys = keys
        self._seed = seed
        self.done: Counter[str] = Counter()
        self.going = True

    @property
    def operations(self) -> int:
        return self.done.total()

    async def run(self, tasks: int) -> None:
        """So many at once, until ``going`` is false. Each key is changed by one of them.

        :raises Wrong: an answer was.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(tasks):
                group.create_task(self._work(number, tasks))

    @property
    def failed_reads(self) -> float:
        """Which share of the reads was refused or broke off."""
        reads = {name: n for name, n in self.done.items() if name.startswith(("get", "range"))}
        well = sum(reads.get(name, 0) for name in ("get", "get, none", "range"))
        return 1 - well / max(1, sum(reads.values()))

    async def read_all(self, tasks: int) -> None:
        """Read every key, so many at once.

        :raises Wrong: an answer was.
        """
        slots = asyncio.Semaphore(tasks)

        async def read(key: Key) -> None:
            async with slots:
                await self._get(key)

        async with asyncio.TaskGroup() as group:
            for key in self._keys:
                group.create_task(read(key))

    async def check(self, key: Key) -> None:
        """Read a key that nobody changes, when all is well: a failure is wrong too.

        :raises Wrong: it is not what it has to be.
        """
        before = self._read_well
        await self._get(key)
        if self._read_well != before + 1:
            raise Wrong(f"{key.name} cannot be read")

    @property
    def _read_well(self) -> int:
        return self.done["get"] + self.done["get, none"]

    @property
    def _session(self) -> aiohttp.ClientSession:
        return self._chance.choice(self.sessions)

    async def _work(self, number: int, tasks: int) -> None:
        chance = random.Random(f"{self._seed}/{number}")
        own = self._keys[number::tasks]
        while self.going:
            kind = chance.random()
            if kind < 0.4:
                await self._put(chance.choice(own), content(chance), told=chance.random() < 0.8)
            elif kind < 0.5:
                await self._delete(chance.choice(own))
            elif kind < 0.75:
                await self._get(chance.choice(self._keys))
            else:
                await self._range(chance.choice(self._keys), chance)
            await asyncio.sleep(chance.random() * 0.2)

    async def _put(self, key: Key, data: bytes, *, told: bool) -> None:
        """``told``: with its length."""
        key.begins(data)
        try:
            body = io.BytesIO(data) if told else _pieces(data)
            async with self._session.put(_path(key), data=body) as answer:
                if await self._is_refused("put", answer):
                    return
                if answer.status not in (200, 201):
                    raise Wrong(f"put {key.name}: {answer.status} {await answer.text()}")
        except _BROKEN:
            self.done["put, broken"] += 1
            return
        key.happened(data)
        self.done["put"] += 1

    async def _delete(self, key: Key) -> None:
        allowed = key.now
        key.begins(NOTHING)
        try:
            async with self._session.delete(_path(key)) as answer:
                if await self._is_refused("delete", answer):
                    return
                if answer.status == 404 and NOTHING not in allowed:
                    raise Wrong(f"delete {key.name}: 404, but it was acknowledged")
                if answer.status not in (200, 204, 404):
                    raise Wrong(f"delete {key.name}: {answer.status} {await answer.text()}")
        except _BROKEN:
            self.done["delete, broken"] += 1
            return
        key.happened(NOTHING)
        self.done["delete"] += 1

    async def _get(self, key: Key) -> None:
        mark = key.mark
        try:
            async with self._session.get(_path(key)) as answer:
                if await self._is_refused("get", answer):
                    return
                if answer.status == 404:
                    if NOTHING not in key.since(mark):
                        raise Wrong(f"get {key.name}: 404, but it was acknowledged")
                    self.done["get, none"] += 1
                    return
                if answer.status != 200:
                    raise Wrong(f"get {key.name}: {answer.status} {await answer.text()}")
                body, whole = await _body(answer)
        except _BROKEN:
            self.done["get, broken"] += 1
            return
        right = key.since(mark) - {NOTHING}
        if whole and body not in right:
            raise Wrong(f"get {key.name}: {_told(body)}, where {_all_told(right)} is right")
        if not whole and not any(one.startswith(body) for one in right):
            raise Wrong(f"get {key.name}: broke off after wrong bytes, {_told(body)}")
        self.done["get" if whole else "get, broken"] += 1

    async def _range(self, key: Key, chance: random.Random) -> None:
        mark = key.mark
        size = max((len(one) for one in key.now), default=0)
        first = chance.randrange(max(1, size))
        last = first + chance.randrange(2_000_000)
        try:
            fields = {"Range": f"bytes={first}-{last}"}
            async with self._session.get(_path(key), headers=fields) as answer:
                if await self._is_refused("range", answer):
                    return
                body, whole = await _body(answer)
                status, told = answer.status, answer.headers.get("Content-Range", "")
        except _BROKEN:
            self.done["range, broken"] += 1
            return
        right = key.since(mark)
        if not _is_right(status, told, body, whole, first, last, right):
            raise Wrong(
                f"bytes {first}-{last} of {key.name}: {status}, {told}, {_told(body)}, "
                f"{'whole' if whole else 'broken off'}, where {_all_told(right)} is right"
            )
        self.done["range" if whole else "range, broken"] += 1

    async def _is_refused(self, what: str, answer: aiohttp.ClientResponse) -> bool:
        """Whether it is an error of the server's, told as it should be.

        :raises Wrong: it is told otherwise.
        """
        if answer.status < 500:
            return False
        text = await answer.text()
        if answer.status not in _CLEAN or answer.content_type != "application/problem+json":
            raise Wrong(f"{what}: {answer.status} {answer.content_type} {text}")
        self.done[f"{what}, {answer.status}"] += 1
        return True


def _is_right(
    status: int,
    told: str,
    body: bytes,
    whole: bool,
    first: int,
    last: int,
    right: frozenset[bytes],
) -> bool:
    """Whether this answer to a range fits one of the contents."""
    if status == 404:
        return NOTHING in right
    contents = right - {NOTHING}
    if status == 416:
        return any(first >= len(one) for one in contents)
    if status == 200:  # of an empty file nothing can be a range
        return any(one == body for one in contents)
    for one in contents:
        wanted = one[first : last + 1]
        place = f"bytes {first}-{first + len(wanted) - 1}/{len(one)}"
        fits = body == wanted if whole else wanted.startswith(body)
        if status == 206 and told == place and fits:
            return True
    return False


async def _body(answer: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """What came, and whether the client takes it for the whole."""
    body = bytearray()
    with suppress(*_BROKEN):
        async for data in answer.content.iter_any():
            body += data
        return bytes(body), True
    return bytes(body), False


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), _PIECE):
        yield data[at : at + _PIECE]


def _path(key: Key) -> str:
    return f"/v1/files/{key.name}"


def _told(content: bytes) -> str:
    return f"{len(content):,} bytes {content[:8].hex()}…"


def _all_told(contents: frozenset[bytes]) -> str:
    return " or ".join("nothing" if one == NOTHING else _told(one) for one in contents)
