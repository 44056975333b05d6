"""How often a token may ask, and how fast its bytes go."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from io import BytesIO

import pytest

from penstock.access import Grant, Scope
from penstock.errors import TooManyRequests
from penstock.octets.rate import BURST_SECONDS
from penstock.server.access.limits import Limits
from tests.server import tus_speaking
from tests.server.conftest import Api, StartApi
from tests.server.granting import As, guarded, with_token

RATE = 1 << 20
"""Bytes per second."""

DATA = os.urandom(int(1.25 * RATE))
LEAST = len(DATA) / RATE - 2 * BURST_SECONDS
"""Seconds that so many bytes take at least: a pause is made up for by a quarter of a second, and
the last bytes are not waited for."""

TEXT = (b"%d, that compresses well\n" * 60_000) % tuple(range(60_000))


@pytest.fixture
async def api(start_api: StartApi) -> Api:
    return await guarded(start_api)


@pytest.fixture
async def slow(api: Api) -> As:
    """A token whose bytes go at ``RATE``."""
    owner = await with_token(api)
    for key, data in (("data", DATA), ("text.txt", TEXT)):
        assert await owner.status("PUT", f"/v1/files/{key}", BytesIO(data)) == 201
    return await with_token(api, byte_rate=RATE)


def seconds_of(since: float) -> float:
    return time.monotonic() - since


async def test_a_token_that_asks_too_often_is_told_when_to_come_back(api: Api) -> None:
    eager = await with_token(api, request_rate=0.05)
    patient = await with_token(api)

    assert await eager.status("GET", "/v1/files") == 200
    response, body = await eager.call("GET", "/v1/files")

    assert response.status == 429
    assert response.content_type == "application/problem+json"
    assert json.loads(body)["code"] == "too-many-requests"
    assert 1 <= int(response.headers["Retry-After"]) <= 20
    assert await patient.status("GET", "/v1/files") == 200


def grant(
    requests: float | None = None, octets: int | None = None, actor: str = "token:a"
) -> Grant:
    scopes = frozenset({Scope.READ})
    return Grant(actor, "", scopes, request_rate=requests, byte_rate=octets)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(limits: Limits, asker: Grant, times: int) -> int:
    """How many of so many requests at once are admitted."""
    count = 0
    for _ in range(times):
        try:
            limits.admit(asker)
        except TooManyRequests:
            continue
        count += 1
    return count


def test_a_second_of_requests_may_come_at_once_and_those_refused_do_not_count() -> None:
    clock = Clock()
    limits = Limits(1, clock)

    assert admitted(limits, grant(5), 100) == 5
    clock.now += 1
    assert admitted(limits, grant(5), 100) == 5
    clock.now += 0.25
    assert admitted(limits, grant(5), 100) == 1


def test_of_several_processes_each_grants_its_share() -> None:
    limits = Limits(4, Clock())

    assert admitted(limits, grant(20), 100) == 5
    pace = limits.admit(grant(octets=1000, actor="token:b"))
    assert pace is not None
    assert pace.rate == 250


def test_a_request_every_while_is_admitted_however_seldom() -> None:
    clock = Clock()
    limits = Limits(8, clock)

    for _ in range(3):
        assert admitted(limits, grant(0.1), 10) == 1
        clock.now += 80


def test_tokens_do_not_wait_for_each_other() -> None:
    limits = Limits(1, Clock())

    assert admitted(limits, grant(3), 10) == 3
    assert admitted(limits, grant(3, actor="token:b"), 10) == 3


async def test_what_is_sent_keeps_the_pace(slow: As) -> None:
    since = time.monotonic()
    _, body = await slow.call("GET", "/v1/files/data")

    assert body == DATA
    assert seconds_of(since) >= LEAST


async def test_so_does_what_is_compressed_on_the_way(slow: As) -> None:
    since = time.monotonic()
    fields = {"Accept_Encoding": "gzip"}
    sizes = [len((await slow.call("GET", "/v1/files/text.txt", **fields))[1]) for _ in range(6)]

    assert sizes[0] < len(TEXT)
    assert seconds_of(since) >= sum(sizes) / RATE - 2 * BURST_SECONDS


@pytest.mark.parametrize("compress", ["store", "deflate"])
async def test_so_does_a_zip(slow: As, compress: str) -> None:
    since = time.monotonic()
    _, body = await slow.call("GET", f"/v1/zip?key=data&compress={compress}")

    assert len(body) >= len(DATA)
    assert seconds_of(since) >= LEAST


@pytest.mark.parametrize("resume_from", ["1KiB", "1GiB"])
async def test_what_comes_keeps_the_pace(start_api: StartApi, resume_from: str) -> None:
    slow = await with_token(await guarded(start_api, resume_from=resume_from), byte_rate=RATE)

    since = time.monotonic()
    assert await slow.status("PUT", "/v1/files/new", BytesIO(DATA)) == 201

    assert seconds_of(since) >= LEAST
    assert (await slow.call("GET", "/v1/files/new"))[1] == DATA


async def test_a_body_that_a_thread_would_read_keeps_it_too(start_api: StartApi) -> None:
    """From 16 MiB on a body is else taken from the socket itself."""
    api, rate = await guarded(start_api), 32 << 20
    slow = await with_token(api, byte_rate=rate)
    data = bytes(48 << 20)

    since = time.monotonic()
    assert await slow.status("PUT", "/v1/files/new", BytesIO(data)) == 201

    assert seconds_of(since) >= len(data) / rate - 2 * BURST_SECONDS


async def test_so_does_what_comes_by_tus(slow: As) -> None:
    since = time.monotonic()
    created = await slow.status(
        "POST",
        "/v1/uploads",
        BytesIO(DATA),
        Tus_Resumable="1.0.0",
        Upload_Length=str(len(DATA)),
        Upload_Metadata=tus_speaking.metadata(filename="new"),
        Content_Type=tus_speaking.OCTETS,
    )

    assert created == 201
    assert seconds_of(since) >= LEAST


async def test_all_transfers_of_a_token_share_its_rate_in_both_directions(slow: As) -> None:
    since = time.monotonic()
    came, status = await asyncio.gather(
        slow.call("GET", "/v1/files/data"), slow.status("PUT", "/v1/files/new", BytesIO(DATA))
    )

    assert came[1] == DATA
    assert status == 201
    assert seconds_of(since) >= 2 * len(DATA) / RATE - 3 * BURST_SECONDS


async def test_other_tokens_are_not_slowed(slow: As) -> None:
    free = await with_token(slow.api)
    slowest = await with_token(slow.api, byte_rate=RATE // 100)
    waiting = asyncio.create_task(slowest.call("GET", "/v1/files/data"))

    for _ in range(5):
        assert (await free.call("GET", "/v1/files/data"))[1] == DATA
    assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_transfer_that_keeps_its_pace_is_not_taken_for_stalled(
    start_api: StartApi,
) -> None:
    owner = await with_token(await guarded(start_api, stall_timeout=2))
    slow = await with_token(owner.api, byte_rate=8000)
    data = os.urandom(20_000)  # takes longer than that each way

    async def piecemeal() -> AsyncIterator[bytes]:
        for at in range(0, len(data), 1000):
            yield data[at : at + 1000]

    assert await slow.status("PUT", "/v1/files/slow", piecemeal()) == 201
    assert (await slow.call("GET", "/v1/files/slow"))[1] == data


async def test_bytes_go_steadily_not_in_bursts(slow: As) -> None:
    """What waits for long between two bytes is taken for stalled by clients."""
    slower = await with_token(slow.api, byte_rate=RATE // 4)
    headers = {"Authorization": f"Bearer {slower.token}", "Range": "bytes=0-524287"}
    since = time.monotonic()
    async with slow.api.session.get("/v1/files/data", headers=headers) as response:
        times = [time.monotonic() async for _ in response.content.iter_any()]

    # Two seconds' worth; were it sent at once, the wait would come behind it.
    assert times[-1] - since >= 1.5


async def test_who_may_hardly_ever_ask_is_told_a_number_all_the_same(api: Api) -> None:
    once = await with_token(api, request_rate=1e-320)

    assert await once.status("GET", "/v1/files") == 200
    response, _ = await once.call("GET", "/v1/files")

    assert (response.status, response.headers["Retry-After"]) == (429, "86400")
