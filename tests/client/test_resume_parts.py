"""Big files go up in parts; each is resumed alone, and together they are the very same file."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import pytest

from penstock.client import Client, tus, tus_fields
from penstock.client.tus_fields import Standing
from penstock.errors import DigestMismatch, NotFound, SourceChanged, TooLarge
from tests.client.conftest import MIB
from tests.client.proxy import Proxy
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
PARTS = 7


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.client.cutting.PARALLEL_FROM", 16 * MIB)
    monkeypatch.setattr("penstock.client.cutting.SMALLEST_PART", 4 * MIB)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return random_file(tmp_path / "film.mkv", SIZE)


def metadata(proxy: Proxy) -> list[dict[str, str]]:
    """What the uploads that were begun were told."""
    return [tus_fields.metadata_values(value) for value in proxy.fields("Upload-Metadata")]


async def test_a_big_file_goes_up_in_parts(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    meter = Meter()

    info = await shaky.put(film, "parts/film", progress=meter)

    *parts, final = metadata(proxy)
    assert len({one["penstock-start"] for one in parts}) == len(parts) == PARTS
    assert len({one["penstock-group"] for one in parts}) == 1
    assert final["sha256"] == info.sha256 == sha256_of(film)
    assert sha256_stored(server, "parts/film") == info.sha256
    assert (meter.told[0], meter.told[-1]) == ((0, SIZE), (SIZE, SIZE))
    assert meter.told == sorted(meter.told)


async def test_nothing_is_left_of_the_parts(
    client: Client, server: RunningServer, film: Path
) -> None:
    await client.put(film, "parts/clean")

    assert await unfinished(server.url, "parts/clean") == []


async def test_the_listing_tells_the_same_of_it(client: Client, film: Path) -> None:
    info = await client.put(film, "parts/described", content_type="video/x-film")

    assert [info] == [listed async for listed in client.list("parts/described")]
    assert info.content_type == "video/x-film"


async def test_without_parallel_it_goes_in_one(
    proxy: Proxy, server: RunningServer, film: Path
) -> None:
    async with Client(proxy.url, parallel=1) as client:
        await client.put(film, "parts/one")

    assert len(metadata(proxy)) == 1
    assert sha256_stored(server, "parts/one") == sha256_of(film)


async def test_each_part_outlives_its_connections(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    proxy.cut_requests = [2 * MIB, MIB, 3 * MIB, 1000, MIB, 2 * MIB, 300, MIB, 5 * MIB]

    await shaky.put(film, "parts/cut")

    assert proxy.cut_requests == []
    assert len(metadata(proxy)) == PARTS + 1
    assert sha256_stored(server, "parts/cut") == sha256_of(film)


async def test_parts_go_on_with_a_server_that_was_killed(
    start_server: StartServer, film: Path
) -> None:
    server, meter = start_server(), Meter()

    async with Client(server.url, limit_rate=12 * MIB, tries=1000) as client:
        sending = asyncio.ensure_future(client.put(film, "parts/killed", progress=meter))
        for size in (5 * MIB, 15 * MIB):
            await meter.reaches(size)
            server = await restart(server, start_server)
        await sending

    assert sha256_stored(server, "parts/killed") == sha256_of(film)
    assert await unfinished(server.url, "parts/killed") == []


async def leave(url: str, film: Path, key: str, size: int = 14 * MIB) -> int:
    """A client that dies after so many bytes; answers how many the server has."""
    meter = Meter()
    async with Client(url, limit_rate=20 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, key, progress=meter))
        await meter.reaches(size)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    left = await at_rest(url, key)
    assert {one["kind"] for one in left} == {"partial"}
    return sum(one["offset"] for one in left)


@pytest.mark.parametrize("parallel", [1, 4])
async def test_another_client_finds_the_parts(
    proxy: Proxy, server: RunningServer, film: Path, parallel: int
) -> None:
    key, meter = f"parts/ended-{parallel}", Meter()
    left = await leave(server.url, film, key)

    async with Client(proxy.url, parallel=parallel) as client:
        await client.put(film, key, progress=meter)

    assert 8 * MIB < left == meter.first
    assert sha256_stored(server, key) == sha256_of(film)
    assert await unfinished(server.url, key) == []


async def test_parts_are_found_after_the_server_was_killed_too(
    start_server: StartServer, film: Path
) -> None:
    server, meter = start_server(), Meter()
    left = await leave(server.url, film, "parts/both")
    server = await restart(server, start_server)

    async with Client(server.url) as client:
        await client.put(film, "parts/both", progress=meter)

    assert meter.first == left
    assert sha256_stored(server, "parts/both") == sha256_of(film)


async def test_all_parts_there_and_only_not_joined(
    proxy: Proxy, server: RunningServer, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("penstock.client.parts._Sending.join", killed)
        async with Client(server.url) as client:
            await asyncio.gather(client.put(film, "parts/joined"), return_exceptions=True)
    assert len(await at_rest(server.url, "parts/joined")) == PARTS

    async with Client(proxy.url) as client:
        await client.put(film, "parts/joined")

    assert proxy.fields("Upload-Offset") == []
    assert sha256_stored(server, "parts/joined") == sha256_of(film)


async def test_of_a_changed_file_only_the_changed_parts_are_begun_anew(
    shaky: Client, proxy: Proxy, server: RunningServer, film: Path
) -> None:
    await leave(server.url, film, "parts/changed")
    with film.open("r+b") as file:
        os.pwrite(file.fileno(), b"changed", 5)

    await shaky.put(film, "parts/changed")

    assert "0" in [one.get("penstock-start") for one in metadata(proxy)]
    assert sha256_stored(server, "parts/changed") == sha256_of(film)
    assert await unfinished(server.url, "parts/changed") == []


async def test_a_file_that_changes_while_it_is_sent_leaves_nothing(
    server: RunningServer, film: Path
) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "parts/changing", progress=meter))
        await meter.reaches(8 * MIB)
        with film.open("r+b") as file:
            os.pwrite(file.fileno(), b"changed", 5)
        with pytest.raises(SourceChanged):
            await sending
        with pytest.raises(NotFound):
            await client.stat("parts/changing")

    assert await unfinished(server.url, "parts/changing") == []


async def test_a_file_that_is_replaced_while_it_is_sent_is_not_mixed(
    server: RunningServer, film: Path
) -> None:
    meter = Meter()
    other = random_file(film.with_name("other"), SIZE)
    before = film.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "parts/replaced", progress=meter))
        await meter.reaches(8 * MIB)
        other.replace(film)
        with pytest.raises(SourceChanged):
            await sending

    assert await unfinished(server.url, "parts/replaced") == []


async def test_a_flipped_byte_stores_nothing(shaky: Client, proxy: Proxy, film: Path) -> None:
    proxy.flip_request = 2 * MIB

    with pytest.raises(DigestMismatch):
        await shaky.put(film, "parts/flipped")

    with pytest.raises(NotFound):
        await shaky.stat("parts/flipped")
    assert await unfinished(proxy.url, "parts/flipped") == []


async def test_parts_that_were_removed_are_sent_again(server: RunningServer, film: Path) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "parts/removed", progress=meter))
        await meter.reaches(14 * MIB)
        await remove(server.url, "parts/removed")
        await sending

    assert sha256_stored(server, "parts/removed") == sha256_of(film)


async def test_the_rate_limit_is_for_all_parts_together(server: RunningServer, film: Path) -> None:
    began = time.monotonic()

    async with Client(server.url, limit_rate=8 * MIB) as client:
        await client.put(film, "parts/limited")

    assert 2 < time.monotonic() - began < 30


async def test_a_refused_file_is_never_sent(start_server: StartServer, film: Path) -> None:
    server, meter = start_server(max_body=20 * MIB), Meter()

    async with Client(server.url) as client:
        with pytest.raises(TooLarge):
            await client.put(film, "big", progress=meter)

    assert meter.told == []


async def test_two_clients_of_one_key_at_once(server: RunningServer, film: Path) -> None:
    first = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as one, Client(server.url) as another:
        sending = asyncio.ensure_future(one.put(film, "parts/two", progress=first))
        await first.reaches(4 * MIB)
        await another.put(film, "parts/two")
        await sending

    assert first.told == sorted(first.told)
    assert sha256_stored(server, "parts/two") == sha256_of(film)


async def test_several_big_files_share_what_is_sent_side_by_side(
    server: RunningServer, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"parts/many/{number}" for number in range(4)]
    append, sending = tus.append, Sending()

    async def counted(*args: Any, **options: Any) -> Standing:
        with sending:
            return await append(*args, **options)

    monkeypatch.setattr(tus, "append", counted)
    async with Client(server.url, parallel=2) as client:
        results = [one async for one in client.put_many((film, name) for name in names)]

    assert [one.error for one in results] == [None] * 4
    assert sending.most == 2
    assert {sha256_stored(server, name) for name in names} == {sha256_of(film)}


class Sending:
    """How many requests are sending at once, and how many were at most."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __enter__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)

    def __exit__(self, *exc: object) -> None:
        self.now -= 1
