"""The cache of a relay: its size, what goes first, and what is found at the next start."""

import asyncio
import errno
import os
import random
from pathlib import Path

import pytest

from penstock.relay.shelf import Shelf
from tests.eventually import eventually
from tests.faults import Source, stall, throttle
from tests.relay.conftest import Caller, StartRelay

KIB = 1 << 10
SIZE = 100 * KIB


def serve(source: Source, name: str, size: int = SIZE) -> bytes:
    content = random.Random(name).randbytes(size)
    source.serve(f"/v1/files/{name}", content, etag=f'"{name}"')
    return content


def kept(relay: Caller) -> int:
    """Bytes of whole and partial files in the cache."""
    return sum(
        path.stat().st_size
        for path in (relay.folder / ".penstock/cache").rglob("*")
        if path.is_file() and path.suffix in ("", ".part")
    )


async def fetched(relay: Caller, name: str) -> bytes:
    """Fetch a file, and wait until it is kept."""
    body = await relay.get(f"/v1/files/{name}")

    async def is_hit() -> bool:
        response, _ = await relay.call(f"/v1/files/{name}", "HEAD")
        return response.headers["Cache-Status"] == "penstock-relay; hit"

    for _ in range(200):
        if await is_hit():
            return body
        await asyncio.sleep(0.02)
    raise AssertionError(f"{name} was not kept")


async def test_what_was_used_least_lately_goes_first(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, cache_size=3 * SIZE, max_age=3600)
    for name in "abc":
        serve(source, name)
        await fetched(relay, name)
    await relay.get("/v1/files/a")
    serve(source, "d")
    await fetched(relay, "d")
    sent = source.sent

    for name in "acd":
        await relay.get(f"/v1/files/{name}")
    nothing_more = source.sent
    await relay.get("/v1/files/b")

    assert nothing_more == sent
    assert source.sent == sent + SIZE
    assert kept(relay) <= 3 * SIZE


async def test_a_file_that_is_larger_than_the_cache_is_passed_through(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url, cache_size=SIZE)
    small, large = serve(source, "small"), serve(source, "large", SIZE + 1)

    assert await fetched(relay, "small") == small
    response, body = await relay.call("/v1/files/large")
    again = await relay.get("/v1/files/large")

    assert (body, again) == (large, large)
    assert response.headers["Cache-Status"] == "penstock-relay; fwd=bypass"
    assert kept(relay) == SIZE


async def test_a_file_in_use_stays(source: Source, start_relay: StartRelay) -> None:
    relay = await start_relay(source.url, cache_size=3 * SIZE)
    content = serve(source, "slow", 2 * SIZE)
    source.files["/v1/files/slow"].always = throttle(SIZE)
    other = serve(source, "other", 2 * SIZE)

    reading = asyncio.create_task(relay.get("/v1/files/slow"))
    await source.until(lambda: source.sent > 0)
    passed, body = await relay.call("/v1/files/other")

    assert body == other
    assert passed.headers["Cache-Status"] == "penstock-relay; fwd=bypass"
    assert await reading == content


async def test_the_next_start_finds_what_is_kept(source: Source, start_relay: StartRelay) -> None:
    relay = await start_relay(source.url)
    contents = {name: serve(source, name) for name in "ab"}
    for name in "ab":
        await fetched(relay, name)
    sent = source.sent

    again = await start_relay(source.url, stop=True)

    for name, content in contents.items():
        assert await again.get(f"/v1/files/{name}") == content
    assert source.sent == sent


async def test_the_next_start_keeps_to_a_smaller_size(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    for name in "abc":
        serve(source, name)
        await fetched(relay, name)

    again = await start_relay(source.url, stop=True, cache_size=SIZE)

    assert kept(again) == SIZE


async def test_what_somebody_changed_behind_its_back_is_not_sent(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    content = serve(source, "a")
    await fetched(relay, "a")
    [path] = [path for path in cached(relay) if path.suffix == ""]
    await asyncio.to_thread(path.write_bytes, bytes(SIZE))

    assert await relay.get("/v1/files/a") == content


async def test_what_fits_to_nothing_is_removed_at_the_start(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    serve(source, "a")
    await fetched(relay, "a")
    names = sorted(cached(relay))
    folder = names[0].parent
    for name in ("f" * 64, "e" * 64 + ".json", "d" * 64 + ".part", "c" * 64 + ".json.new"):
        (folder / name).write_bytes(b"rubbish")

    again = await start_relay(source.url, stop=True)

    assert await eventually(lambda: sorted(cached(again)) == names)


async def test_a_file_that_cannot_be_gone_on_with_leaves_the_others_alone(
    source: Source, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await start_relay(source.url)
    for name in "ab":
        serve(source, name)
        source.files[f"/v1/files/{name}"].faults = [stall(KIB)]
    callers = [asyncio.create_task(relay.get(f"/v1/files/{name}")) for name in "ab"]
    assert await eventually(lambda: len(parts(relay)) == 2, 20)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    begun = 0

    async def begin(shelf: Shelf, name: str, size: int) -> bool:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise OSError(errno.EIO, "bad disk")
        return await real(shelf, name, size)

    real = Shelf.begin
    monkeypatch.setattr(Shelf, "begin", begin)
    again = await start_relay(source.url, stop=True)

    assert await eventually(lambda: len(parts(again)) == 1, 20)


def parts(relay: Caller) -> list[Path]:
    """What is known of files that are incomplete."""
    return [path for path in cached(relay) if path.name.endswith(".part.json")]


def cached(relay: Caller) -> list[Path]:
    found = []
    for where, _, names in os.walk(relay.folder / ".penstock/cache"):
        found += [Path(where, name) for name in names]
    return found
