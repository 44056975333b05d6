"""Readers and nodes that take their time: nobody else waits for them, and nothing is read twice."""

import asyncio
import hashlib
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial

import pytest
from aiohttp import web
from isal.isal_zlib import crc32

from penstock.cluster import fetching
from penstock.cluster.choosing import candidates
from penstock.cluster.reading import Reads
from tests.client.proxy import proxy_to
from tests.cluster.conftest import StartCluster
from tests.cluster.here import SECRET
from tests.cluster.imposters import imposter
from tests.eventually import eventually
from tests.s3.files import content, get, put
from tests.serving import RunningNode

MIB = 1 << 20
DATA = content(24 * MIB + 5)


async def test_a_part_whose_node_falls_silent_before_it_is_wanted_is_asked_for_again(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(1, replicas=1, parts=2, silence=1.0)
    await put(cluster.store, "a", DATA, size=len(DATA))
    got = bytearray()
    async with proxy_to(f"http://{cluster.nodes[0].address}") as proxy:
        cluster.nodes[0].address = proxy.url
        await cluster.hear()
        proxy.stall_answers = [len(DATA), 3 * MIB // 2]

        async for data in cluster.store.read("a"):
            got += data
            if len(got) == 9 * MIB:
                assert await eventually(lambda: proxy.connections == 2, 30)
                await asyncio.sleep(1.5)  # until the second connection has broken off

    assert bytes(got) == DATA
    assert proxy.connections > 2


async def test_a_block_that_took_too_long_to_verify_goes_through_the_digest_once(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start_cluster(1, replicas=1, parts=1)
    written = await put(cluster.store, "a", DATA, size=len(DATA))
    calls = 0

    def slow_crc32(data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls in (4, 22):  # read from the socket, and through the loop
            time.sleep(3)
        return crc32(data)

    monkeypatch.setattr(fetching, "crc32", slow_crc32)
    monkeypatch.setattr(fetching, "_SLOWEST", 2.0)

    assert await get(cluster.store, "a") == DATA
    assert written.sha256 == hashlib.sha256(DATA).digest()


async def test_an_answer_in_chunks_is_read_as_well(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(1, replicas=1, parts=1)
    await put(cluster.store, "a", DATA, size=len(DATA))
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        span = request.http_range
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = f"bytes {span.start}-{len(DATA) - 1}/{len(DATA)}"
        response.enable_chunked_encoding()
        await response.prepare(request)
        for at in range(span.start, len(DATA), 100_000):
            await response.write(DATA[at : at + 100_000])
        return response

    async with imposter(cluster, 0, answer):
        assert await get(cluster.store, "a") == DATA

    assert asked == 1


async def test_who_waits_for_bytes_keeps_no_thread(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(1, replicas=1, parts=1, silence=60)
    await put(cluster.store, "a", DATA, size=len(DATA))
    info = await cluster.store.stat("a")
    pool = ThreadPoolExecutor(2, "few-threads")
    reads = Reads(replace(cluster.shared, pool=pool))
    many = 20
    async with proxy_to(f"http://{cluster.nodes[0].address}") as proxy, AsyncExitStack() as stack:
        cluster.nodes[0].address = proxy.url
        await cluster.hear()
        proxy.stall_answers = [5 * MIB // 2] * many
        readers = [
            await stack.enter_async_context(
                aclosing(reads.read("a", info.etag, info.size, 0, info.size))
            )
            for _ in range(many)
        ]
        await asyncio.gather(*map(anext, readers))
        await asyncio.gather(*map(anext, readers))
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]

        async with asyncio.timeout(30):
            await asyncio.get_running_loop().run_in_executor(pool, int)

        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await reads.close()
    await asyncio.to_thread(pool.shutdown)


async def test_a_node_is_not_blamed_for_giving_up_what_nobody_read(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = await start_cluster(1, replicas=1, parts=1)
    await put(cluster.store, "a", DATA, size=len(DATA))
    async with proxy_to(f"http://{cluster.nodes[0].address}") as proxy:
        cluster.nodes[0].address = proxy.url
        await cluster.hear()

        for rested, blamed in ((0.0, False), (3600.0, True)):
            monkeypatch.setattr(fetching, "_RESTED", rested)
            proxy.cut_answers = [5 * MIB]
            assert await get(cluster.store, "a") == DATA
            assert cluster.members.is_troubled(cluster.nodes[0].id) is blamed


async def test_a_node_that_is_stopped_while_it_sends_is_not_missed(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(2, parts=1)
    await put(cluster.store, "a", DATA, size=len(DATA))
    [part] = await cluster.parts("a")
    first = candidates(part, cluster.members)[0].id
    number = [member.id for member in cluster.nodes].index(first)
    member = cluster.nodes[number]
    await cluster.kill(number)
    process = await asyncio.to_thread(partial(RunningNode, member.folder, secret=SECRET))
    try:
        member.address, member.speaks = process.address, True
        await cluster.hear()
        got = bytearray()

        async for data in cluster.store.read("a"):
            if not got:
                process.process.send_signal(signal.SIGSTOP)
            got += data

        assert bytes(got) == DATA
    finally:
        await asyncio.to_thread(process.kill)


async def test_a_node_that_sends_a_byte_now_and_then_is_given_up(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_SLOWEST", 3.0)
    cluster = await start_cluster(2, parts=1)
    await put(cluster.store, "a", DATA, size=len(DATA))
    [part] = await cluster.parts("a")
    first = candidates(part, cluster.members)[0].id
    begun = 0

    async def trickle(request: web.Request) -> web.StreamResponse:
        nonlocal begun
        begun += 1
        start = request.http_range.start
        response = web.StreamResponse(status=206)
        response.headers["Content-Range"] = f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"
        response.content_length = len(DATA) - start
        await response.prepare(request)
        await response.write(DATA[start : start + 3 * MIB])
        for at in range(start + 3 * MIB, len(DATA)):
            await response.write(DATA[at : at + 1])
            await asyncio.sleep(0.2)
        return response

    async with imposter(cluster, [member.id for member in cluster.nodes].index(first), trickle):
        async with asyncio.timeout(60):
            assert await get(cluster.store, "a") == DATA

    assert begun
