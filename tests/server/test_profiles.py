"""``POST /debug/profile/…``: what the server spends its time and memory on."""

import asyncio
import glob
import json
import os
import shutil
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from penstock.server.observing import cpu_profile, heap_profile, profiling
from tests.server.conftest import Api

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def busy() -> Iterator[None]:
    """A thread that does nothing but work, in a function that a profile will name."""
    over = threading.Event()

    def working_hard() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=working_hard)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def allocating() -> Iterator[None]:
    """A thread that keeps more and more."""
    over = threading.Event()

    def keeping_all() -> None:
        kept = []
        while not over.wait(0.01):
            kept.append(bytearray(100_000))

    thread = threading.Thread(target=keeping_all)
    thread.start()
    yield
    over.set()
    thread.join()


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A py-spy that may not look into the process, as in most containers."""
    program = shutil.which("false")
    assert program is not None
    monkeypatch.setattr(cpu_profile, "_py_spy", lambda: program)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For what is written meanwhile: others on this machine may make profiles too."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def needs(module: str) -> None:
    program = Path(sysconfig.get_path("scripts")) / module
    if not program.exists():
        pytest.skip(f"{module} is not installed")


def leavings() -> list[str]:
    return glob.glob(f"{tempfile.gettempdir()}/penstock-profile-*")


async def nothing_is_left() -> None:
    """Wait for it."""
    async with asyncio.timeout(30):
        while await asyncio.to_thread(leavings):
            await asyncio.sleep(0.02)


class Held:
    """A function that waits, when it is called, until it may go on."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self._is_called, self._may_go_on = threading.Event(), threading.Event()

    def __call__(self, *arguments: object, **named: object) -> object:
        self._is_called.set()
        assert self._may_go_on.wait(60)
        return self._work(*arguments, **named)

    async def cancel_meanwhile(self, work: Coroutine[Any, Any, object]) -> None:
        """Cancel what calls it while it waits."""
        task = asyncio.create_task(work)
        await asyncio.to_thread(self._is_called.wait)
        task.cancel()
        await asyncio.sleep(0)
        self._may_go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task


async def profile(api: Api, what: str) -> tuple[str, bytes]:
    """Who made it, and the file."""
    response, body = await api.call("POST", f"/debug/profile/{what}")
    assert response.status == 200, body
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["Content-Security-Policy"].startswith("sandbox")
    return response.headers["X-Profile-Maker"], body


@pytest.mark.usefixtures("busy")
async def test_a_busy_function_is_named_by_the_profile_of_the_processor(api: Api) -> None:
    needs("py-spy")

    _, folded = await profile(api, "cpu?seconds=1&format=raw")

    assert b"working_hard" in folded
    assert await asyncio.to_thread(leavings) == []


@pytest.mark.usefixtures("busy", "refused")
async def test_where_py_spy_may_not_look_the_process_samples_itself(api: Api) -> None:
    maker, folded = await profile(api, "cpu?seconds=0.5&format=raw")

    assert maker == "samples"
    working = [line for line in folded.decode().splitlines() if "working_hard" in line]
    assert sum(int(line.rpartition(" ")[2]) for line in working) > 2


@pytest.mark.usefixtures("busy", "refused")
async def test_samples_are_drawn_as_a_picture_without_scripts(api: Api) -> None:
    _, picture = await profile(api, "cpu?seconds=0.5")

    drawn = ElementTree.fromstring(picture)
    assert any("working_hard" in (title.text or "") for title in drawn.iter(f"{SVG}title"))
    assert b"<script" not in picture


@pytest.mark.usefixtures("busy", "refused")
async def test_samples_are_told_to_speedscope(api: Api) -> None:
    _, body = await profile(api, "cpu?seconds=0.5&format=speedscope")

    document = json.loads(body)
    (only,) = document["profiles"]
    assert len(only["samples"]) == len(only["weights"])
    assert only["endValue"] == sum(only["weights"])
    assert any("working_hard" in frame["name"] for frame in document["shared"]["frames"])


@pytest.mark.usefixtures("allocating")
async def test_a_function_that_keeps_memory_is_named_by_the_profile_of_the_memory(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("memray")
    monkeypatch.setattr(sys, "argv", ["penstock", "--s3-secret-key", "do-not-show"])

    maker, table = await profile(api, "heap?seconds=0.5&format=csv")
    _, page = await profile(api, "heap?seconds=0.2")

    assert maker == "memray"
    assert b"keeping_all" in table
    assert b"do-not-show" not in page
    assert await asyncio.to_thread(leavings) == []


@pytest.mark.usefixtures("refused")
async def test_one_profile_is_made_at_a_time(api: Api) -> None:
    first = asyncio.create_task(api.call("POST", "/debug/profile/cpu?seconds=60"))
    while not await asyncio.to_thread(leavings):
        await asyncio.sleep(0.02)

    second, _ = await api.call("POST", "/debug/profile/heap?seconds=50")

    assert not first.done()
    first.cancel()
    await nothing_is_left()
    assert second.status == 503
    assert second.headers["Retry-After"] == "50"


@pytest.mark.usefixtures("refused")
async def test_a_profile_ends_when_nobody_waits_for_it(api: Api) -> None:
    waiting = asyncio.create_task(api.call("POST", "/debug/profile/cpu?seconds=60"))
    while not await asyncio.to_thread(leavings):
        await asyncio.sleep(0.02)
    waiting.cancel()

    await nothing_is_left()

    response, _ = await api.call("POST", "/debug/profile/cpu?seconds=0.1")
    assert response.status == 200


async def test_nothing_is_tracked_any_more_when_who_asked_left_as_it_began(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs("memray")
    held = Held(heap_profile._begin)
    with monkeypatch.context() as patch:
        patch.setattr(heap_profile, "_begin", held)
        await held.cancel_meanwhile(heap_profile.heap_profile(str(tmp_path), 60, "csv"))

    await profile(api, "heap?seconds=0.1&format=csv")


async def test_no_folder_is_left_when_who_asked_left_as_it_was_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def use() -> None:
        async with profiling._folder():
            await asyncio.sleep(60)

    held = Held(tempfile.mkdtemp)
    monkeypatch.setattr(tempfile, "mkdtemp", held)

    await held.cancel_meanwhile(use())

    await nothing_is_left()


@pytest.mark.usefixtures("refused")
async def test_what_a_killed_process_left_is_removed_by_the_next_profile(
    api: Api, tmp_path: Path
) -> None:
    old, new = tmp_path / "penstock-profile-old", tmp_path / "penstock-profile-new"
    for folder in (old, new):
        folder.mkdir()
        (folder / "recorded").touch()
    os.utime(old, (time.time() - 7200,) * 2)

    await profile(api, "cpu?seconds=0.1&format=raw")

    assert await asyncio.to_thread(leavings) == [str(new)]


@pytest.mark.parametrize(
    "query", ["seconds=0", "seconds=61", "seconds=x", "seconds=nan", "format=x"]
)
async def test_what_makes_no_sense_is_refused(api: Api, query: str) -> None:
    response, _ = await api.call("POST", f"/debug/profile/cpu?{query}")

    assert response.status == 400


async def test_without_the_extra_it_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: os.devnull)

    response, body = await api.call("POST", "/debug/profile/cpu?seconds=1")

    assert response.status == 500
    assert json.loads(body)["code"] == "missing-extra"
    assert b"penstock[profile]" in body
