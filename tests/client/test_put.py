"""Uploads through the library against a real server."""

import asyncio
import hashlib
import io
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.client import Client
from penstock.errors import (
    BadKey,
    DigestMismatch,
    NotFound,
    ServerUnavailable,
    SourceChanged,
    Stalled,
    TooLarge,
)
from tests.client.conftest import MIB
from tests.client.proxy import Proxy, listening
from tests.conftest import StartServer
from tests.serving import RunningServer


async def fetched(client: Client, key: str) -> bytes:
    stream = io.BytesIO()
    await client.get(key, stream)
    return stream.getvalue()


async def test_a_file_arrives_byte_for_byte(client: Client, film: Path) -> None:
    info = await client.put(film, "put/film.mkv")

    assert await fetched(client, "put/film.mkv") == film.read_bytes()
    assert info.key == "put/film.mkv"
    assert info.size == 8 * MIB + 17
    assert info.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()


async def test_an_empty_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    info = await client.put(tmp_path / "empty", "put/empty")

    assert (info.size, await fetched(client, "put/empty")) == (0, b"")


async def test_a_stream_of_unknown_length(client: Client) -> None:
    data = os.urandom(3 * MIB + 5)

    info = await client.put(io.BytesIO(data), "put/stream")

    assert info.sha256 == hashlib.sha256(data).hexdigest()


async def test_an_asynchronous_iterator(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one ", b"", b"two"):
            yield piece

    await client.put(pieces(), "put/pieces")

    assert await fetched(client, "put/pieces") == b"one two"


async def test_a_pipe_named_by_its_path(client: Client, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"through a pipe",))
    writer.start()

    await client.put(pipe, "put/pipe")
    writer.join()

    assert await fetched(client, "put/pipe") == b"through a pipe"


async def test_an_iterator_that_fails_stores_nothing(client: Client) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"begun"
        raise ZeroDivisionError("the producer broke")

    with pytest.raises(ZeroDivisionError):
        await client.put(pieces(), "put/broken")

    with pytest.raises(NotFound):
        await client.stat("put/broken")


async def test_the_content_type_is_guessed_or_given(client: Client, tmp_path: Path) -> None:
    (tmp_path / "page").write_text("<p>")

    guessed = await client.put(tmp_path / "page", "put/page.html")
    given = await client.put(tmp_path / "page", "put/page", content_type="text/x-page")

    changed = await client.put(tmp_path / "page", "put/page.html", content_type="text/x-page")

    assert (guessed.content_type, given.content_type) == ("text/html", "text/x-page")
    assert changed.content_type == "text/x-page"


async def test_what_the_server_holds_is_not_sent_again(client: Client, film: Path) -> None:
    first = await client.store(film, "put/again.mkv")

    second = await client.store(film, "put/again.mkv")

    assert (first.skipped, second.skipped) == (False, True)
    assert second.info.etag == first.info.etag


async def test_other_bytes_of_the_same_size_are_sent(client: Client, tmp_path: Path) -> None:
    note = tmp_path / "note"
    note.write_bytes(b"old text")
    await client.put(note, "put/note")
    note.write_bytes(b"new text")

    stored = await client.store(note, "put/note")

    assert not stored.skipped
    assert await fetched(client, "put/note") == b"new text"


async def test_a_cut_upload_is_sent_again(shaky: Client, proxy: Proxy, film: Path) -> None:
    proxy.cut_requests = [MIB, 3 * MIB]

    info = await shaky.put(film, "put/cut.mkv")

    assert info.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert proxy.connections == 3


async def test_a_stream_cannot_be_sent_again(shaky: Client, proxy: Proxy) -> None:
    proxy.cut_requests = [MIB]

    with pytest.raises(ServerUnavailable):
        await shaky.put(io.BytesIO(bytes(8 * MIB)), "put/cut-stream")

    with pytest.raises(NotFound):
        await shaky.stat("put/cut-stream")


async def test_tries_are_bounded(proxy: Proxy, film: Path) -> None:
    proxy.cut_requests = [MIB] * 100

    async with Client(proxy.url, tries=3) as client:
        with pytest.raises(ServerUnavailable):
            await client.put(film, "put/never")

    assert proxy.connections == 3


async def test_a_flipped_byte_is_noticed(shaky: Client, proxy: Proxy, film: Path) -> None:
    proxy.flip_request = 4 * MIB

    with pytest.raises(DigestMismatch, match="other bytes"):
        await shaky.put(film, "put/flipped.mkv")


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB])
async def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    server: RunningServer, film: Path, size: int
) -> None:
    begun = asyncio.Event()

    def notice(done: int, total: int | None) -> None:
        if done > MIB:
            begun.set()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "put/changing", progress=notice))
        await begun.wait()
        os.truncate(film, size)
        with pytest.raises(SourceChanged, match="changed while it was read"):
            await sending

        with pytest.raises(NotFound):
            await client.stat("put/changing")


async def test_a_refused_file_is_never_sent(start_server: StartServer, film: Path) -> None:
    server = start_server(max_body=MIB)
    sent: list[int] = []

    async with Client(server.url) as client:
        with pytest.raises(TooLarge):
            await client.put(film, "big", progress=lambda done, total: sent.append(done))

    assert sent == []


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/./b", "a\nb", "a" * 1025])
async def test_a_bad_key_is_refused(client: Client, film: Path, key: str) -> None:
    with pytest.raises(BadKey):
        await client.put(film, key)


async def test_a_missing_file_and_a_folder_are_errors_of_the_disk(
    client: Client, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await client.put(tmp_path / "missing", "put/missing")
    with pytest.raises(IsADirectoryError):
        await client.put(tmp_path, "put/folder")


async def test_progress_tells_bytes_and_total(client: Client, film: Path) -> None:
    told: list[tuple[int, int | None]] = []

    await client.put(film, "put/progress", progress=lambda *facts: told.append(facts))

    size = 8 * MIB + 17
    assert told[0] == (0, size)
    assert told[-1] == (size, size)
    assert told == sorted(told)


async def test_a_server_that_takes_nothing_is_given_up() -> None:
    async def stop_listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(60)

    async with listening(stop_listening) as url, Client(url, timeout=0.3, tries=1) as client:
        with pytest.raises(Stalled, match="took no bytes"):
            await client.put(io.BytesIO(bytes(64 * MIB)), "key")


async def test_a_server_that_knows_no_expect_is_sent_the_body_all_the_same(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.client.put.CONNECT_SECONDS", 0)
    received: list[int] = []

    async def old_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            received.append(len(await reader.readexactly(8 * MIB + 17)) if b"PUT" in head else 0)
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with listening(old_server) as url, Client(url, timeout=0.5) as client:
        with pytest.raises(NotFound):
            await client.put(film, "key")

    assert received[-1] == 8 * MIB + 17


async def test_a_slow_source_is_no_stall(server: RunningServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.3)
            yield b"slow"

    async with Client(server.url, timeout=0.2) as client:
        info = await client.put(pieces(), "put/slow")

    assert info.size == 16


async def test_an_unreachable_server_is_told_at_once(film: Path) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ServerUnavailable, match="cannot reach"):
            await asyncio.wait_for(client.put(film, "key"), 5)
