"""``penstock worker``: jobs of a server that does none, done in processes of their own."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import update

from penstock.catalog import GroupCommit, open_database, sqlite_url
from penstock.catalog.schema import jobs as table
from penstock.errors import Exit
from penstock.jobs import Jobs, State
from penstock.pulls import Wish
from tests.faults import Source, faulty, stall
from tests.pulls.pulling import Far, begin, ended, look, standing
from tests.serving import RunningServer, RunningWorker

STUBBORN = Path(__file__).with_name("stubborn.py")
MIB = 1 << 20
FILM = random.Random(7).randbytes(40 * MIB)
CAME = 36 * MIB
DURABLE = 32 * MIB

LEASE = 60.0
"""Seconds within which another worker surely goes on with what a dead one has left."""

StartWorker = Callable[[], RunningWorker]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that does no jobs; use keys that no other test uses."""
    folder = tmp_path_factory.mktemp("server")
    running = RunningServer(folder / "data", worker="false", remote_allow="127.0.0.1")
    yield running
    assert running.stop() == 0


@pytest.fixture
async def far(server: RunningServer) -> AsyncIterator[Far]:
    async with AsyncExitStack() as stack:
        yield Far(await stack.enter_async_context(aiohttp.ClientSession(server.url)))


@pytest.fixture
def start_worker(server: RunningServer) -> Iterator[StartWorker]:
    """Start workers on the server's folder; what is left of them is killed after the test."""
    started: list[RunningWorker] = []

    def start() -> RunningWorker:
        # It is a worker whatever the settings say of the server.
        worker = RunningWorker(server.data, remote_allow="127.0.0.1", pulls=2, worker="false")
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()


async def stored(far: Far, key: str) -> bytes:
    response, body = await far.call("GET", f"/v1/files/{key}")
    assert response.status == 200
    return body


async def test_what_a_server_is_asked_for_is_done_by_a_worker(
    server: RunningServer, far: Far, start_worker: StartWorker, source: Source
) -> None:
    pull = await begin(far, source.serve("/film", FILM, etag='"v1"'), "asked")

    worker = await asyncio.to_thread(start_worker)
    done = await ended(far, pull, LEASE)

    assert worker.announced == "large (1), pull (2), small (2)"
    assert (done["state"], done["attempts"]) == ("done", 1)
    assert await stored(far, "asked") == FILM
    assert await asyncio.to_thread(worker.stop) == 0
    log = server.log.read_text()
    assert f'"id": "{pull["id"]}"' in log
    assert '"event": "job done"' in log


async def test_another_worker_goes_on_for_one_that_is_killed(
    server: RunningServer, far: Far, start_worker: StartWorker, source: Source
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[stall(CAME)])
    pull = await begin(far, url, "killed")
    victim = await asyncio.to_thread(start_worker)
    await standing(far, pull, lambda now: now["received"] >= CAME)
    await asyncio.to_thread(start_worker)

    await asyncio.to_thread(victim.kill)
    await asyncio.to_thread(lease_is_over, server, pull["id"])

    done = await ended(far, pull, LEASE)
    first, second = source.ranges
    assert (done["state"], done["attempts"], first) == ("done", 2, None)
    assert second is not None
    assert int(second.removeprefix("bytes=").removesuffix("-")) >= DURABLE
    assert await stored(far, "killed") == FILM


def lease_is_over(server: RunningServer, identity: str) -> None:
    """What the next 15 seconds would bring."""
    engine = open_database(catalog_of(server))
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == identity).values(due=1.0))
    engine.dispose()


def catalog_of(server: RunningServer) -> str:
    return sqlite_url(server.data / "catalog.sqlite")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_worker_that_is_asked_to_end_gives_its_jobs_back(
    far: Far, start_worker: StartWorker, source: Source, number: signal.Signals
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[stall(CAME)])
    pull = await begin(far, url, f"given-back-{number}")
    worker = await asyncio.to_thread(start_worker)
    await standing(far, pull, lambda now: now["received"] >= CAME)

    worker.process.send_signal(number)

    assert await asyncio.to_thread(worker.process.wait, 60) == 0
    left = await standing(far, pull, lambda now: now["state"] == "waiting")
    assert left["attempts"] == 0  # as if it had never begun
    # Everything that had come is durable.
    assert left["received"] == CAME
    await far.call("DELETE", f"/v1/jobs/{pull['id']}")


async def test_a_second_signal_ends_a_worker_whose_handler_does_not(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(STUBBORN), sqlite_url(tmp_path / "catalog.sqlite")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGTERM)
        assert await process.stdout.readline() == b"asked to end\n"

        process.send_signal(signal.SIGTERM)

        assert await process.wait() == Exit.INTERRUPTED


async def test_a_paused_lane_holds_jobs_back_from_every_worker(
    server: RunningServer, far: Far, start_worker: StartWorker, source: Source
) -> None:
    async def change(paused: bool) -> dict[str, Any]:
        async with far.session.put("/v1/lanes/pull", json={"paused": paused}) as response:
            lane: dict[str, Any] = await response.json()
        return lane

    await change(paused=True)
    url = source.serve("/film", b"x", etag='"v1"')
    pull = await begin(far, url, "held")
    await asyncio.to_thread(start_worker)
    # A job of another lane that was queued later is done: the worker has looked at all lanes.
    await done_in("small", Wish(url=url, key="let-through"), server)

    held = await look(far, pull)
    lane = await change(paused=False)

    assert (held["state"], held["attempts"]) == ("waiting", 0)
    assert (lane["paused"], lane["waiting"]) == (False, 1)
    assert (await ended(far, pull, LEASE))["state"] == "done"


async def done_in(lane: str, wish: Wish, server: RunningServer) -> None:
    """Queue a pull in another lane than the usual one, and wait for its end."""
    engine = await asyncio.to_thread(open_database, catalog_of(server))
    commits = GroupCommit(engine)
    jobs = Jobs(engine, commits)
    job, _ = await jobs.enqueue("pull", wish.to_spec(), lane=lane)
    async with asyncio.timeout(LEASE), aclosing(jobs.watch(job.id)) as stands:
        states = [now.state async for now in stands]
    assert states[-1] is State.DONE
    await jobs.close()
    await commits.close()
    await asyncio.to_thread(engine.dispose)


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if "PENSTOCK" not in name}
    return subprocess.run(
        [sys.executable, "-m", "penstock", "worker", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--pulls", "0", "--archives", "0", "--archives-large", "0"], "nothing to do"),
        (["--store", "memory://"], "memory"),
        (["--port", "1"], "--port"),
    ],
)
def test_a_worker_that_cannot_work_says_so(tmp_path: Path, arguments: list[str], told: str) -> None:
    ran = run(tmp_path, *arguments)

    assert ran.returncode == Exit.USAGE
    assert ran.stderr.startswith("penstock: error: ")
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
