"""What of one remote file has come, what is on its way, and who waits for it."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from penstock.errors import SourceChanged
from penstock.octets.intervals import Intervals
from penstock.octets.ranges import Span

LEAST = 1 << 20
"""Bytes below which a stretch is not divided any more."""

RECENT = 8 << 20
"""Bytes that come so little before they are digested are kept in memory until then."""

WORTH_DIGESTING = 1 << 20

WAKE_SECONDS = 0.02

NO_END = 1 << 62

_Waiting: TypeAlias = tuple[int, "asyncio.Future[int]"]


@dataclass(slots=True, eq=False)
class Claim:
    """A stretch that one connection fetches: up to ``at`` it has come; ``stop`` may be lowered."""

    start: int
    at: int
    stop: int

    @property
    def is_done(self) -> bool:
        return self.at >= self.stop


class Arrivals:
    """The bytes of one version, for the event loop and any thread.

    ``size`` is ``None`` while the end is not known; ``have`` is what is there already.
    """

    def __init__(self, size: int | None, have: Intervals, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._change = threading.Condition()
        self._have = have.copy()
        self._free = have.gaps(NO_END if size is None else size)
        self._claims: list[Claim] = []
        self._size = size
        self._stopped = False
        self._recent: dict[int, bytes] = {}
        self._recent_size = 0
        self._digested_until = 0
        self._waiting: list[_Waiting] = []
        self._waking = False

    @property
    def size(self) -> int | None:
        """The size of the whole in bytes, once it is known."""
        return self._size

    @property
    def done(self) -> int:
        """How many bytes are there."""
        with self._change:
            return self._have.size

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are there."""
        return self._size is not None and self.done == self._size

    def claim(self, most: int) -> Claim | None:
        """A stretch of at most ``most`` bytes to be fetched now; ``None`` if there is none.

        What somebody waits for comes first, then what is nearest to the beginning. When all is
        claimed, the longest stretch is divided.
        """
        with self._change:
            span = self._next()
            if span is None and self._divide(most):
                span = self._next()
            if span is None:
                return None
            claim = Claim(span.start, span.start, min(span.stop, span.start + most))
            self._free.remove(claim.start, claim.stop)
            self._claims.append(claim)
            return claim

    def let_go(self, claim: Claim) -> None:
        """Whoever fetched ``claim`` has stopped; what is missing of it can be claimed again."""
        with self._change:
            if claim in self._claims:  # that of an empty file is not
                self._claims.remove(claim)
            for span in self._have.gaps(claim.stop):
                if span.stop > claim.at:
                    self._free.add(max(span.start, claim.at), span.stop)

    def take_whole(self, claim: Claim) -> bool:
        """Let ``claim`` be everything from the first byte on, if there is no other one."""
        with self._change:
            if len(self._claims) > 1:
                return False
            claim.start = claim.at = 0
            claim.stop = NO_END if self._size is None else self._size
            self._free = Intervals()
            return True

    def landed(self, claim: Claim, count: int, data: bytes = b"") -> None:
        """The next ``count`` bytes of ``claim`` are at their place; ``data`` has them."""
        with self._change:
            stop = claim.at + count
            self._have.add(claim.at, stop)
            if 0 <= claim.at - self._digested_until < RECENT - self._recent_size and data:
                self._recent[claim.at] = data
                self._recent_size += len(data)
            claim.at = stop
            if self._ready(self._digested_until):
                self._change.notify_all()
            waited_for = any(self._have.end_from(at) > at for at, _ in self._waiting)
        if waited_for:
            self._wake()

    def learn_size(self, size: int) -> None:
        """The whole has ``size`` bytes, which was not known before.

        :raises SourceChanged: there are more already.
        """
        with self._change:
            if self._size == size:
                return
            if self._have.next_from(size) is not None:
                raise SourceChanged("the file is shorter than what came of it before")
            self._size = size
            self._free.remove(size, NO_END)
            for claim in self._claims:
                claim.stop = min(claim.stop, size)
            self._change.notify_all()
        self._wake()

    def missing(self, start: int, stop: int) -> list[Span]:
        """What of a stretch is not there yet."""
        with self._change:
            if self._have.next_from(start) is None:  # as nearly always
                return [Span(start, stop)]
            gaps = Intervals([Span(start, stop)])
            for span in self._have:
                gaps.remove(span.start, span.stop)
            return list(gaps)

    def stretches(self) -> Intervals:
        """What is there at this moment."""
        with self._change:
            return self._have.copy()

    def stop(self, error: BaseException) -> None:
        """Nothing will come any more: end those who digest and those who wait. For the loop."""
        with self._change:
            self._stopped = True
            self._change.notify_all()
            for _, future in self._waiting:
                if not future.done():
                    future.set_exception(error)

    # For whoever digests, from the beginning to the end, in a thread.

    def next_from(self, at: int) -> tuple[bytes | None, int] | None:
        """Wait for bytes behind ``at``: those themselves, if they are in memory still, and how
        many there are; ``None`` at the end."""
        with self._change:
            self._digested_until = at
            while True:
                if at == self._size or self._stopped:
                    return None
                if ready := self._ready(at):
                    return self._remembered(at), ready
                self._change.wait()

    def _ready(self, at: int) -> int:
        """How many bytes from ``at`` on there are to digest, if it is worth it."""
        ready = self._have.end_from(at) - at
        return ready if ready >= WORTH_DIGESTING or at + ready == self._size else 0

    def _remembered(self, at: int) -> bytes | None:
        for start in [start for start in self._recent if start < at]:
            self._recent_size -= len(self._recent.pop(start))
        data = self._recent.pop(at, None)
        self._recent_size -= len(data or b"")
        return data

    # For the event loop.

    async def wait(self, at: int) -> int:
        """Wait for the byte ``at``; answers the end of what is there without a gap from it."""
        future: asyncio.Future[int] = self._loop.create_future()
        with self._change:
            end = self._have.end_from(at)
            if end > at or at == self._size:
                return end
            self._waiting.append((at, future))
        try:
            return await future
        finally:
            with self._change:
                self._waiting.remove((at, future))

    def _wake(self) -> None:
        """Wake who waits, but not for each piece anew."""
        if not self._waking:
            self._waking = True
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._loop.call_later, WAKE_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        self._waking = False
        with self._change:
            for at, future in self._waiting:
                end = self._have.end_from(at)
                if (end > at or at == self._size) and not future.done():
                    future.set_result(end)

    # With the lock held.

    def _next(self) -> Span | None:
        wanted = [at for at, _ in self._waiting if self._is_free(at)]
        return self._free.next_from(min(wanted, default=0))

    def _is_free(self, at: int) -> bool:
        span = self._free.next_from(at)
        return span is not None and span.start == at

    def _divide(self, most: int) -> bool:
        """Take the end of the longest claim back; whether there was one."""
        longest = max(self._claims, key=lambda claim: claim.stop - claim.at, default=None)
        if longest is None or self._size is None:
            return False
        rest = longest.stop - longest.at
        keep = max(LEAST, min(most, rest // 2))
        if rest - keep < LEAST:
            return False
        self._free.add(longest.at + keep, longest.stop)
        longest.stop = longest.at + keep
        return True
