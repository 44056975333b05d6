"""Worker processes that archive, and how they come to grief at a chosen request to S3.

::

    workers.start()
    front.wrong(nth(PART, 3), workers.replaced(PART))
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.s3.front import Act, Exchange, Kind, Seen, as_answer, seen_of

LEASE = 2.5
"""Seconds after which others go on with what a worker held."""

_PROGRAM = Path(__file__).with_name("archive_worker.py")


def nth(kind: Kind, number: int) -> Kind:
    """The request with this number of that kind, counted from now."""
    left = number

    def matches(seen: Seen) -> bool:
        nonlocal left
        left -= kind(seen)
        return left == 0 and kind(seen)

    return matches


class Workers:
    """Processes on the same settings; those of one host have ``data`` in common.

    Without a ``lease`` they are ``penstock worker``, which has the usual one.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, Any], lease: float | None = LEASE
    ) -> None:
        self._folder = folder
        self._settings = dict(settings)
        self._lease = lease
        self.started: list[subprocess.Popen[bytes]] = []
        self.replacements = 0
        self.log = folder / "workers.log"

    def start(self, **more: Any) -> "subprocess.Popen[bytes]":
        """One more."""
        settings = {**self._settings, **more}
        settings = {name: str(value) for name, value in settings.items()}
        command = [sys.executable, str(_PROGRAM), json.dumps(settings), str(self._lease)]
        if self._lease is None:
            command = [sys.executable, "-m", "penstock", "worker"]
        named = {f"PENSTOCK_{name.upper()}": value for name, value in settings.items()}
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, **named})
        self.started.append(process)
        return process

    def replaced(self, answered: Kind) -> Act:
        """The last one is killed, when S3 has ``answered`` or else before it is asked; another
        one takes its place."""

        async def act(exchange: Exchange) -> web.StreamResponse:
            if answered(seen_of(exchange.request)):
                await exchange.passed()
            await self._kill(self.started[-1])
            return web.Response(status=500)  # that nobody gets

        return act

    def frozen(self, done: asyncio.Event) -> Act:
        """The first one is stopped when S3 has done what it asked; ``done`` is set then."""

        async def act(exchange: Exchange) -> web.StreamResponse:
            answer = await exchange.passed()
            self.started[0].send_signal(signal.SIGSTOP)
            done.set()
            return as_answer(exchange.request, *answer)

        return act

    def has_replaced(self, number: int) -> bool:
        """Whether so many were killed and replaced."""
        return self.replacements == number

    async def _kill(self, victim: "subprocess.Popen[bytes]") -> None:
        assert victim.poll() is None
        victim.kill()
        await asyncio.to_thread(victim.wait)
        self.replacements += 1
        self.start()

    def end(self) -> None:
        """Kill what is left."""
        for process in self.started:
            process.kill()
            process.wait()


StartWorkers = Callable[..., Workers]


@pytest.fixture
def start_workers(tmp_path: Path) -> Iterator[StartWorkers]:
    """Have worker processes, which are killed after the test."""
    begun: list[Workers] = []

    def start(settings: Mapping[str, Any], **more: Any) -> Workers:
        workers = Workers(tmp_path, settings, **more)
        begun.append(workers)
        return workers

    yield start
    for workers in begun:
        workers.end()
