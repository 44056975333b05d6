"""``/download/{name}`` of a relay, before a real server: as file_upload's client, but right."""

import asyncio
import os
import random
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from penstock.client import Client
from tests.client.proxy import Proxy, proxy_to
from tests.eventually import eventually
from tests.faults import Source, cut, mute, status, throttle
from tests.relay.conftest import Caller, StartRelay
from tests.serving import RunningServer

CHUNK = 524_288
COMPLETE = b"Download complete"
ALREADY = b"File already downloaded"


@pytest.fixture
async def proxy(server: RunningServer) -> AsyncIterator[Proxy]:
    """Counts what the relay asks the server."""
    async with proxy_to(server.url) as made:
        yield made


@pytest.fixture
async def relay(proxy: Proxy, start_relay: StartRelay) -> Caller:
    return await start_relay(proxy.url)


async def put(server: RunningServer, tmp_path: Path, name: str, content: bytes) -> bytes:
    """Have the server store something."""
    path = tmp_path / "to-put"
    await asyncio.to_thread(path.write_bytes, content)
    async with Client(server.url) as client:
        await client.put(path, name)
    return content


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def brought(relay: Caller, name: str) -> bytes:
    return (relay.folder / name).read_bytes()


def leave_behind(relay: Caller, name: str, content: bytes) -> None:
    (relay.folder / name).write_bytes(content)


async def test_the_first_call_brings_the_file_and_the_second_says_so(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(server, tmp_path, "first.bin", noise(1_300_000))

    first, said = await relay.call("/download/first.bin")
    asked = proxy.ranges
    again, said_again = await relay.call("/download/first.bin")

    assert (first.status, said) == (200, COMPLETE)
    assert first.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert brought(relay, "first.bin") == content
    assert asked == [
        "Range: bytes=0-524287",
        "Range: bytes=524288-1048575",
        "Range: bytes=1048576-1299999",
    ]
    assert (again.status, said_again) == (200, ALREADY)
    assert proxy.ranges == asked


async def test_a_beginning_is_gone_on_with_by_one_range(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(server, tmp_path, "begun.bin", noise(1_000_000))
    leave_behind(relay, "begun.bin", content[:600_000])

    _, said = await relay.call("/download/begun.bin")

    assert said == COMPLETE
    assert proxy.ranges == ["Range: bytes=600000-999999"]
    assert brought(relay, "begun.bin") == content


async def test_the_beginning_of_something_else_is_not_gone_on_with(
    relay: Caller, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(server, tmp_path, "stale.bin", noise(1_000_000))
    leave_behind(relay, "stale.bin", bytes(600_000))

    _, said = await relay.call("/download/stale.bin")

    assert said == COMPLETE
    assert brought(relay, "stale.bin") == content


@pytest.mark.parametrize("size", [CHUNK - 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1, 1, 0])
async def test_every_size_comes_whole(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path, size: int
) -> None:
    content = await put(server, tmp_path, f"size{size}.bin", noise(size))

    _, said = await relay.call(f"/download/size{size}.bin")

    assert said == COMPLETE
    assert brought(relay, f"size{size}.bin") == content
    assert len(proxy.ranges) == -(-size // CHUNK)


async def test_a_text_comes_in_gzip_and_is_the_same(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(
        server, tmp_path, "long.txt", b"All that is gold does not glitter\n" * 99_999
    )

    _, said = await relay.call("/download/long.txt")

    assert said == COMPLETE
    assert brought(relay, "long.txt") == content
    assert proxy.answered < len(content) // 4


@pytest.mark.parametrize("local", [b"x" * 1_000_000, b"x" * 1_500_000])
async def test_another_file_of_the_same_name_is_not_taken_for_it(
    relay: Caller, server: RunningServer, tmp_path: Path, local: bytes
) -> None:
    content = await put(server, tmp_path, "same.bin", noise(1_000_000))
    leave_behind(relay, "same.bin", local)

    _, said = await relay.call("/download/same.bin")

    assert said == COMPLETE
    assert brought(relay, "same.bin") == content


async def test_a_copy_that_came_by_another_way_is_known_by_its_digest(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(server, tmp_path, "copy.bin", noise(1_000_000))
    leave_behind(relay, "copy.bin", content)

    _, said = await relay.call("/download/copy.bin")

    assert said == ALREADY
    assert proxy.ranges == []


async def test_a_file_that_changed_comes_again(
    relay: Caller, server: RunningServer, tmp_path: Path
) -> None:
    await put(server, tmp_path, "changing.bin", noise(600_000))
    await relay.call("/download/changing.bin")
    new = await put(server, tmp_path, "changing.bin", noise(600_001)[1:])

    _, said = await relay.call("/download/changing.bin")

    assert said == COMPLETE
    assert brought(relay, "changing.bin") == new


async def test_many_calls_at_once_bring_it_once(
    relay: Caller, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    content = await put(server, tmp_path, "wanted.bin", noise(2 * CHUNK))

    answers = await asyncio.gather(*(relay.get("/download/wanted.bin") for _ in range(20)))

    assert set(answers) == {COMPLETE}
    assert len(proxy.ranges) == 2
    assert brought(relay, "wanted.bin") == content


@pytest.mark.parametrize(
    "name",
    [
        *("%2Ftmp%2Fx", "a..b", "docs%2Ft.txt", "%FF", "a%00b", ".penstock"),
        *("film.part", "film.part.json", "film.part.json.new"),  # where parts of film may lie
    ],
)
async def test_a_name_is_one_segment_that_is_free(relay: Caller, proxy: Proxy, name: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(f"GET /download/{name} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(b"Bad Request\n")
    assert not proxy.heads


async def test_nothing_there_is_404_and_leaves_nothing(
    relay: Caller, server: RunningServer
) -> None:
    response, said = await relay.call("/download/nope")

    assert (response.status, said) == (404, b"Not Found\n")
    assert os.listdir(relay.folder) == [".penstock"]


@pytest.mark.parametrize(
    "name", ["a b.txt", "what?.txt", "100%.txt", "#1.txt", "漢字.txt", "x.parts"]
)
async def test_a_name_may_have_any_character(
    relay: Caller, server: RunningServer, tmp_path: Path, name: str
) -> None:
    content = await put(server, tmp_path, name, noise(1000))

    said = await relay.get(f"/download/{quote(name)}")

    assert said == COMPLETE
    assert brought(relay, name) == content


async def test_a_folder_in_the_way_is_told(
    relay: Caller, server: RunningServer, tmp_path: Path
) -> None:
    await put(server, tmp_path, "folder", noise(1000))
    (relay.folder / "folder").mkdir()

    response, said = await relay.call("/download/folder")

    assert (response.status, said) == (409, b"Conflict\n")


async def test_without_an_upstream_it_is_said(start_relay: StartRelay) -> None:
    relay = await start_relay("http://127.0.0.1:9")

    response, said = await relay.call("/download/x")

    assert (response.status, said) == (503, b"Service Unavailable\n")


async def test_the_file_comes_even_if_the_caller_leaves(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    content = noise(3 * CHUNK)
    source.serve("/download/left", content, etag='"v1"', always=throttle(4 << 20))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(relay.get("/download/left"), 0.2)

    assert await eventually((relay.folder / "left").exists, seconds=20)
    await relay.get("/download/left")
    assert brought(relay, "left") == content
    assert source.sent == len(content)


async def test_those_who_leave_do_not_leave_more_and_more_behind(
    source: Source, start_relay: StartRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.relay.bringing._MOST", 2)
    relay = await start_relay(source.url)
    for name in "abc":
        source.serve(f"/download/{name}", b"x", etag='"v1"', head_faults=[mute()])

    callers = [asyncio.create_task(relay.call(f"/download/{name}")) for name in "ab"]
    await source.until(lambda: len(source.requests) == 2)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    third, _ = await relay.call("/download/c")

    assert third.status == 503
    assert len(source.requests) == 2


async def test_an_upstream_that_breaks_is_gone_on_with(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    content = noise(3 * CHUNK)
    source.serve(
        "/download/broken", content, etag='"v1"', faults=[cut(1000), status(503), None, cut(9)]
    )

    said = await relay.get("/download/broken")

    assert said == COMPLETE
    assert brought(relay, "broken") == content
    assert source.sent < len(content) + 10_000


async def test_an_upstream_without_validators_tells_its_size_only(
    source: Source, start_relay: StartRelay
) -> None:
    relay = await start_relay(source.url)
    content = noise(2 * CHUNK)
    source.serve("/download/bare", content)

    said = [await relay.get("/download/bare") for _ in range(2)]
    leave_behind(relay, "bare", content[:-1])
    said.append(await relay.get("/download/bare"))

    assert said == [COMPLETE, ALREADY, COMPLETE]
    assert brought(relay, "bare") == content
