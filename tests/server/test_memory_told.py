"""``GET /debug/memory``, and where tasks and threads stand: of the process that answers."""

import asyncio
import os
import threading

import pytest

from penstock.server.observing import memory
from tests.server.conftest import Api

KEYS = [
    *("alloc_mb", "goroutines", "heap_alloc_mb", "heap_inuse_mb", "heap_sys_mb", "num_gc"),
    *("sys_mb", "total_alloc_mb"),
]
MIB = 1 << 20


async def told(api: Api, query: str = "") -> dict[str, float]:
    response, _ = await api.call("GET", f"/debug/memory{query}")
    assert response.status == 200
    document: dict[str, float] = await response.json()
    return document


async def test_it_has_the_eight_keys_of_stream_download_in_their_order(api: Api) -> None:
    assert list(await told(api)) == KEYS


async def test_every_number_is_more_than_nothing(api: Api) -> None:
    assert all(value > 0 for value in (await told(api)).values())


async def test_memory_that_is_held_is_seen_and_seen_to_go(api: Api) -> None:
    before = await told(api)
    held = bytearray(os.urandom(1)) * (256 * MIB)
    during = await told(api)
    del held
    after = await told(api)

    for key in ("alloc_mb", "heap_alloc_mb", "heap_inuse_mb", "heap_sys_mb", "sys_mb"):
        assert during[key] - before[key] > 200, key
        assert during[key] - after[key] > 200, key
    assert after["total_alloc_mb"] >= during["total_alloc_mb"] > before["total_alloc_mb"]


async def test_tasks_and_threads_are_its_goroutines(api: Api) -> None:
    before = await told(api)
    over = threading.Event()
    threads = [threading.Thread(target=over.wait) for _ in range(20)]
    tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(20)]
    for thread in threads:
        thread.start()

    during = await told(api)

    over.set()
    for task in tasks:
        task.cancel()
    for thread in threads:
        thread.join()
    assert during["goroutines"] - before["goroutines"] >= 30  # others may end meanwhile


async def test_verbose_tells_more(api: Api) -> None:
    document = await told(api, "?verbose")

    assert document["pid"] == os.getpid()
    assert document["peak_mb"] >= document["sys_mb"] * 0.9


async def test_without_glibc_what_is_private_stands_for_the_heap(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_mallinfo2", lambda: None)

    document = await told(api)

    assert document["heap_alloc_mb"] == document["heap_inuse_mb"] == document["heap_sys_mb"] > 0


async def test_tasks_are_shown_with_the_line_where_they_wait_and_no_value(api: Api) -> None:
    async def waits_for_ever(secret: str) -> None:
        await asyncio.sleep(len(secret) * 1000)

    task = asyncio.create_task(waits_for_ever("do-not-show"), name="the-one")
    await asyncio.sleep(0)

    text = (await api.get("/debug/tasks")).decode()

    task.cancel()
    assert "the-one" in text
    assert "server/test_memory_told.py" in text
    assert "waits_for_ever" in text
    assert "do-not-show" not in text


async def test_threads_are_shown_with_the_line_where_they_are(api: Api) -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="waiting-thread")
    thread.start()

    text = (await api.get("/debug/threads")).decode()

    over.set()
    thread.join()
    assert "waiting-thread\n" in text
    assert "threading.py" in text.partition("waiting-thread\n")[2]
