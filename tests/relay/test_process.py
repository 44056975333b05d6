"""The relay as a process: killed, ended, started again; its folder and its bounds."""

import asyncio
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.eventually import eventually
from tests.faults import Source, faulty, throttle
from tests.relay.running import COMMAND, RunningRelay

MIB = 1 << 20
FILM = random.Random(7).randbytes(8 * MIB + 3)
KEY = "/v1/files/film"
NAME = "/download/film"

StartRelay = Callable[..., RunningRelay]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartRelay]:
    """Start relays on one folder; those that still run are killed after the test."""
    running: list[RunningRelay] = []

    def run(upstream: str, **options: object) -> RunningRelay:
        running.append(RunningRelay(tmp_path / "relay", upstream, **options))
        return running[-1]

    yield run
    for relay in running:
        relay.kill()


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    """An upstream that is slow enough to be caught in the middle."""
    async with faulty() as made:
        made.serve(KEY, FILM, etag='"v1"', always=throttle(6 * MIB))
        made.serve(NAME, FILM, etag='"v1"', always=throttle(6 * MIB))
        yield made


async def get(url: str) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200
        return await response.read()


async def begun(relay: RunningRelay, source: Source, path: str) -> "asyncio.Task[bytes]":
    """A caller, when some of the file has come."""
    before = source.sent
    caller = asyncio.create_task(get(relay.url + path))
    await source.until(lambda: ("GET", path) in {(one.method, one.path) for one in source.requests})
    await source.until(lambda: source.sent > before + len(FILM) // 4)
    return caller


async def noted(relay: RunningRelay) -> None:
    """Wait until the relay has noted, durably, that some of a file is there."""

    def is_noted() -> bool:
        states = relay.data.rglob("*.part.json")
        return any('"have": [[' in path.read_text() for path in states)

    assert await eventually(is_noted, seconds=20)


@pytest.mark.parametrize("path", [KEY, NAME])
async def test_a_killed_relay_goes_on_where_it_was(
    start: StartRelay, source: Source, path: str
) -> None:
    for served in source.files.values():
        served.always = throttle(2 * MIB)
    relay = start(source.url, parallel=1)
    caller = await begun(relay, source, path)
    await noted(relay)
    relay.kill()
    with pytest.raises(aiohttp.ClientError):
        await caller
    await source.all_closed()
    sent, source.files[path].always = source.sent, None

    again = start(source.url)
    said = await get(again.url + path)

    assert said == (FILM if path == KEY else b"Download complete")
    assert source.sent - sent < len(FILM)
    assert again.stop() == 0


async def test_what_was_incomplete_is_completed_without_a_caller(
    start: StartRelay, source: Source
) -> None:
    for served in source.files.values():
        served.always = throttle(2 * MIB)
    relay = start(source.url, shutdown_timeout=0, parallel=1)
    caller, waiting = [await begun(relay, source, path) for path in (KEY, NAME)]
    relay.process.send_signal(signal.SIGTERM)
    said = await asyncio.to_thread(relay.said)
    assert await asyncio.to_thread(relay.stop) == 0
    for one in (caller, waiting):
        with pytest.raises(aiohttp.ClientError):
            await one
    for served in source.files.values():
        served.always = None
    assert said == "2 incomplete; start the relay again to go on with what came\n"

    again = start(source.url, max_age=60)

    assert await eventually(lambda: '"fetched"' in again.log.read_text(), seconds=30)
    assert await eventually((again.data / "film").exists, seconds=30)
    assert await get(again.url + KEY) == FILM
    assert (again.data / "film").read_bytes() == FILM
    assert source.sent < 2.7 * len(FILM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_lets_answers_in_flight_finish(
    start: StartRelay, source: Source, number: signal.Signals
) -> None:
    relay = start(source.url)
    caller = await begun(relay, source, KEY)

    relay.process.send_signal(number)

    assert await caller == FILM
    assert await asyncio.to_thread(relay.stop) == 0


async def test_a_signal_lets_a_file_come_that_somebody_waits_for(
    start: StartRelay, source: Source
) -> None:
    relay = start(source.url)
    caller = await begun(relay, source, NAME)

    relay.process.send_signal(signal.SIGTERM)

    assert await caller == b"Download complete"
    assert await asyncio.to_thread(relay.stop) == 0
    assert (relay.data / "film").read_bytes() == FILM


async def test_two_relays_do_not_share_a_folder(start: StartRelay, source: Source) -> None:
    relay = start(source.url)

    second = subprocess.run(
        [*COMMAND, "--upstream", source.url, "--port", "0", "--dir", str(relay.data)],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert second.returncode == 5
    assert "another relay works in" in second.stderr
    assert "Traceback" not in second.stderr


async def test_memory_does_not_grow_with_slow_callers(start: StartRelay, source: Source) -> None:
    source.files[KEY].always = None
    relay = start(source.url)
    await get(relay.url + KEY)
    before = relay.memory()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        slow = [await session.get(relay.url + KEY) for _ in range(100)]
        during, open_files = relay.memory(), relay.descriptors()
        for response in slow:
            response.close()

    assert during < before + 12 * MIB
    assert await eventually(lambda: relay.descriptors() < open_files - 150)


async def test_headers_from_the_environment_reach_the_upstream(
    source: Source, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--upstream", source.url, "--port", "0", "--dir", str(tmp_path / "relay")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PENSTOCK_RELAY_HEADERS": "Authorization: Bearer x\nX-Other: y"},
    )
    assert process.stdout is not None
    url = (await asyncio.to_thread(process.stdout.readline)).split()[-1]
    source.files[KEY].always = None
    await get(url + KEY)
    process.kill()
    process.communicate()

    assert {seen.headers.get("authorization") for seen in source.requests} == {"Bearer x"}
    assert {seen.headers.get("x-other") for seen in source.requests} == {"y"}


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--upstream", "ftp://x"],
        ["--upstream", "http://user:secret@x"],
        ["--upstream", "http://x", "--cache-size", "much"],
        ["--upstream", "http://x", "--header", "no colon"],
        ["--upstream", "http://x", "--header", "Bad Name: x"],
        ["--upstream", "http://x", "--header", "X-Key: a\x01b"],
        ["--upstream", "http://x", "--header", "X-Key: a\nb"],
        ["--upstream", "http://x", "--header", "X-Key: €"],
        ["--upstream", "http://x", "--parallel", "0"],
    ],
)
def test_a_wrong_option_is_told(flags: list[str], tmp_path: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, *flags],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
    )

    assert ran.returncode == 2
    assert ran.stderr.startswith("penstock: error: ")
    assert os.listdir(tmp_path) == []
