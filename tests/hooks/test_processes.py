"""Several processes deliver from one catalog, are killed and frozen, and nothing is lost."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from sqlalchemy import Engine

from penstock.catalog import Outbox
from tests.hooks.conftest import emptied, record
from tests.hooks.hearing import SECRET, Hearing, held

_DELIVER = Path(__file__).with_name("deliver.py")

ROUNDS = 8
UPLOADS = "abcdefghijklmnopqrst"

Process = subprocess.Popen[bytes]
StartProcess = Callable[..., Process]


@pytest.fixture
def start_process(url: str, receiver: Hearing) -> Iterator[StartProcess]:
    """Start processes that deliver; what is left of them is killed after the test."""
    started: list[Process] = []

    def start(lease: float = 2.0) -> Process:
        process = subprocess.Popen(
            [sys.executable, str(_DELIVER), url, receiver.url, SECRET, str(lease)]
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_kills_lose_nothing_and_mix_nothing_up(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_process: StartProcess
) -> None:
    dice = random.Random(4)

    async def moody(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(dice.uniform(0, 0.05))
        return web.Response(status=dice.choice([200, 200, 200, 500]))

    receiver.every_answer = moody
    processes = [start_process() for _ in range(3)]
    events = []
    for n in range(ROUNDS):
        told = [f"{upload}{n:02}" for upload in UPLOADS]
        await record(engine, outbox, *told)
        events += told
        # A kill only counts while something is being delivered.
        seen = len(receiver.heard)
        await receiver.count(seen + dice.randrange(1, 10))
        victim = processes.pop(dice.randrange(3))
        victim.kill()
        victim.wait()
        processes.append(start_process())
    await emptied(outbox, timeout=200)

    first_heard = list(dict.fromkeys(receiver.names))
    assert sorted(first_heard) == sorted(events)
    for upload in UPLOADS:
        of_one = [name for name in first_heard if name[0] == upload]
        assert of_one == sorted(of_one)
    ids = {(heard.name, heard.id) for heard in receiver.heard}
    assert len(ids) == len(events)
    assert await outbox.dead() == 0


async def test_a_process_that_was_frozen_does_not_meddle(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_process: StartProcess
) -> None:
    release, later = asyncio.Event(), asyncio.Event()
    receiver.answers = [held(release), 200, held(later)]
    await record(engine, outbox, "a1", "a2", "a3")
    frozen = start_process(lease=4)
    await receiver.count(1)
    # Its lease ends while it is frozen, and so does its patience with the receiver.
    frozen.send_signal(signal.SIGSTOP)
    start_process(lease=60)
    await receiver.count(3)  # a1 again, and a2, which is held

    release.set()
    frozen.send_signal(signal.SIGCONT)
    # It learns that a1 was taken, and has time to do harm before a2 is answered.
    await asyncio.sleep(1)
    assert await outbox.waiting() == 2
    later.set()
    await emptied(outbox)

    assert receiver.names == ["a1", "a1", "a2", "a3"]
