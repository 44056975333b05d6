"""A request that stalls holds up nobody: the one that goes on with its upload takes over."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import StartServer
from tests.server import tus_blocking as blocking
from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import (
    DATA,
    arrived,
    ask,
    begin,
    half_sent,
    head,
    let_go,
    offset_of,
    patch,
    patch_head,
    sha1,
    status_of,
    stored,
)
from tests.serving import RunningServer

SENT = 10_000
LARGE = 9_000_000
PROMISED = 2.0
"""Seconds until an upload is taken over."""


async def test_what_a_client_sent_before_it_left_is_kept(api: Api) -> None:
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]):
        await arrived(api, SENT)
    await let_go(api)

    assert await offset_of(api, url) == SENT
    assert (await patch(api, url, SENT, DATA[SENT:])).status == 204
    assert await stored(api) == DATA


async def test_a_chunked_body_that_breaks_off_is_kept(api: Api) -> None:
    url = await begin(api, len(DATA))
    chunk = f"{SENT:x}\r\n".encode() + DATA[:SENT] + b"\r\n"
    lines = patch_head(url, 0, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked")

    async with half_sent(api.port, lines, chunk):
        await arrived(api, SENT)
    await let_go(api)

    assert await offset_of(api, url) == SENT


async def test_a_request_that_stalls_is_answered_and_its_connection_closed(
    start_api: StartApi,
) -> None:
    api = await start_api(stall_timeout=0.3)
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]) as (reader, _):
        assert await status_of(reader) == 408
        await asyncio.wait_for(reader.read(), 60)  # to its end

    assert await offset_of(api, url) == SENT


async def test_asking_for_the_offset_ends_a_request_that_stalls(api: Api) -> None:
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]) as (reader, _):
        await arrived(api, SENT)
        offset = await offset_of(api, url)
        assert await status_of(reader) == 423

    assert offset == SENT
    assert (await patch(api, url, offset, DATA[offset:])).status == 204
    assert await stored(api) == DATA


async def test_large_bodies_are_taken_over_as_well(api: Api) -> None:
    whole = DATA * 100
    url = await begin(api, len(whole))

    async with half_sent(api.port, patch_head(url, 0, len(whole)), whole[:LARGE]) as (reader, _):
        await arrived(api, LARGE)
        offset = await offset_of(api, url)
        assert await status_of(reader) == 423

    assert offset == LARGE
    assert (await patch(api, url, offset, whole[offset:])).status == 204
    assert await stored(api) == whole


async def test_what_came_of_a_large_body_is_kept_when_the_client_leaves(api: Api) -> None:
    whole = DATA * 100
    url = await begin(api, len(whole))

    async with half_sent(api.port, patch_head(url, 0, len(whole)), whole[:LARGE]):
        await arrived(api, LARGE)
    await let_go(api)

    assert await offset_of(api, url) == LARGE


async def test_going_on_without_asking_ends_it_too(api: Api) -> None:
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]) as (reader, _):
        await arrived(api, SENT)
        response = await patch(api, url, SENT, DATA[SENT:])
        assert await status_of(reader) == 423

    assert response.status == 204
    assert await stored(api) == DATA


async def test_a_request_that_was_ended_can_write_nothing_more(api: Api) -> None:
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]) as (_, writer):
        await arrived(api, SENT)
        await offset_of(api, url)
        writer.write(bytes(len(DATA) - SENT))
        await patch(api, url, SENT, DATA[SENT:])

    assert await stored(api) == DATA


async def test_bytes_of_an_ended_request_that_were_not_verified_are_dropped(api: Api) -> None:
    url = await begin(api, len(DATA))
    line = f"Upload-Checksum: {sha1(DATA)}"

    async with half_sent(api.port, patch_head(url, 0, len(DATA), line), DATA[:SENT]):
        await arrived(api, SENT)
        assert await offset_of(api, url) == 0


async def test_termination_ends_a_request_under_way(api: Api) -> None:
    url = await begin(api, len(DATA))

    async with half_sent(api.port, patch_head(url, 0, len(DATA)), DATA[:SENT]) as (reader, writer):
        await arrived(api, SENT)
        response = await ask(api, "DELETE", url)
        assert await status_of(reader) == 423
        writer.write(DATA[SENT:])

    assert response.status == 204
    assert (await head(api, url)).status in (404, 410)
    assert await stored(api) is None


async def test_many_that_go_on_at_once_leave_one_right_file(api: Api) -> None:
    url = await begin(api, len(DATA))

    async def send() -> int:
        return (await patch(api, url, 0, DATA)).status

    statuses = await asyncio.gather(*(send() for _ in range(8)))
    offset = await offset_of(api, url)

    assert set(statuses) <= {204, 409, 413, 423}
    assert (await patch(api, url, offset, DATA[offset:])).status == 204
    assert await stored(api) == DATA


async def test_termination_frees_what_the_upload_had(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:SENT])

    assert (await ask(api, "DELETE", url)).status == 204

    incoming = api.services.settings.data / "files/.penstock/incoming"
    assert list(incoming.iterdir()) == []


async def test_the_file_outlives_the_termination_of_its_upload(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA)

    assert (await ask(api, "DELETE", url)).status == 204

    assert (await head(api, url)).status in (404, 410)
    assert await stored(api) == DATA


async def test_what_is_not_there_cannot_be_terminated(api: Api) -> None:
    assert (await ask(api, "DELETE", "/v1/uploads/there-is-none")).status == 404


# --- servers in processes of their own -----------------------------------------------------------


def gone_on(first: RunningServer, second: RunningServer, key: str) -> float:
    """Seconds that ``second`` takes over a stalled upload from ``first``; the file is right."""
    url = blocking.begin(second, len(DATA), key)
    with blocking.stalled(first, url, 0, len(DATA), DATA[:SENT]):
        wait_until_active(first, key)
        begun = time.monotonic()
        offset = blocking.offset_of(second, url)
        status = blocking.patch(second, url, offset, DATA[offset:]).status
        taken = time.monotonic() - begun
    assert status == 204
    assert blocking.stored(second, key) == DATA
    return taken


def wait_until_active(server: RunningServer, key: str) -> None:
    """Until some request appends to the upload of the key."""
    for _ in range(500):
        response = blocking.listed(server, key)
        if response and response[0]["active"]:
            return
        time.sleep(0.02)
    raise AssertionError("the upload was never held")


def test_the_same_process_takes_over_in_time(server: RunningServer) -> None:
    times = sorted(gone_on(server, server, f"same{n}") for n in range(3))

    assert times[1] < PROMISED


def test_another_process_takes_over_in_time(
    start_server: StartServer, tmp_path: Path, url: str
) -> None:
    """``url`` is of an SQLite catalog, then of a PostgreSQL one."""
    first, second = (start_server(tmp_path / "data", catalog=url) for _ in range(2))

    times = sorted(gone_on(first, second, f"other{n}") for n in range(3))

    assert times[1] < PROMISED


def test_a_frozen_process_is_taken_over_from_and_cannot_write_when_it_wakes(
    start_server: StartServer, tmp_path: Path
) -> None:
    first, second = start_server(tmp_path / "data"), start_server(tmp_path / "data")
    url = blocking.begin(second, len(DATA))
    with blocking.stalled(first, url, 0, len(DATA), DATA[:SENT]) as connection:
        wait_until_active(second, "file.bin")
        first.process.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            offset = blocking.offset_of(second, url)
            taken = time.monotonic() - begun
            half = (offset + len(DATA)) // 2
            blocking.patch(second, url, offset, DATA[offset:half])
        finally:
            first.process.send_signal(signal.SIGCONT)
        connection.sendall(bytes(len(DATA) - SENT))
        status = int(connection.recv(4096).split()[1])

    assert taken < 2 * PROMISED
    assert status >= 400
    assert blocking.offset_of(first, url) == half
    assert blocking.patch(first, url, half, DATA[half:]).status == 204
    assert blocking.stored(second) == DATA


def test_a_server_that_is_stopped_keeps_what_came(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(tmp_path / "data", shutdown_timeout=0.2)
    url = blocking.begin(server, len(DATA))
    with blocking.stalled(server, url, 0, len(DATA), DATA[:SENT]):
        wait_until_active(server, "file.bin")
        assert server.stop() == 0

    server = start_server(tmp_path / "data")

    assert blocking.offset_of(server, url) == SENT


@pytest.mark.slow
def test_two_processes_pass_an_upload_back_and_forth(
    start_server: StartServer, tmp_path: Path
) -> None:
    servers = [start_server(tmp_path / "data"), start_server(tmp_path / "data")]
    url = blocking.begin(servers[0], len(DATA))

    for step in range(10):
        server = servers[step % 2]
        offset = blocking.offset_of(server, url)
        with blocking.stalled(server, url, offset, len(DATA) - offset, DATA[offset:][:SENT]):
            wait_until_active(server, "file.bin")
    offset = blocking.offset_of(servers[0], url)
    blocking.patch(servers[1], url, offset, DATA[offset:])

    assert blocking.stored(servers[0]) == DATA
