"""Folders go up and come down with every odd name, and nothing leaves the target."""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from penstock.client import Client, Done
from penstock.errors import BadKey, KeyConflict, NotFound, ServerUnavailable
from tests.client.proxy import listening
from tests.serving import RunningServer

NAMES = [
    "plain.txt",
    "with space.txt",
    "per%cent.txt",
    "ques?tion.txt",
    "ha#sh.txt",
    "plus+amp&semi;.txt",
    "ünïcödé 漢字 🎞.txt",
    "back\\slash.txt",
    ".hidden",
    "deep/er/and deeper/file",
    "%2F",
    "-dash",
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")
    return folder


async def collected(results: AsyncGenerator[Done, None]) -> dict[str, Done]:
    return {done.key: done async for done in results}


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_a_folder_goes_up_and_comes_down(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    put = await collected(client.put_folder(photos, "trips/photos/"))
    got = await collected(client.get_folder("trips/photos/", tmp_path / "copy"))

    assert put.keys() == got.keys() == {f"trips/photos/{name}" for name in NAMES}
    assert all(done.error is None for done in [*put.values(), *got.values()])
    assert tree(tmp_path / "copy" / "photos") == tree(photos)


async def test_a_second_run_moves_only_what_is_missing(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    await collected(client.put_folder(photos, "again/"))
    (photos / "plain.txt").write_text("another text")

    second = await collected(client.put_folder(photos, "again/"))

    assert [key for key, done in second.items() if not done.skipped] == ["again/plain.txt"]


async def test_everything_comes_under_the_empty_prefix(
    client: Client, photos: Path, tmp_path: Path
) -> None:
    await collected(client.put_folder(photos, "all/"))

    await collected(client.get_folder("", tmp_path / "copy"))

    assert tree(tmp_path / "copy" / "all") == tree(photos)


async def test_what_cannot_be_sent_is_a_result_too(client: Client, photos: Path) -> None:
    (photos / "broken").symlink_to("nowhere")
    (photos / "link").symlink_to("deep")
    (photos / "good link").symlink_to("plain.txt")
    Path(os.fsdecode(os.fsencode(photos) + b"/not\xffutf8")).write_text("x")

    results = await collected(client.put_folder(photos, "odd/"))

    failed = {key: type(done.error) for key, done in results.items() if done.error}
    assert failed == {
        "odd/broken": FileNotFoundError,
        "odd/link": OSError,
        "odd/not\udcffutf8": BadKey,
    }
    assert results["odd/good link"].info is not None


async def test_an_unknown_prefix_is_not_found(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing is stored under"):
        await collected(client.get_folder("unknown/", tmp_path))


async def test_a_file_in_a_folders_place(client: Client, photos: Path, tmp_path: Path) -> None:
    await collected(client.put_folder(photos, "clash/"))
    (tmp_path / "clash").mkdir()
    (tmp_path / "clash" / "deep").write_text("a file")

    results = await collected(client.get_folder("clash/", tmp_path))

    failed = {key: done.error for key, done in results.items() if done.error}
    assert failed.keys() == {"clash/deep/er/and deeper/file"}
    assert isinstance(failed["clash/deep/er/and deeper/file"], KeyConflict)


async def test_a_folder_in_a_files_place(client: Client, photos: Path, tmp_path: Path) -> None:
    await collected(client.put_folder(photos, "reverse/"))
    (tmp_path / "reverse" / "plain.txt").mkdir(parents=True)

    results = await collected(client.get_folder("reverse/", tmp_path))

    assert isinstance(results["reverse/plain.txt"].error, IsADirectoryError)


@pytest.mark.parametrize("key", ["x/../../evil", "/evil", "x/./y", "..", "a\0b"])
async def test_a_hostile_server_cannot_write_outside(tmp_path: Path, key: str) -> None:
    info = {
        "key": key,
        "size": 4,
        "sha256": None,
        "crc32": None,
        "etag": '"1"',
        "url": "/",
        "modified": "2026-11-21T01:02:03.000000Z",
        "content_type": "text/plain",
    }
    page = json.dumps({"files": [info], "prefixes": [], "next": None}).encode()

    async def hostile(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            body = page if b"GET /v1/files?" in head or b"GET /v1/files HTTP" in head else b"evil"
            writer.write(b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: %d\r\n' % len(body))
            writer.write(b"Last-Modified: Sat, 21 Nov 2026 01:02:03 GMT\r\n\r\n" + body)

    (tmp_path / "inside").mkdir()
    async with listening(hostile) as url, Client(url) as client:
        results = await collected(client.get_folder("", tmp_path / "inside"))

    assert isinstance(results[key].error, BadKey)
    assert os.listdir(tmp_path) == ["inside"]
    assert os.listdir(tmp_path / "inside") == []


async def test_many_files_in_one_call(client: Client, photos: Path, tmp_path: Path) -> None:
    names = ["plain.txt", "ha#sh.txt"]

    await collected(client.put_many((photos / name, f"many/{name}") for name in names))
    await collected(client.get_many((tmp_path / name, f"many/{name}") for name in names))

    assert [(tmp_path / name).read_text() for name in names] == [
        "this is plain.txt",
        "this is ha#sh.txt",
    ]


async def test_the_loss_of_the_server_ends_all(photos: Path) -> None:
    async with Client("http://127.0.0.1:1") as client:
        with pytest.raises(ServerUnavailable):
            await collected(client.put_folder(photos, "lost/"))


async def test_leaving_early_stops_the_rest(server: RunningServer, tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    for number in range(20):
        (tmp_path / "slow" / str(number)).write_bytes(bytes(200_000))

    async with Client(server.url, limit_rate=1e6) as client:
        results = client.put_folder(tmp_path / "slow", "early/")
        async for _ in results:
            break
        await results.aclose()
        stored = [info async for info in client.list("early/")]

    assert 1 <= len(stored) < 10


async def test_listing_and_removing(client: Client, photos: Path) -> None:
    await collected(client.put_folder(photos, "rm/"))

    pages = [page async for page in client.pages("rm/", delimiter="/")]
    own = [info.key async for info in client.list("rm/", delimiter="/")]
    everything = [info.key async for info in client.list("rm/")]

    assert [prefix for page in pages for prefix in page.prefixes] == ["rm/deep/"]
    assert sorted(own) == sorted(f"rm/{name}" for name in NAMES if "/" not in name)
    assert sorted(everything) == sorted(f"rm/{name}" for name in NAMES)

    await collected(client.delete_many(everything))

    assert [info async for info in client.list("rm/")] == []
    with pytest.raises(NotFound):
        await client.delete("rm/plain.txt")
