"""The task that takes events out of the outbox and delivers them."""

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress

from penstock.catalog.outbox import Letter, Outbox
from penstock.hooks.limits import HookLimits
from penstock.hooks.pace import Pace
from penstock.hooks.posting import Poster, Verdict
from penstock.hooks.receiver import Receiver

_SWEEP_EVERY = 3600.0
_SHORTEST_WAIT = 0.05
_OUT_OF_DATE = "it was too old when the receiver had been down for long"

_log = logging.getLogger("penstock.hooks")


class Courier:
    """Delivers what is in ``outbox`` to ``receiver``, in every server process at the same time.

    An event is delivered at least once: it is removed when the receiver has answered 2xx, and
    after a crash in between it is delivered again, under the same id. Events of one subject follow
    one another; those of different subjects go in parallel.
    """

    def __init__(
        self, outbox: Outbox, receiver: Receiver, limits: HookLimits | None = None
    ) -> None:
        self.outbox = outbox
        self._receiver = receiver
        self._limits = limits or HookLimits()
        self._pace = Pace(self._limits)
        self._woken = asyncio.Event()
        self._closing = False
        self._flying: set[asyncio.Task[None]] = set()
        self._poster: Poster | None = None
        self._running: asyncio.Task[None] | None = None
        self._sweep_at = 0.0

    @property
    def is_paused(self) -> bool:
        """The receiver is taken to be down, and tried only now and then."""
        return self._pace.is_down

    def start(self) -> None:
        """Begin to deliver, in the running event loop."""
        self._poster = Poster(self._receiver, self._limits.timeout)
        self.outbox.on_record(_waker(self._woken))
        self._running = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End, in a few seconds; what was not delivered by then is left to the next process."""
        if self._running is None or self._poster is None:
            return
        self._closing = True
        self._woken.set()
        await self._running
        if self._flying:
            await asyncio.wait(self._flying, timeout=self._limits.farewell)
        for task in self._flying:
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        await self._poster.close()

    async def _run(self) -> None:
        while not self._closing:
            self._woken.clear()
            try:
                wait = await self._round()
            except Exception:  # noqa: BLE001 - the database may be away; nobody else would go on
                _log.exception("hooks cannot use the catalog")
                wait = self._limits.poll
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()

    async def _round(self) -> float:
        """Begin to deliver what is due; answers after how many seconds to look again."""
        if rest := self._pace.rest():
            return rest
        await self._sweep()
        room = self._pace.room(len(self._flying))
        letters = await self._claim(room)
        for letter in letters:
            task = asyncio.create_task(self._deliver(letter))
            self._flying.add(task)
            task.add_done_callback(self._landed)
        if len(letters) >= room:
            return self._limits.poll  # or when one of them has landed
        due = await self.outbox.next_due()
        poll = self._limits.poll
        return poll if due is None else min(poll, max(due, _SHORTEST_WAIT))

    async def _claim(self, most: int) -> list[Letter]:
        """Events that there is time to deliver before another process may claim them."""
        if not most:
            return []
        asked, limits = time.monotonic(), self._limits
        letters = await self.outbox.claim(most, limits.timeout + limits.margin)
        return letters if time.monotonic() - asked < limits.margin else []

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._flying.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease will end, and it is delivered again.
            _log.error("hook not settled", exc_info=error)

    async def _deliver(self, letter: Letter) -> None:
        assert self._poster is not None
        try:
            verdict = await self._poster.post(letter)
        except asyncio.CancelledError:
            await self.outbox.postpone(letter, 0.0, "the server ended")
            raise
        if verdict.delivered:
            self._heard(verdict)
            settled = await self.outbox.delivered(letter)
            _tell(logging.DEBUG, "hook delivered", letter)
        elif verdict.gone or self._exhausted(letter):
            self._heard(verdict, letter)
            settled = await self._bury(letter, verdict)
        else:
            self._heard(verdict, letter)
            pause = self._pause(letter, verdict)
            settled = await self.outbox.postpone(letter, pause, verdict.reason)
            _tell(logging.INFO, "hook failed", letter, reason=verdict.reason, pause=round(pause, 1))
        if not settled:
            _tell(logging.WARNING, "hook outlived its lease", letter)

    def _heard(self, verdict: Verdict, letter: Letter | None = None) -> None:
        """Set the pace by what the receiver made of a delivery."""
        was_down = self._pace.is_down
        if letter is None or verdict.gone:
            self._pace.succeeded()
        else:
            self._pace.failed(letter.subject)
        if self._pace.is_down != was_down:
            event = "hooks receiver is up again" if was_down else "hooks receiver is down"
            level = logging.INFO if was_down else logging.WARNING
            _note(level, event, receiver=self._receiver.origin, reason=verdict.reason)

    async def _bury(self, letter: Letter, verdict: Verdict) -> bool:
        settled = await self.outbox.bury(letter, verdict.reason)
        dead = await self.outbox.dead()
        _tell(logging.WARNING, "hook given up", letter, reason=verdict.reason, dead_letters=dead)
        return settled

    def _exhausted(self, letter: Letter) -> bool:
        limits = self._limits
        return letter.attempts >= limits.tries and time.time() - letter.created >= limits.lifetime

    def _pause(self, letter: Letter, verdict: Verdict) -> float:
        limits = self._limits
        pause = min(limits.longest_pause, limits.first_pause * 2.0 ** min(letter.attempts - 1, 32))
        pause *= random.uniform(0.5, 1.0)
        return max(pause, min(verdict.pause, limits.longest_pause))

    async def _sweep(self) -> None:
        """Now and then: give up what is hopeless, forget dead letters that are old, count them."""
        if self._pace.is_hopeless:
            lifetime = self._limits.lifetime
            if buried := await self.outbox.bury_older(lifetime, _OUT_OF_DATE):
                _note(logging.WARNING, "hooks given up", events=buried)
        if time.monotonic() < self._sweep_at:
            return
        self._sweep_at = time.monotonic() + _SWEEP_EVERY
        forgotten = await self.outbox.forget_dead(self._limits.kept)
        if dead := await self.outbox.dead():
            _note(logging.WARNING, "hooks dead letters", kept=dead, forgotten=forgotten)


def _waker(woken: asyncio.Event) -> Callable[[], None]:
    """Sets the event from any thread, as long as there is a loop to hear it."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    return wake


def _tell(level: int, event: str, letter: Letter, **fields: object) -> None:
    # Not its subject: whoever knows the id of an upload may go on with it.
    _note(level, event, id=letter.id, type=letter.kind, attempts=letter.attempts, **fields)


def _note(level: int, event: str, **fields: object) -> None:
    _log.log(level, event, extra={"fields": fields})
