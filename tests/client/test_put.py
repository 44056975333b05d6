"""Uploads through the library against a real server."""

import asyncio
import hashlib
import io
import os
import zlib
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
from tests.client.uploads import Meter, random_file, unfinished
from tests.conftest import StartServer
from tests.serving import RunningServer


async def fetched(client: Client, key: str) -> bytes:
    stream = io.BytesIO()
    await client.get(key, stream)
    return stream.getvalue()


@pytest.mark.parametrize("size", [1, MIB, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 20 * MIB + 17])
async def test_a_file_arrives_byte_for_byte(client: Client, tmp_path: Path, size: int) -> None:
    film = random_file(tmp_path / "film.mkv", size)

    info = await client.put(film, "put/film.mkv")

    data = film.read_bytes()
    assert await fetched(client, "put/film.mkv") == data
    assert (info.key, info.size) == ("put/film.mkv", size)
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert info.crc32 == f"{zlib.crc32(data):08x}"


async def test_a_large_file_is_described_as_the_listing_does(client: Client, film: Path) -> None:
    info = await client.put(film, "put/described.mkv")

    assert [info] == [listed async for listed in client.list("put/described.mkv")]


async def test_an_empty_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    info = await client.put(tmp_path / "empty", "put/empty")

    assert (info.size, await fetched(client, "put/empty")) == (0, b"")


@pytest.mark.parametrize("size", [1, 9 * MIB])
async def test_the_content_type_is_guessed_or_given(
    client: Client, tmp_path: Path, size: int
) -> None:
    (tmp_path / "page").write_text("<p>" * (size // 3 + 1))

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


@pytest.mark.parametrize("size", [5 * MIB, 9 * MIB])
async def test_a_flipped_byte_is_noticed(
    shaky: Client, proxy: Proxy, tmp_path: Path, size: int
) -> None:
    film = random_file(tmp_path / "film.mkv", size)
    proxy.flip_request = 4 * MIB

    with pytest.raises(DigestMismatch, match="other bytes"):
        await shaky.put(film, "put/flipped.mkv")


async def test_of_a_large_file_with_a_flipped_byte_nothing_is_stored(
    shaky: Client, proxy: Proxy, client: Client, film: Path
) -> None:
    proxy.flip_request = 4 * MIB

    with pytest.raises(DigestMismatch):
        await shaky.put(film, "put/flipped-large.mkv")

    with pytest.raises(NotFound):
        await client.stat("put/flipped-large.mkv")
    assert await unfinished(proxy.url, "put/flipped-large.mkv") == []


@pytest.mark.parametrize("size", [7 * MIB, 20 * MIB])
@pytest.mark.parametrize("other_size", [3 * MIB, 21 * MIB])
async def test_a_file_that_changes_while_it_is_sent_is_not_stored(
    server: RunningServer, tmp_path: Path, size: int, other_size: int
) -> None:
    film = random_file(tmp_path / "film.mkv", size)
    meter = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "put/changing", progress=meter))
        await meter.reaches(MIB)
        os.truncate(film, other_size)
        with pytest.raises(SourceChanged, match="changed while it was read"):
            await sending

        with pytest.raises(NotFound):
            await client.stat("put/changing")


async def test_a_file_that_changes_leaves_no_upload_behind(
    server: RunningServer, film: Path
) -> None:
    meter = Meter()

    async with Client(server.url, limit_rate=16 * MIB) as client:
        sending = asyncio.ensure_future(client.put(film, "put/left", progress=meter))
        await meter.reaches(2 * MIB)
        os.utime(film)
        with pytest.raises(SourceChanged):
            await sending

    assert await unfinished(server.url, "put/left") == []


@pytest.mark.parametrize("size", [4 * MIB, 9 * MIB])
async def test_a_refused_file_is_never_sent(
    start_server: StartServer, tmp_path: Path, size: int
) -> None:
    server = start_server(max_body=MIB)
    film = random_file(tmp_path / "film.mkv", size)
    meter = Meter()

    async with Client(server.url) as client:
        with pytest.raises(TooLarge):
            await client.put(film, "big", progress=meter)

    assert meter.told == []


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


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB])
async def test_progress_tells_bytes_and_total(client: Client, tmp_path: Path, size: int) -> None:
    film = random_file(tmp_path / "film.mkv", size)
    meter = Meter()

    await client.put(film, "put/progress", progress=meter)

    assert meter.told[0] == (0, size)
    assert meter.told[-1] == (size, size)
    assert meter.told == sorted(meter.told)


async def test_a_server_that_takes_nothing_is_given_up(tmp_path: Path) -> None:
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 64 * MIB)

    async def stop_listening(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"PATCH" not in (head := await reader.readuntil(b"\r\n\r\n")):
            status = b"201 Created\r\nLocation: x" if b"POST" in head else b"404 Not Found"
            writer.write(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(60)

    async with listening(stop_listening) as url, Client(url, timeout=0.3, tries=1) as client:
        with pytest.raises(Stalled, match="took no bytes"):
            await client.put(tmp_path / "sparse", "key")


async def test_a_server_that_knows_no_expect_is_sent_the_body_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.client.sending.CONNECT_SECONDS", 0)
    film = random_file(tmp_path / "film.mkv", 2 * MIB)
    received: list[int] = []

    async def old_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            received.append(len(await reader.readexactly(2 * MIB)) if b"PUT" in head else 0)
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with listening(old_server) as url, Client(url, timeout=0.5) as client:
        with pytest.raises(NotFound):
            await client.put(film, "key")

    assert received[-1] == 2 * MIB


async def test_an_unreachable_server_is_told_at_once(film: Path) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ServerUnavailable, match="cannot reach"):
            await asyncio.wait_for(client.put(film, "key"), 5)
