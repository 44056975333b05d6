"""A large file ends whole, whatever happens to connection, server and client on the way."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from penstock.client import Client, tus_fields
from penstock.errors import ServerUnavailable
from penstock.octets.digests import Digester
from tests.client.conftest import MIB
from tests.client.proxy import Proxy, proxy_to
from tests.client.uploads import (
    Meter,
    at_rest,
    random_file,
    remove,
    restart,
    sha256_of,
    sha256_stored,
    unfinished,
)
from tests.conftest import StartServer
from tests.serving import RunningServer

SIZE = 24 * MIB + 17


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return random_file(tmp_path / "film.mkv", SIZE)


def offsets(proxy: Proxy) -> list[int]:
    """Where the requests that carried bytes of an upload began."""
    return [int(value) for value in proxy.fields("Upload-Offset")]


async def test_cut_connections_are_gone_on_with(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    proxy.cut_requests = [5 * MIB, 300, 6 * MIB, 2 * MIB]

    await shaky.put(film, "resume/cut")

    assert sha256_stored(server, "resume/cut") == sha256_of(film)
    assert offsets(proxy) == sorted(offsets(proxy))
    assert offsets(proxy)[1] > 3 * MIB


async def test_progress_makes_every_try_count_anew(
    proxy: Proxy, server: RunningServer, film: Path
) -> None:
    proxy.cut_requests = [4 * MIB] + [2 * MIB] * 9

    async with Client(proxy.url, tries=2) as client:
        await client.put(film, "resume/many-cuts")

    assert sha256_stored(server, "resume/many-cuts") == sha256_of(film)


async def test_tries_without_progress_are_bounded(proxy: Proxy, film: Path) -> None:
    proxy.cut_requests = [MIB, *[150] * 100]

    async with Client(proxy.url, tries=3) as client:
        with pytest.raises(ServerUnavailable):
            await client.put(film, "resume/never")

    assert proxy.connections < 10


async def test_a_stalled_connection_is_left_and_gone_on_with(
    proxy: Proxy, server: RunningServer, film: Path
) -> None:
    proxy.stall_requests = [6 * MIB]

    async with Client(proxy.url, timeout=1) as client:
        await client.put(film, "resume/stalled")

    assert sha256_stored(server, "resume/stalled") == sha256_of(film)
    assert offsets(proxy)[1] > 4 * MIB


async def test_a_server_that_was_killed_is_gone_on_with(
    start_server: StartServer, film: Path
) -> None:
    server, meter = start_server(), Meter()

    async with Client(server.url, limit_rate=16 * MIB, tries=1000) as client:
        sending = asyncio.ensure_future(client.put(film, "resume/killed", progress=meter))
        await meter.reaches(8 * MIB)
        server = await restart(server, start_server)
        await sending

    assert sha256_stored(server, "resume/killed") == sha256_of(film)


async def test_an_upload_that_was_removed_is_begun_anew(server: RunningServer, film: Path) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "resume/removed", progress=meter))
        await meter.reaches(8 * MIB)
        await remove(server.url, "resume/removed")
        await sending

    assert sha256_stored(server, "resume/removed") == sha256_of(film)


# What an earlier run left.


async def leave(url: str, film: Path, key: str, size: int = 10 * MIB) -> int:
    """A client that dies after so many bytes; answers how many the server has."""
    meter = Meter()
    async with Client(url, limit_rate=20 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, key, progress=meter))
        await meter.reaches(size)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    (left,) = await at_rest(url, key)
    assert 0 < left["offset"] < film.stat().st_size
    return int(left["offset"])


async def test_another_client_goes_on_where_one_was_ended(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    left = await leave(server.url, film, "resume/ended")
    meter = Meter()

    await shaky.put(film, "resume/ended", progress=meter)

    assert sha256_stored(server, "resume/ended") == sha256_of(film)
    assert meter.told[0] == (left, SIZE)
    assert offsets(proxy)[0] == left
    assert await unfinished(server.url, "resume/ended") == []


async def test_no_byte_is_digested_twice(
    shaky: Client,
    proxy: Proxy,
    server: RunningServer,
    film: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = []

    class Counting(Digester):
        def update(self, data: bytes | memoryview) -> None:
            counted.append(len(data))
            super().update(data)

    await leave(server.url, film, "resume/digested")
    proxy.cut_requests = [4 * MIB, 3 * MIB]
    monkeypatch.setattr("penstock.client.file_reader.Digester", Counting)

    await shaky.put(film, "resume/digested")

    assert proxy.cut_requests == []
    assert sum(counted) == SIZE


async def test_it_goes_on_after_client_and_server_were_ended(
    start_server: StartServer, film: Path
) -> None:
    server, meter = start_server(), Meter()
    left = await leave(server.url, film, "resume/both")
    server = await restart(server, start_server)

    async with Client(server.url) as client:
        await client.put(film, "resume/both", progress=meter)

    assert meter.first == left
    assert sha256_stored(server, "resume/both") == sha256_of(film)


@pytest.mark.parametrize("at", [0, 3 * MIB])
async def test_a_file_that_was_changed_is_begun_anew(
    client: Client, server: RunningServer, film: Path, at: int
) -> None:
    key, meter = f"resume/changed-{at}", Meter()
    await leave(server.url, film, key)
    with film.open("r+b") as file:
        os.pwrite(file.fileno(), b"changed", at)

    await client.put(film, key, progress=meter)

    assert meter.first == 0
    assert sha256_stored(server, key) == sha256_of(film)
    assert await unfinished(server.url, key) == []


async def test_what_is_changed_behind_the_offset_is_no_hindrance(
    client: Client, server: RunningServer, film: Path
) -> None:
    left, meter = await leave(server.url, film, "resume/tail"), Meter()
    with film.open("r+b") as file:
        os.pwrite(file.fileno(), b"changed", SIZE - 10)

    await client.put(film, "resume/tail", progress=meter)

    assert meter.first == left
    assert sha256_stored(server, "resume/tail") == sha256_of(film)


async def test_an_upload_of_another_length_is_left_alone(
    client: Client, server: RunningServer, film: Path
) -> None:
    left, meter = await leave(server.url, film, "resume/longer"), Meter()
    os.truncate(film, SIZE - 1)

    await client.put(film, "resume/longer", progress=meter)

    assert meter.first == 0
    assert sha256_stored(server, "resume/longer") == sha256_of(film)
    assert [one["offset"] for one in await unfinished(server.url, "resume/longer")] == [left]


async def test_an_upload_of_another_content_type_is_not_gone_on_with(
    client: Client, server: RunningServer, film: Path
) -> None:
    meter = Meter()
    await leave(server.url, film, "resume/type")

    info = await client.put(film, "resume/type", content_type="x/y", progress=meter)

    assert (meter.first, info.content_type) == (0, "x/y")


async def test_what_is_stored_already_is_not_gone_on_with(
    client: Client, server: RunningServer, film: Path
) -> None:
    await leave(server.url, film, "resume/stored")
    await client.put(film, "resume/stored")

    assert (await client.store(film, "resume/stored")).skipped


async def test_a_plain_put_that_broke_is_gone_on_with(
    client: Client, server: RunningServer, film: Path
) -> None:
    data, meter = film.read_bytes(), Meter()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"PUT /v1/files/resume/plain HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n"
    writer.write(head.encode() + data[: 9 * MIB])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    await left_with(server.url, "resume/plain")

    await client.put(film, "resume/plain", progress=meter)

    assert meter.first > 0
    assert sha256_stored(server, "resume/plain") == sha256_of(film)


async def left_with(url: str, key: str) -> None:
    """Wait until a broken upload of the key is there, with some bytes."""
    async with asyncio.timeout(30):
        while not any(one["offset"] for one in await at_rest(url, key)):
            await asyncio.sleep(0.02)


async def test_the_largest_that_fits_is_gone_on_with(
    client: Client, server: RunningServer, film: Path
) -> None:
    other = random_file(film.with_name("other"), SIZE)
    key, mine, theirs, meter = "resume/several", Meter(), Meter(), Meter()
    async with Client(server.url, limit_rate=8 * MIB) as one, Client(server.url) as another:
        sending = [asyncio.ensure_future(one.put(film, key, progress=mine))]
        await mine.reaches(MIB)
        sending.append(asyncio.ensure_future(another.put(other, key, progress=theirs)))
        await theirs.reaches(12 * MIB)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
    assert len(await at_rest(server.url, key)) == 2

    await client.put(film, key, progress=meter)

    assert 0 < meter.first < 12 * MIB
    assert sha256_stored(server, key) == sha256_of(film)
    assert await unfinished(server.url, key) == []


async def test_two_clients_of_one_key_do_not_hinder_each_other(
    server: RunningServer, film: Path
) -> None:
    first, second = Meter(), Meter()

    async with (
        Client(server.url, limit_rate=16 * MIB) as one,
        Client(server.url, limit_rate=16 * MIB) as another,
    ):
        sending = asyncio.ensure_future(one.put(film, "resume/two", progress=first))
        await first.reaches(4 * MIB)
        await another.put(film, "resume/two", progress=second)
        await sending

    assert second.first == 0
    assert first.told == sorted(first.told)
    assert sha256_stored(server, "resume/two") == sha256_of(film)


@pytest.fixture
def watchful(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Small uploads are worth waiting for."""
    monkeypatch.setattr("penstock.client.unfinished.WORTH_WAITING", MIB)
    monkeypatch.setattr("penstock.client.unfinished.LOOK_SECONDS", 0.1)
    return monkeypatch


@asynccontextmanager
async def cut_off(url: str, film: Path, key: str, size: int) -> AsyncIterator[None]:
    """A client that lost its network after so many bytes; the server does not know yet."""
    meter = Meter()
    async with proxy_to(url) as proxy, Client(proxy.url) as client:
        proxy.stall_requests = [size]
        sending = asyncio.ensure_future(client.put(film, key, progress=meter))
        await meter.reaches(size)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        yield


async def test_an_upload_whose_client_lost_its_network_is_gone_on_with(
    start_server: StartServer, watchful: pytest.MonkeyPatch, film: Path
) -> None:
    watchful.setattr("penstock.client.unfinished.WATCH_SECONDS", 2.0)
    server, meter = start_server(), Meter()
    big = random_file(film.with_name("big"), 80 * MIB)

    async with cut_off(server.url, big, "resume/off", 70 * MIB), Client(server.url) as client:
        await saved(server.url, "resume/off")
        assert [one["active"] for one in await unfinished(server.url, "resume/off")] == [True]
        await client.put(big, "resume/off", progress=meter)

    assert meter.first > 32 * MIB
    assert sha256_stored(server, "resume/off") == sha256_of(big)


async def saved(url: str, key: str) -> None:
    """Wait until the server has counted what it has made durable."""
    async with asyncio.timeout(30):
        while not any(one["offset"] for one in await unfinished(url, key)):
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("watchful")
async def test_an_upload_that_moves_is_left_to_its_client(
    server: RunningServer, film: Path
) -> None:
    big = random_file(film.with_name("big"), 160 * MIB)
    first, second = Meter(), Meter()

    async with Client(server.url, limit_rate=64 * MIB) as one, Client(server.url) as another:
        sending = asyncio.ensure_future(one.put(big, "resume/moves", progress=first))
        await first.reaches(40 * MIB)
        await saved(server.url, "resume/moves")
        await another.put(big, "resume/moves", progress=second)
        await sending

    assert second.first == 0
    assert first.told == sorted(first.told)
    assert sha256_stored(server, "resume/moves") == sha256_of(big)


async def test_the_server_is_told_the_digest_that_is_known(
    shaky: Client, proxy: Proxy, film: Path
) -> None:
    await shaky.put(film, "resume/known")
    random_file(film, SIZE)

    await shaky.put(film, "resume/known")

    told = [tus_fields.metadata_values(value) for value in proxy.fields("Upload-Metadata")]
    assert [one.get("sha256") for one in told] == [None, sha256_of(film)]


async def test_an_upload_whose_digest_was_told_is_gone_on_with(
    client: Client, server: RunningServer, film: Path
) -> None:
    other, meter = random_file(film.with_name("other"), SIZE), Meter()
    await client.put(other, "resume/digest")
    left = await leave(server.url, film, "resume/digest")
    await client.delete("resume/digest")

    await client.put(film, "resume/digest", progress=meter)

    assert meter.first == left
    assert sha256_stored(server, "resume/digest") == sha256_of(film)


async def test_a_file_that_is_not_of_the_digest_that_was_told_is_begun_anew(
    client: Client, server: RunningServer, film: Path
) -> None:
    other, meter = random_file(film.with_name("other"), SIZE), Meter()
    await client.put(other, "resume/other-digest")
    await leave(server.url, film, "resume/other-digest")
    with film.open("r+b") as file:
        os.pwrite(file.fileno(), b"changed", SIZE - 10)

    await client.put(film, "resume/other-digest", progress=meter)

    assert meter.first == 0
    assert sha256_stored(server, "resume/other-digest") == sha256_of(film)
    assert await unfinished(server.url, "resume/other-digest") == []


async def test_the_files_of_a_folder_go_on_one_by_one(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    folder = film.with_name("folder")
    folder.mkdir()
    film.rename(folder / "film")
    (folder / "small").write_text("small")
    left = await leave(server.url, folder / "film", "resume/f/film")
    meters: dict[str, Meter] = {}

    def meter(key: str) -> Meter:
        return meters.setdefault(key, Meter())

    done = [one async for one in shaky.put_folder(folder, "resume/f/", meters=meter)]

    assert [one.error for one in done] == [None, None]
    assert meters["resume/f/film"].first == left
    assert sha256_stored(server, "resume/f/film") == sha256_of(folder / "film")
