"""The console client and a server with a slow line between them, which also breaks.

The presets of the line are in ``tools/netshape``; the time limits are far below what the
transfers take, as the default ones are with files of some gigabytes.
"""

import asyncio
import os
import pty
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.serving import RunningServer
from tools.netshape.hosts import Link, line
from tools.netshape.shape import PRESETS, NoNamespaces, Shape

TIMEOUT = 1.5
"""Seconds of silence that client and server allow."""


@dataclass
class Place:
    """A server behind the line, and a folder for a client before it."""

    shape: Shape
    link: Link
    server: RunningServer
    folder: Path

    def file(self, name: str, seconds: float) -> Path:
        """Random bytes that the line needs so many seconds for."""
        path = self.folder / name
        path.write_bytes(os.urandom(int(self.shape.bytes_per_second * seconds)))
        return path

    def store(self, key: str, seconds: float) -> bytes:
        """A file of the server's store, put there without the line."""
        content = self.file(key, seconds).read_bytes()
        (self.server.data / "files").mkdir(exist_ok=True)
        (self.server.data / "files" / key).write_bytes(content)
        return content

    async def start(self, *words: str, stderr: int = asyncio.subprocess.PIPE) -> "Command":
        """The console client, begun; it is patient enough for what the line does."""
        options = ("--server", self.server.url, "--timeout", str(TIMEOUT), "--tries", "20")
        command = (sys.executable, "-m", "penstock", *words, *options)
        process = await asyncio.create_subprocess_exec(
            *self.link.near.command(*command),
            cwd=self.folder,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )
        return Command(process)


@dataclass
class Command:
    process: asyncio.subprocess.Process

    async def ends_well(self) -> None:
        """Wait for it, and say what it said if it failed."""
        try:
            async with asyncio.timeout(90):
                _, said = await self.process.communicate()
        finally:
            if self.process.returncode is None:
                self.process.kill()
                await self.process.wait()
        assert self.process.returncode == 0, said


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Place]]:
    """One for each preset."""
    with ExitStack() as running:
        yield {
            preset: running.enter_context(placed(shape, tmp_path_factory.mktemp("line")))
            for preset, shape in PRESETS.items()
        }


@contextmanager
def placed(shape: Shape, folder: Path) -> Iterator[Place]:
    with ExitStack() as running:
        try:
            link = running.enter_context(line(shape))
        except NoNamespaces as reason:
            pytest.skip(str(reason))
        server = RunningServer(
            folder / "data",
            link.far.command(),
            host=link.far.address,
            access="off",
            stall_timeout=TIMEOUT,
        )
        running.callback(server.kill)
        yield Place(shape, link, server, folder)


async def everywhere(places: dict[str, Place], work: Callable[[Place], Awaitable[None]]) -> None:
    """Do the same in all places at once; the lines do not disturb each other."""
    await asyncio.gather(*(work(place) for place in places.values()))


async def test_a_slow_but_living_download_is_not_given_up(places: dict[str, Place]) -> None:
    async def comes_once(place: Place) -> None:
        content = place.store("film", seconds=4)
        before = place.link.came_down()

        await (await place.start("get", "film", "-o", "copy")).ends_well()

        assert (place.folder / "copy").read_bytes() == content
        assert place.link.came_down() - before < 1.35 * len(content)

    await everywhere(places, comes_once)


async def test_a_slow_but_living_upload_is_not_given_up(places: dict[str, Place]) -> None:
    async def goes_once(place: Place) -> None:
        source = place.file("source", seconds=4)
        before = place.link.went_up()

        await (await place.start("put", "source", "--to", "sent")).ends_well()

        assert (place.server.data / "files" / "sent").read_bytes() == source.read_bytes()
        assert place.link.went_up() - before < 1.35 * source.stat().st_size

    await everywhere(places, goes_once)


async def test_a_download_goes_on_when_the_line_is_back(places: dict[str, Place]) -> None:
    async def is_resumed(place: Place) -> None:
        content = place.store("broken", seconds=4)
        before = place.link.came_down()

        getting = await place.start("get", "broken", "-o", "mended")
        assert await eventually(lambda: place.link.came_down() - before > len(content) / 3, 30)
        place.link.down()
        await asyncio.sleep(2 * TIMEOUT)  # both sides notice
        place.link.up()
        await getting.ends_well()

        assert (place.folder / "mended").read_bytes() == content
        assert place.link.came_down() - before < 1.6 * len(content)

    await everywhere(places, is_resumed)


async def test_the_estimate_of_the_time_to_go_is_honest(places: dict[str, Place]) -> None:
    place = places["4g"]
    content = place.store("estimated", seconds=8)
    terminal, theirs = pty.openpty()
    getting = await place.start("get", "estimated", "-o", "watched", stderr=theirs)
    os.close(theirs)
    reading = asyncio.ensure_future(asyncio.to_thread(estimates, terminal))

    await getting.ends_well()
    ended = time.monotonic()

    told = await reading
    os.close(terminal)
    assert (place.folder / "watched").read_bytes() == content
    early = [(at, left) for at, left in told if 2 < ended - at < 7]
    assert early
    for at, left in early:
        assert 0.6 * (ended - at) - 1 < left < 1.6 * (ended - at) + 1, told


def estimates(terminal: int) -> list[tuple[float, float]]:
    """When the progress bar told a time to go, and which, both in seconds."""
    told: list[tuple[float, float]] = []
    while True:
        try:
            text = os.read(terminal, 1 << 16)
        except OSError:  # EIO: the client has closed its side
            return told
        for hours, minutes, seconds in re.findall(rb"(\d+):(\d\d):(\d\d)", text):
            left = 3600 * int(hours) + 60 * int(minutes) + int(seconds)
            told.append((time.monotonic(), left))
