"""``Client.follow``: a file is read along while it is uploaded, gone on with, and verified."""

import asyncio
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import DigestMismatch, NotFound, ServerUnavailable, UploadGone
from tests.client.proxy import Proxy
from tests.conftest import StartServer
from tests.eventually import eventually
from tests.server import tus_blocking as blocking
from tests.serving import RunningServer

DATA = os.urandom((3 << 20) + 17)
HALF = len(DATA) // 2


class Upload:
    """An upload of ``DATA`` at a key, of which the first half is there."""

    def __init__(self, server: RunningServer, key: str) -> None:
        self.server = server
        self.url = blocking.begin(server, len(DATA), key)
        blocking.patch(server, self.url, 0, DATA[:HALF])

    async def end(self) -> None:
        rest = DATA[HALF:]
        sent = await asyncio.to_thread(blocking.patch, self.server, self.url, HALF, rest)
        assert sent.status == 204

    async def delete(self) -> None:
        await asyncio.to_thread(blocking.ask, self.server, "DELETE", self.url)


async def half(server: RunningServer, key: str) -> Upload:
    return await asyncio.to_thread(Upload, server, key)


class Seen:
    """How far a transfer has come."""

    done = 0
    total: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total

    def has(self, count: int) -> Callable[[], bool]:
        return lambda: self.done >= count


async def test_what_is_read_along_appears_once_it_is_verified(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "along"), Seen()
    target = tmp_path / "along"

    reading = asyncio.create_task(client.follow("along", target, progress=seen))
    assert await eventually(seen.has(HALF), 30)
    too_early = target.exists()
    await upload.end()
    info = await reading

    assert not too_early
    assert target.read_bytes() == DATA
    assert os.listdir(tmp_path) == ["along"]
    stored = await client.stat("along")
    assert (info.etag, info.sha256) == (stored.etag, stored.sha256)
    assert (info.key, info.size, seen.total) == ("along", len(DATA), len(DATA))


async def test_a_stream_gets_the_bytes_as_they_come(client: Client, server: RunningServer) -> None:
    upload, seen, stream = await half(server, "stream"), Seen(), io.BytesIO()

    reading = asyncio.create_task(client.follow("stream", stream, progress=seen))
    assert await eventually(seen.has(HALF), 30)
    first = stream.getvalue()
    await upload.end()
    await reading

    assert (first, stream.getvalue()) == (DATA[:HALF], DATA)


async def test_without_an_upload_it_is_a_get(client: Client, tmp_path: Path) -> None:
    await client.put(io.BytesIO(DATA), "stored")
    target = tmp_path / "stored"

    first = await client.follow("stored", target)
    stream = io.BytesIO()
    await client.follow("stored", stream)

    assert target.read_bytes() == stream.getvalue() == DATA
    assert first.etag == (await client.stat("stored")).etag


async def test_nothing_there_is_not_found(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await client.follow("nothing", tmp_path / "nothing")

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["file", "stream"])
async def test_a_connection_that_breaks_is_gone_on_with_at_its_byte(
    shaky: Client, proxy: Proxy, server: RunningServer, tmp_path: Path, kind: str
) -> None:
    upload = await half(server, f"shaky-{kind}")
    proxy.cut_answers = [200_000, 1_000, 500_000, 300_000, 5_000]
    target, stream = tmp_path / "shaky", io.BytesIO()

    into = target if kind == "file" else stream
    reading = asyncio.create_task(shaky.follow(f"shaky-{kind}", into))
    assert await eventually(lambda: not proxy.cut_answers, 30)
    await upload.end()
    await reading

    assert (target.read_bytes() if kind == "file" else stream.getvalue()) == DATA
    asked = [head.split(b" ")[1] for head in proxy.heads if head.startswith(b"GET")]
    offsets = [int(path.rpartition(b"offset=")[2]) for path in asked]
    assert offsets == sorted(offsets)
    assert offsets[0] == 0 < offsets[-1]


REFUSAL = (
    b"HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nContent-Length: 26\r\n"
    b'Connection: close\r\n\r\n{"code":"offset-mismatch"}'
)


async def test_a_server_that_does_not_know_of_all_bytes_yet_is_asked_again(
    shaky: Client, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    upload = await half(server, "behind")
    proxy.cut_answers, proxy.refusals = [500_000], [b"", REFUSAL, REFUSAL]

    reading = asyncio.create_task(shaky.follow("behind", tmp_path / "behind"))
    assert await eventually(lambda: not proxy.refusals, 30)
    await upload.end()
    await reading

    assert (tmp_path / "behind").read_bytes() == DATA


async def test_a_later_run_goes_on_where_an_earlier_one_was_ended(
    shaky: Client, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "later"), Seen()
    target = tmp_path / "later"
    reading = asyncio.create_task(shaky.follow("later", target, progress=seen))
    assert await eventually(seen.has(HALF), 30)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    left = (tmp_path / "later.part").stat().st_size
    await upload.end()

    await shaky.follow("later", target)

    _, path = [head.split(b" ")[1] for head in proxy.heads if head.startswith(b"GET")]
    assert left == HALF
    assert path.endswith(f"offset={HALF}".encode())
    assert target.read_bytes() == DATA


async def test_a_server_that_is_killed_and_started_again_is_gone_on_with(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = await asyncio.to_thread(start_server, tmp_path / "data")
    upload, seen = await half(server, "killed"), Seen()
    port = server.port
    async with Client(server.url, tries=100) as client:
        reading = asyncio.create_task(client.follow("killed", tmp_path / "to", progress=seen))
        assert await eventually(seen.has(HALF), 30)
        await asyncio.to_thread(server.kill)
        upload.server = await asyncio.to_thread(start_server, tmp_path / "data", port=port)
        await upload.end()
        await reading

    assert (tmp_path / "to").read_bytes() == DATA


async def test_what_is_left_of_an_upload_that_is_no_more_is_of_no_use(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "other"), Seen()
    target = tmp_path / "other"
    reading = asyncio.create_task(client.follow("other", target, progress=seen))
    assert await eventually(seen.has(HALF), 30)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await upload.delete()
    await client.put(io.BytesIO(b"another file"), "other")

    await client.follow("other", target)

    assert target.read_bytes() == b"another file"
    assert os.listdir(tmp_path) == ["other"]


async def test_a_get_does_not_go_on_with_what_a_follow_left(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "mixed"), Seen()
    target = tmp_path / "mixed"
    reading = asyncio.create_task(client.follow("mixed", target, progress=seen))
    assert await eventually(seen.has(HALF), 30)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await upload.delete()
    other = os.urandom(len(DATA))
    await client.put(io.BytesIO(other), "mixed")

    await client.get("mixed", target)

    assert target.read_bytes() == other


async def test_an_upload_that_fails_is_an_error_and_leaves_nothing(
    client: Client, server: RunningServer, tmp_path: Path
) -> None:
    await client.put(io.BytesIO(b"old"), "fails")
    upload, seen = await half(server, "fails"), Seen()

    reading = asyncio.create_task(client.follow("fails", tmp_path / "fails", progress=seen))
    assert await eventually(seen.has(HALF), 30)
    await upload.delete()

    with pytest.raises(UploadGone):
        await reading
    assert os.listdir(tmp_path) == []


async def test_bytes_that_are_not_those_that_were_stored_are_no_file(
    shaky: Client, proxy: Proxy, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "flipped"), Seen()
    proxy.flip_answer = 100_000

    reading = asyncio.create_task(shaky.follow("flipped", tmp_path / "flipped", progress=seen))
    assert await eventually(seen.has(HALF), 30)
    await upload.end()

    with pytest.raises(DigestMismatch):
        await reading
    assert os.listdir(tmp_path) == []


async def test_a_file_that_is_replaced_before_it_is_verified_is_an_error(
    shaky: Client, proxy: Proxy, client: Client, server: RunningServer, tmp_path: Path
) -> None:
    upload, seen = await half(server, "replaced"), Seen()
    reading = asyncio.create_task(shaky.follow("replaced", tmp_path / "to", progress=seen))
    assert await eventually(seen.has(HALF), 30)
    proxy.rate = 500_000  # so that the file is another one when all of it has come
    await upload.end()
    await client.put(io.BytesIO(b"another"), "replaced")

    with pytest.raises(UploadGone, match="run the command again"):
        await reading
    assert os.listdir(tmp_path) == []


async def test_who_gets_nothing_for_long_gives_up_and_can_go_on_later(
    server: RunningServer, tmp_path: Path
) -> None:
    upload = await half(server, "silent")
    async with Client(server.url, timeout=0.3, tries=3) as client:
        with pytest.raises(ServerUnavailable):
            await client.follow("silent", tmp_path / "silent")
    await upload.end()
    async with Client(server.url) as client:
        await client.follow("silent", tmp_path / "silent")

    assert (tmp_path / "silent").read_bytes() == DATA


async def test_a_big_file_that_goes_up_in_parts_is_read_along(
    client: Client,
    server: RunningServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("penstock.client.cutting.PARALLEL_FROM", 4 << 20)
    monkeypatch.setattr("penstock.client.cutting.SMALLEST_PART", 1 << 20)
    film, seen, target = tmp_path / "film", Seen(), tmp_path / "copy"
    film.write_bytes(DATA * 3)

    async with Client(server.url, limit_rate=4 << 20) as slow:
        putting = asyncio.create_task(slow.put(film, "big"))
        await asyncio.to_thread(wait_until_listed, server, "big")
        reading = asyncio.create_task(client.follow("big", target, progress=seen))
        assert await eventually(seen.has(1), 30)
        early = not putting.done()
        stored = await putting
        info = await reading

    assert early
    assert target.read_bytes() == DATA * 3
    assert info.etag == stored.etag


def wait_until_listed(server: RunningServer, key: str) -> None:
    """Until some upload of the key is there."""
    for _ in range(1500):
        if blocking.listed(server, key):
            return
        time.sleep(0.02)
    raise AssertionError("no upload has begun")
