"""Files of the upstream, kept: fetched once however many want them, and known to be current.

What is kept is sent without asking for as long as ``max_age`` and the upstream's own
``Cache-Control`` allow; else the upstream is asked by HEAD first (RFC 9111 §4.3.5). Callers who
come while it is asked share its answer, and those who come while a file is fetched share the
fetch.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from penstock.client.download import Ranges
from penstock.errors import Busy, NotFound, PenstockError, SourceChanged
from penstock.logs import note
from penstock.octets.digests import Digester
from penstock.relay.deciding import Answer, Found, decide, may_be_kept
from penstock.relay.fetching import Fetch
from penstock.relay.freshness import Wish
from penstock.relay.shelf import Shelf, Stored
from penstock.relay.told import Told
from penstock.relay.upstream import Upstream

_FETCHES = 32
"""At once; each holds a file and some connections."""

_MOST = 1000
"""Fetches that go on or wait for it: whoever leaves leaves one behind."""

_TURNS = 16
"""How often a caller looks again for what others may have changed meanwhile."""


@dataclass(slots=True)
class _Place:
    """What is going on about one file.

    ``answer`` is the upstream's last, ``last`` the version that was fetched last, ``odd`` one of
    which the upstream sent another than it had told of.

    A caller changes ``answer``, ``fetch``, ``last`` and what the shelf has of the file under the
    ``lock`` only, and counts it in ``turn``: so whoever waited for the lock knows whether to look
    again. A fetch does the same without the lock when it ends, as the caller who holds it may wait
    for that very end. ``users`` are the callers who have the place in hand.
    """

    path: str
    name: str
    users: int = 0
    turn: int = 0
    answer: Answer | None = None
    fetch: Fetch | None = None
    last: Told | None = None
    odd: Told | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Cache:
    """``ranges`` say how a file is fetched; ``max_age`` is seconds."""

    def __init__(self, upstream: Upstream, shelf: Shelf, *, ranges: Ranges, max_age: float) -> None:
        self._upstream = upstream
        self._shelf = shelf
        self._ranges = ranges
        self._max_age = max_age
        self._slots = asyncio.Semaphore(_FETCHES)
        self._places: dict[str, _Place] = {}
        self._fetches = 0
        self._resuming: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with what an earlier run did not complete."""
        unfinished = await self._shelf.open()
        paths = map(self._upstream.path, unfinished)
        self._resuming = asyncio.create_task(self._resume([path for path in paths if path]))

    async def close(self) -> int:
        """Break fetches off; answers how many were not complete. The next start goes on."""
        if self._resuming is not None:
            self._resuming.cancel()
            await asyncio.wait([self._resuming])
        fetches = [place.fetch for place in self._places.values() if place.fetch is not None]
        await asyncio.gather(*(fetch.stop() for fetch in fetches))
        return len(fetches)

    @asynccontextmanager
    async def find(self, path: str, wish: Wish, *, content: bool = True) -> AsyncIterator[Found]:
        """What is to be sent for an encoded path of the upstream, held until the block ends.

        Without ``content`` nothing is fetched only for that.

        :raises PenstockError: what the upstream answers, or that it does not.
        :raises Busy: the file changes all the time, or too many are to come already.
        """
        arrived = time.monotonic()
        place = self._enter(path)
        try:
            for _ in range(_TURNS):
                turn = place.turn
                held = await self._hold(place)
                try:
                    answer, most = place.answer, self._max_age
                    found = decide(held, answer, arrived, wish, most, content=content)
                    if found is not None and await _is_ready(found):
                        yield found
                        return
                    async with place.lock:
                        if place.turn == turn:  # else somebody else has done something
                            await self._advance(place, held, arrived)
                            place.turn += 1
                finally:
                    if held is not None:
                        held.release()
            raise Busy("the file changes faster than it is fetched; ask again", retry_after=1)
        finally:
            place.users -= 1
            self._forget(place)

    def _enter(self, path: str) -> _Place:
        name = sha256(str(self._upstream.address(path)).encode()).hexdigest()
        place = self._places.setdefault(name, _Place(path, name))
        place.users += 1
        return place

    def _forget(self, place: _Place) -> None:
        if not place.users and place.fetch is None:
            self._places.pop(place.name, None)

    async def _hold(self, place: _Place) -> Stored | Fetch | None:
        """What there is of the file, whole or coming; to be released."""
        if place.fetch is None:
            return await self._shelf.take(place.name)
        if not place.fetch.is_kept:
            return None
        place.fetch.join()
        return place.fetch

    async def _advance(self, place: _Place, held: Stored | Fetch | None, arrived: float) -> None:
        """Ask the upstream, unless somebody has since this caller arrived; then begin to fetch."""
        if place.answer is None or place.answer.at < arrived:
            place.answer = await self._ask(place, held)
        elif place.answer.told is not None:
            await self._begin(place, place.answer, place.answer.told)

    async def _ask(self, place: _Place, held: Stored | Fetch | None) -> Answer:
        try:
            told = await self._upstream.ask(place.path)
        except PenstockError as error:
            if isinstance(error, NotFound):
                await self._keep_no_longer(place)
            return Answer(time.monotonic(), None, error)
        if not may_be_kept(told):
            await self._keep_no_longer(place)
        elif held is not None and held.told.same(told):
            held.checked = time.time()
            if isinstance(held, Fetch):
                held.told = held.told.freshened(told)
            elif held.told.is_changed_by(told):
                await self._shelf.refresh(place.name, told)
        return Answer(time.monotonic(), told, None)

    async def _keep_no_longer(self, place: _Place) -> None:
        if place.fetch is None:
            await self._drop(place)
        else:
            place.fetch.is_kept = False

    async def _drop(self, place: _Place) -> None:
        await self._shelf.drop(place.name)
        await self._shelf.drop_part(place.name)

    async def _begin(self, place: _Place, answer: Answer, told: Told) -> None:
        if place.fetch is not None:
            if place.fetch.told.same(told) and not place.fetch.is_lost:
                place.fetch.is_kept = True
                return
            await place.fetch.stop()
        if place.last is not None and not place.last.same(told):
            # Its readers may be in the midst of it: other bytes must not come into the same file.
            await self._shelf.drop_part(place.name)
        assert told.size is not None
        is_odd = place.odd is not None and place.odd.same(told)
        if not is_odd and self._fetches >= _MOST:
            raise Busy("too many files are to come; ask again later", retry_after=5)
        if is_odd or not await self._shelf.begin(place.name, told.size):
            answer.crowded = True
            return
        self._fetches += 1
        place.last = told
        target = self._shelf.path(place.name)
        place.fetch = Fetch(self._upstream, place.path, target, told)
        place.fetch.start(self._slots, self._ranges, partial(self._finish, place))

    async def _finish(self, place: _Place, fetch: Fetch, digester: Digester | None) -> None:
        try:
            told = None if digester is None else fetch.told.digested(digester.sha256)
            if told is None:
                place.answer = None  # it does not help: who waits for the file has to ask anew
            await self._shelf.end(place.name, told, fetch.checked)
            if not fetch.is_kept:
                await self._drop(place)
        except OSError as error:
            note("not kept", path=place.path, reason=str(error))
        finally:
            self._fetches -= 1
            place.odd = fetch.told if fetch.is_other else None
            place.fetch = None
            place.turn += 1
            self._forget(place)

    async def _resume(self, paths: list[str]) -> None:
        for path in paths:
            try:
                async with self.find(path, Wish()):
                    note("resumed", path=path)
            except PenstockError as error:
                note("not resumed", path=path, reason=error.detail)
            except OSError as error:
                note("not resumed", path=path, reason=str(error))


async def _is_ready(found: Found) -> bool:
    """Whether it comes; not if the upstream has another version by now."""
    try:
        if found.held is not None:
            await found.held.ready()
    except SourceChanged:
        return False
    return True
