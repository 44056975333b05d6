"""The supervisor itself: what a signal means, and what is told to whom."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from pydantic import SecretStr

from penstock import __version__
from penstock.errors import BadRequest, Exit, PenstockError
from penstock.logs import note, set_up_logging
from penstock.settings import Settings
from penstock.supervisor.child import Child
from penstock.supervisor.generation import Generation, NotStarted
from penstock.supervisor.hearing import Hearing
from penstock.supervisor.listening import Listening
from penstock.supervisor.metrics_folder import metrics_folder
from penstock.systemd import Notices, handed_sockets
from penstock.systemd.notices import watchdog_patience
from penstock.systemd.parent import PARENT, SLOT

_PATIENCE = 30.0
"""Seconds without a sign of life after which a worker is taken to hang; those of WatchdogSec= if
systemd started the supervisor with that."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LISTENS = " is listening on "
_PREFIX = "PENSTOCK_"
# Not from the working directory: it may be a folder of users' files.
_COMMAND = (sys.executable, "-P", "-m", "penstock", "serve")


def supervise(read: Callable[[], Settings]) -> int:
    """Serve with several workers until a signal ends it; answers the exit code.

    ``read`` reads the settings, again at each reload.

    :raises BadRequest: the settings are not for several processes.
    :raises CannotListen: the port is taken, or the host is not ours.
    """
    settings = _checked(read())
    set_up_logging(settings)
    patience = watchdog_patience() or _PATIENCE
    handed = handed_sockets()
    listening = (
        Listening(settings.host, settings.port, handed)
        if handed
        else Listening.opened(settings.host, settings.port, settings.workers)
    )
    with metrics_folder() as metrics:
        return asyncio.run(_run(_Supervisor(read, settings, listening, metrics, patience)))


def _checked(settings: Settings) -> Settings:
    if settings.store.startswith("memory:"):
        raise BadRequest("a store in memory is seen by one process only: leave --workers out")
    return settings


async def _run(supervisor: "_Supervisor") -> int:
    loop = asyncio.get_running_loop()
    # Not those that it was told to ignore, as nohup does.
    heard = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in heard:
        loop.add_signal_handler(number, supervisor.told.put_nowait, number)
    try:
        async with Notices.opened() as notices:
            return await supervisor.run(notices)
    finally:
        for number in heard:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)


class _Supervisor:
    """Has a generation of workers, and at times the one before, which leaves."""

    def __init__(
        self,
        read: Callable[[], Settings],
        settings: Settings,
        listening: Listening,
        metrics: str,
        patience: float,
    ) -> None:
        self._read, self._settings = read, settings
        self._listening, self._metrics, self._patience = listening, metrics, patience
        self.told: asyncio.Queue[int] = asyncio.Queue()
        """Signals, and 0 when the workers are lost."""
        self._code: int = Exit.OK
        self._children: dict[int, Child] = {}
        self._speech = _Speech()
        self._current: Generation | None = None
        self._leaving: dict[asyncio.Task[None], Generation] = {}
        self._reloading: asyncio.Task[None] | None = None

    async def run(self, notices: Notices) -> int:
        """Until a signal ends it; answers the exit code."""
        self._notices = notices
        self._hearing = Hearing(self._heard)
        try:
            if await self._unless_told(self._begin()):
                await self._tend()
        except NotStarted as failed:
            self._code = failed.code
        finally:
            await self._end()
            self._hearing.close()
            self._listening.close()
        return self._code

    async def _begin(self) -> None:
        generation = self._generation(self._settings, self._listening)
        await generation.begin()
        self._current = generation
        note("listening", url=self._listening.url, workers=self._settings.workers)
        self._speech.begin(f"Penstock {__version__}{_LISTENS}{self._listening.url}")
        await self._ready()

    async def _tend(self) -> None:
        while await self.told.get() == signal.SIGHUP:
            if self._reloading is not None:  # it may wait for something that never comes
                await _cancelled(self._reloading)
            self._reloading = asyncio.create_task(self._reload())

    async def _reload(self) -> None:
        """New workers with new settings take over; if they cannot, those that serve go on."""
        await self._notices.reloading()
        note("reloading")
        try:
            await self._replace()
        except (NotStarted, PenstockError, ValueError, OSError) as error:
            note("reload failed", level=logging.ERROR, reason=str(error))
        else:
            note("reloaded", url=self._listening.url, workers=self._settings.workers)
        await self._ready()

    async def _replace(self) -> None:
        settings = _checked(self._read())
        host, port, workers = settings.host, settings.port, settings.workers
        listening, size = self._listening, self._listening.size
        if listening.is_for(host, port):
            listening.grow(workers)
        else:
            listening, size = Listening.opened(host, port, workers, beside=listening), 0
        generation = self._generation(settings, listening)
        try:
            await generation.begin()
        except BaseException:
            listening.shrink(size)
            raise
        before, self._current = self._current, generation
        self._settings = settings
        if listening is not self._listening:
            self._listening.close()
            self._listening = listening
        if before is not None:
            self._leave(before)

    async def _end(self) -> None:
        """Let all workers finish what they do; another signal has them cut it."""
        await self._notices.stopping()
        note("stopping")
        if self._reloading is not None:
            await _cancelled(self._reloading)
        if self._current is not None:
            self._leave(self._current)
        ends = asyncio.gather(*self._leaving)
        again = asyncio.create_task(self._told_to_end())
        waits: list[asyncio.Future[Any]] = [ends, again]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if again.done():
            await asyncio.gather(*(one.hurry() for one in self._leaving.values()))
        again.cancel()
        await ends
        note("stopped")

    def _leave(self, generation: Generation) -> None:
        task = asyncio.create_task(generation.end())
        self._leaving[task] = generation
        task.add_done_callback(lambda ended: self._leaving.pop(ended, None))

    def _generation(self, settings: Settings, listening: Listening) -> Generation:
        def start(slot: int) -> Child:
            sockets = listening.of(slot, settings.workers)
            environment = {**fixed(settings, slot), **self._protocol(slot, len(sockets))}
            child = Child(slot, _COMMAND, environment, sockets, self._speech.say)
            self._children[child.pid] = child
            child.ended.add_done_callback(lambda _: self._children.pop(child.pid))
            return child

        return Generation(
            start,
            settings.workers,
            draining=settings.shutdown_timeout,
            patience=self._patience,
            lost=self._lose,
        )

    def _protocol(self, slot: int, sockets: int) -> dict[str, str]:
        return {
            "LISTEN_FDS": str(sockets),
            PARENT: str(os.getpid()),
            SLOT: str(slot),
            "NOTIFY_SOCKET": self._hearing.address,
            "WATCHDOG_USEC": str(int(self._patience * 1e6)),
            "PROMETHEUS_MULTIPROC_DIR": self._metrics,
        }

    def _heard(self, pid: int, lines: set[str]) -> None:
        if (child := self._children.get(pid)) is not None:
            child.heard = time.monotonic()
            if "READY=1" in lines:
                child.ready.set()

    def _lose(self, code: int) -> None:
        note("given up", level=logging.ERROR, reason="no worker stays alive")
        self._code = code
        self.told.put_nowait(0)

    async def _ready(self) -> None:
        workers = self._settings.workers
        await self._notices.ready(f"{workers} workers serve {self._listening.url}")

    async def _unless_told(self, work: Coroutine[Any, Any, None]) -> bool:
        """Whether the work was done before a signal came that ends it."""
        doing, told = asyncio.create_task(work), asyncio.create_task(self._told_to_end())
        await asyncio.wait([doing, told], return_when=asyncio.FIRST_COMPLETED)
        await _cancelled(told)
        if not doing.done():
            await _cancelled(doing)
            return False
        await doing
        return told.cancelled()  # it may have come at the same moment

    async def _told_to_end(self) -> None:
        while await self.told.get() == signal.SIGHUP:
            pass


class _Speech:
    """Passes on what workers print, each line once however many of them print it.

    Nothing is printed before the line that tells where they listen.
    """

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._held: list[str] | None = []

    def begin(self, first: str) -> None:
        held, self._held = self._held or [], None
        for line in (first, *held):
            _print(line)

    def say(self, line: str) -> None:
        if _LISTENS in line or line in self._said:
            return
        self._said.add(line)
        if self._held is not None:
            self._held.append(line)
        else:
            _print(line)


def fixed(settings: Settings, slot: int) -> dict[str, str]:
    """The variables that give a worker these settings, whatever penstock.toml says by then.

    So all workers of a generation have the same, whenever they begin. The first one does jobs.
    """
    ours = {f"{_PREFIX}{name.upper()}" for name in type(settings).model_fields}
    others = {name: value for name, value in os.environ.items() if name.upper() not in ours}
    given = {name: _text(value) for name, value in settings}
    if slot:
        given["worker"] = _text(False)
    return others | {f"{_PREFIX}{name.upper()}": value for name, value in given.items()}


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _print(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # who wanted the first lines only serves on
        print(line, file=sys.stdout, flush=True)  # noqa: T201
