"""Downloads through the library: whole, resumed, verified, and never mixed."""

import asyncio
import base64
import errno
import hashlib
import io
import json
import os
import re
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import (
    Busy,
    DigestMismatch,
    KeyConflict,
    NotFound,
    ServerUnavailable,
    SourceChanged,
)
from tests.client.conftest import MIB
from tests.client.proxy import Proxy, listening
from tests.conftest import StartServer
from tests.serving import RunningServer


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "copy.mkv"


def beside(target: Path) -> list[str]:
    """The names of everything in the target's folder."""
    return sorted(os.listdir(target.parent))


async def test_a_file_comes_byte_for_byte(client: Client, film: Path, target: Path) -> None:
    put = await client.put(film, "get/film.mkv")

    got = await client.get("get/film.mkv", target)

    assert target.read_bytes() == film.read_bytes()
    assert (got.size, got.sha256, got.crc32, got.etag) == (
        *(put.size, put.sha256, put.crc32, put.etag),
    )
    assert beside(target) == ["copy.mkv"]


async def test_an_empty_file(client: Client, target: Path) -> None:
    await client.put(io.BytesIO(b""), "get/empty")

    await client.get("get/empty", target)

    assert target.read_bytes() == b""


async def test_a_file_that_nobody_put_here(
    client: Client, server: RunningServer, target: Path
) -> None:
    """Its digest is unknown to the server until it is asked for."""
    (server.data / "files").mkdir(exist_ok=True)
    (server.data / "files" / "old.txt").write_text("from before")

    info = await client.get("old.txt", target)

    assert target.read_text() == "from before"
    assert info.sha256 is not None


async def test_a_broken_download_goes_on_where_it_broke(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await shaky.put(film, "get/broken.mkv")
    proxy.cut_answers = [3 * MIB, 2 * MIB, MIB]
    proxy.answered = 0
    await close_idle(shaky)

    await shaky.get("get/broken.mkv", target)

    assert target.read_bytes() == film.read_bytes()
    assert len(proxy.ranges) == 3
    assert proxy.answered < 9 * MIB


async def close_idle(client: Client) -> None:
    """Make the next request use a connection of its own."""
    await client.__aexit__()
    await client.__aenter__()


async def test_a_later_call_goes_on(client: Client, proxy: Proxy, film: Path, target: Path) -> None:
    await client.put(film, "get/later.mkv")
    proxy.cut_answers = [3 * MIB]
    async with Client(proxy.url, tries=1) as impatient:
        with pytest.raises(ServerUnavailable):
            await impatient.get("get/later.mkv", target)
    assert beside(target) == ["copy.mkv.part", "copy.mkv.part.json"]

    async with Client(proxy.url) as patient:
        begun: list[int] = []
        await patient.get("get/later.mkv", target, progress=lambda done, _: begun.append(done))

    assert target.read_bytes() == film.read_bytes()
    assert begun[0] > 2 * MIB
    assert re.fullmatch(rf"Range: bytes={begun[0]}-", proxy.ranges[0])
    assert beside(target) == ["copy.mkv"]


async def broken_off(client: Client, proxy: Proxy, film: Path, key: str, target: Path) -> None:
    """Put a film and leave the first 3 MiB of it in a part."""
    await client.put(film, key)
    proxy.cut_answers = [3 * MIB]
    async with Client(proxy.url, tries=1) as impatient:
        with pytest.raises(ServerUnavailable):
            await impatient.get(key, target)


async def test_a_changed_file_starts_again_instead_of_being_mixed(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/changed.mkv", target)
    film.write_bytes(os.urandom(8 * MIB + 17))
    await shaky.put(film, "get/changed.mkv")

    await shaky.get("get/changed.mkv", target)

    assert target.read_bytes() == film.read_bytes()


async def test_a_file_that_became_shorter_than_the_part(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/shorter.mkv", target)
    await shaky.put(io.BytesIO(b"short"), "get/shorter.mkv")

    await shaky.get("get/shorter.mkv", target)

    assert target.read_bytes() == b"short"


async def test_a_part_that_was_tampered_with_is_never_accepted(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/tampered.mkv", target)
    with open(f"{target}.part", "r+b") as part:
        part.write(b"nonsense")

    with pytest.raises(DigestMismatch):
        await shaky.get("get/tampered.mkv", target)

    assert beside(target) == []


def complete(target: Path, film: Path) -> None:
    """Make the part what it is when a run is killed just before its end."""
    Path(f"{target}.part").write_bytes(film.read_bytes())
    state_path = Path(f"{target}.part.json")
    state = json.loads(state_path.read_text())
    state_path.write_text(json.dumps(state | {"have": [[0, state["size"]]]}))


async def test_a_complete_part_is_only_confirmed(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/complete.mkv", target)
    complete(target, film)
    proxy.answered = 0

    await shaky.get("get/complete.mkv", target)

    assert target.read_bytes() == film.read_bytes()
    assert proxy.answered < 4096


async def test_a_complete_part_of_an_old_version_starts_again(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/stale.mkv", target)
    complete(target, film)
    await shaky.put(io.BytesIO(b"new"), "get/stale.mkv")

    await shaky.get("get/stale.mkv", target)

    assert target.read_bytes() == b"new"


async def test_a_part_of_another_address_is_not_gone_on_with(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/one.mkv", target)
    await shaky.put(io.BytesIO(bytes(9 * MIB)), "get/other.mkv")
    proxy.heads.clear()

    await shaky.get("get/other.mkv", target)

    assert target.read_bytes() == bytes(9 * MIB)
    assert proxy.ranges == []


async def test_a_flipped_byte_removes_the_part(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await shaky.put(film, "get/flipped.mkv")
    await close_idle(shaky)
    proxy.flip_answer = 4 * MIB

    with pytest.raises(DigestMismatch, match="not the right ones"):
        await shaky.get("get/flipped.mkv", target)

    assert beside(target) == []


async def test_the_same_file_is_left_alone(client: Client, film: Path, target: Path) -> None:
    await client.put(film, "get/same.mkv")
    await client.get("get/same.mkv", target)
    before = target.stat()

    second = await client.fetch("get/same.mkv", target)

    assert second.skipped
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_another_file_is_replaced_when_the_new_one_is_whole(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await shaky.put(film, "get/replaced.mkv")
    target.write_bytes(b"the old file")
    await close_idle(shaky)
    proxy.cut_answers = [MIB] * 3

    with target.open("rb") as old:
        await shaky.get("get/replaced.mkv", target)

        assert target.read_bytes() == film.read_bytes()
        assert old.read() == b"the old file"


async def test_a_stream_goes_on_within_one_call(shaky: Client, proxy: Proxy, film: Path) -> None:
    await shaky.put(film, "get/stream.mkv")
    await close_idle(shaky)
    proxy.cut_answers = [3 * MIB, MIB]
    stream = io.BytesIO()

    await shaky.get("get/stream.mkv", stream)

    assert stream.getvalue() == film.read_bytes()
    assert len(proxy.ranges) == 2


async def test_a_stream_is_verified_too(shaky: Client, proxy: Proxy, film: Path) -> None:
    await shaky.put(film, "get/bad-stream.mkv")
    await close_idle(shaky)
    proxy.flip_answer = 4 * MIB

    with pytest.raises(DigestMismatch):
        await shaky.get("get/bad-stream.mkv", io.BytesIO())


async def test_a_stream_cannot_be_taken_back_when_the_file_changes(
    server: RunningServer, proxy: Proxy, film: Path
) -> None:
    proxy.cut_answers = [3 * MIB]
    async with Client(server.url) as steady, Client(proxy.url, limit_rate=20 * MIB) as shaky:
        await steady.put(film, "get/moving.mkv")
        getting = asyncio.ensure_future(shaky.get("get/moving.mkv", io.BytesIO()))
        while proxy.answered < MIB:
            await asyncio.sleep(0.01)
        await steady.put(io.BytesIO(b"new"), "get/moving.mkv")

        with pytest.raises(SourceChanged, match="cannot be taken back"):
            await getting


async def test_a_pipe_as_target(client: Client, film: Path, tmp_path: Path) -> None:
    await client.put(film, "get/pipe.mkv")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = asyncio.ensure_future(asyncio.to_thread(pipe.read_bytes))

    await client.get("get/pipe.mkv", pipe)

    assert await reading == film.read_bytes()


async def test_a_missing_file_leaves_nothing_behind(client: Client, target: Path) -> None:
    with pytest.raises(NotFound, match="get/missing"):
        await client.get("get/missing", target)

    assert beside(target) == []


async def test_a_folder_as_target_is_an_error(client: Client, film: Path, target: Path) -> None:
    await client.put(film, "get/folder.mkv")

    with pytest.raises(IsADirectoryError):
        await client.get("get/folder.mkv", target.parent)


async def test_a_foreign_file_in_the_parts_place_is_not_touched(
    client: Client, film: Path, target: Path
) -> None:
    await client.put(film, "get/foreign.mkv")
    Path(f"{target}.part").write_text("precious")

    with pytest.raises(KeyConflict, match="move it away"):
        await client.get("get/foreign.mkv", target)

    assert Path(f"{target}.part").read_text() == "precious"


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"url": 1, "size": "x", "etag": 2}'])
async def test_an_unreadable_state_is_not_trusted(
    client: Client, film: Path, target: Path, state: str
) -> None:
    await client.put(film, "get/unreadable.mkv")
    Path(f"{target}.part").write_text("precious")
    Path(f"{target}.part.json").write_text(state)

    with pytest.raises(KeyConflict):
        await client.get("get/unreadable.mkv", target)


async def test_two_downloads_to_one_target_do_not_mix(
    server: RunningServer, film: Path, target: Path
) -> None:
    async with Client(server.url, limit_rate=8 * MIB) as first, Client(server.url) as second:
        await second.put(film, "get/twice.mkv")
        getting = asyncio.ensure_future(first.get("get/twice.mkv", target))
        while not os.path.exists(f"{target}.part.json"):
            await asyncio.sleep(0.01)

        with pytest.raises(Busy, match="another process"):
            await second.get("get/twice.mkv", target)

        await getting
    assert target.read_bytes() == film.read_bytes()


async def test_the_longest_names_have_room_for_their_part(client: Client, target: Path) -> None:
    name = "é" * 127
    await client.put(io.BytesIO(b"long"), name)

    await client.get(name, target.with_name(name))

    assert target.with_name(name).read_bytes() == b"long"


async def test_a_full_disk_is_told(client: Client, film: Path) -> None:
    await client.put(film, "get/full.mkv")

    with pytest.raises(OSError, match="No space left") as caught:
        await client.get("get/full.mkv", "/dev/full")

    assert caught.value.errno == errno.ENOSPC


async def test_the_state_tells_what_the_part_is(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/state.mkv", target)

    state = json.loads(Path(f"{target}.part.json").read_text())

    (start, stop), *more = state.pop("have")
    assert len(state.pop("address")) == 64
    info = await shaky.stat("get/state.mkv")
    assert state == {
        "url": f"{proxy.url}/v1/files/get/state.mkv",
        "etag": info.etag,
        "size": info.size,
        "sha256": info.sha256,
        "crc32": None,
        "modified": None,  # it was put a moment ago, so others may have the same
    }
    assert start == 0
    assert 2 * MIB < stop <= 3 * MIB
    assert more == []


DATED = b"Last-Modified: Sat, 21 Nov 2026 01:02:03 GMT\r\n"
DIGEST = b"Repr-Digest: sha-256=:" + base64.b64encode(hashlib.sha256(b"hi").digest()) + b":\r\n"


async def test_a_server_that_is_killed_and_started_again(
    start_server: StartServer, film: Path, target: Path
) -> None:
    server = start_server()
    async with Client(server.url, limit_rate=4 * MIB, tries=1000) as client:
        await client.put(film, "film")
        getting = asyncio.ensure_future(client.get("film", target))
        while not target.with_name("copy.mkv.part").exists():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        server.kill()
        await asyncio.sleep(0.2)
        await asyncio.to_thread(start_server, server.data, port=server.port)

        await getting

    assert target.read_bytes() == film.read_bytes()


async def test_a_busy_server_is_asked_again(target: Path) -> None:
    answers = [
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "1"\r\n' + DATED + DIGEST + b"\r\nhi",
    ]

    async def moody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answers.pop(0))

    async with listening(moody) as url, Client(url) as client:
        await client.get("key", target)

    assert target.read_bytes() == b"hi"


async def test_a_range_that_was_not_asked_for_is_not_taken(
    shaky: Client, proxy: Proxy, film: Path, target: Path
) -> None:
    await broken_off(shaky, proxy, film, "get/wrong.mkv", target)
    state_path = Path(f"{target}.part.json")
    asked: list[bytes] = []

    async def wrong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            asked.append(head)
            if b"Range:" in head:
                writer.write(
                    b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-0/8388625\r\n"
                    b"Content-Length: 1\r\nETag: " + etag + b"\r\n\r\nx"
                )
            else:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with listening(wrong) as url, Client(url) as client:
        state = json.loads(state_path.read_text())
        etag = state["etag"].encode()
        state["url"] = f"{url}/v1/files/get/wrong.mkv"
        state_path.write_text(json.dumps(state))

        with pytest.raises(NotFound):
            await client.get("get/wrong.mkv", target)

    assert [b"Range:" in head for head in asked] == [True, False]
