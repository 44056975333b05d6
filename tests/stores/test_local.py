"""What only a folder of this machine can get wrong: links, strangers' files, left-overs."""

import asyncio
import os
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.catalog import SqlChecksums
from penstock.errors import BadKey, Busy, KeyConflict, NotFound, SourceChanged, StorageFull
from penstock.stores import FileInfo, LocalStore
from tests.descriptors import no_descriptors


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


@pytest.fixture
async def store(root: Path, book: SqlChecksums) -> AsyncIterator[LocalStore]:
    opened = await asyncio.to_thread(LocalStore, root, book)
    yield opened
    await opened.close()


async def put(store: LocalStore, key: str, data: bytes) -> FileInfo:
    async with await store.write(key) as writer:
        await writer.write(data)
        return await writer.commit()


async def test_files_that_were_there_before_are_served(store: LocalStore, root: Path) -> None:
    (root / "old").mkdir()
    (root / "old/file.txt").write_bytes(b"before")

    info = await store.stat("old/file.txt")

    assert (info.size, info.sha256) == (6, None)
    assert [found.key for found in (await store.list()).files] == ["old/file.txt"]
    assert b"".join([data async for data in store.read("old/file.txt")]) == b"before"


async def test_a_checksum_is_worked_out_once_and_remembered(store: LocalStore, root: Path) -> None:
    (root / "a").write_bytes(b"before")

    info = await store.checksum("a")

    assert info.crc32 == zlib.crc32(b"before")
    assert await store.stat("a") == info


async def test_a_file_changed_behind_our_back_is_not_trusted(store: LocalStore, root: Path) -> None:
    before = await put(store, "a", b"one")
    (root / "a").write_bytes(b"two")

    now = await store.stat("a")

    assert now.etag != before.etag
    assert now.sha256 is None
    assert (await store.checksum("a")).crc32 == zlib.crc32(b"two")


async def test_a_link_out_of_the_root_is_not_followed(
    store: LocalStore, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)

    for key in ("link", "folder/secret"):
        with pytest.raises(BadKey, match="symbolic link"):
            await asyncio.to_thread(store.open_file, key)
    assert (await store.list()).files == []


async def test_nothing_is_written_through_a_link(
    store: LocalStore, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "target")

    for key in ("folder/x", "file"):
        with pytest.raises(BadKey, match="symbolic link"):
            await put(store, key, b"x")
    assert list(outside.iterdir()) == []


async def test_a_folder_or_a_pipe_is_not_a_file(store: LocalStore, root: Path) -> None:
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")

    for key in ("folder", "pipe"):
        with pytest.raises(NotFound):
            await store.stat(key)
        with pytest.raises(NotFound):
            await store.checksum(key)
        with pytest.raises(KeyConflict):
            await put(store, key, b"x")


async def test_names_that_cannot_be_keys_are_passed_over(store: LocalStore, root: Path) -> None:
    (root / "good").write_bytes(b"x")
    (root / "new\nline").write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_bytes(b"x")

    assert [info.key for info in (await store.list()).files] == ["good"]


async def test_empty_folders_are_in_no_listing(store: LocalStore, root: Path) -> None:
    (root / "empty/deeper").mkdir(parents=True)

    page = await store.list(delimiter="/")

    assert (page.files, page.prefixes) == ([], [])


async def test_empty_folders_are_found_if_they_are_asked_for(store: LocalStore, root: Path) -> None:
    for name in ("d/b", "d/c", "d.x/y", "a"):
        (root / name).mkdir(parents=True)
    (root / "d/b.txt").write_bytes(b"x")
    (root / "d/b/link").symlink_to("/etc")

    found = [info async for infos in store.scan(folders=True) for info in infos]
    below = [info.key async for infos in store.scan("d/c", folders=True) for info in infos]

    assert [info.key for info in found] == ["a/", "d.x/y/", "d/b.txt", "d/b/", "d/c/"]
    assert [info.size for info in found] == [0, 0, 1, 0, 0]
    assert below == ["d/c/"]
    assert [info.key async for infos in store.scan() for info in infos] == ["d/b.txt"]


async def test_a_file_that_shrinks_while_it_is_read_is_an_error(
    store: LocalStore, root: Path
) -> None:
    (root / "a").write_bytes(bytes(3 << 20))
    reading = store.read("a")
    await anext(reading)

    await asyncio.to_thread(os.truncate, root / "a", 1 << 20)

    with pytest.raises(SourceChanged):
        await anext(reading)


async def test_more_than_fits_is_refused_at_once(store: LocalStore) -> None:
    with pytest.raises(StorageFull):
        await store.write("a", size=1 << 62)


async def test_a_full_disk_is_named_and_leaves_nothing(store: LocalStore, root: Path) -> None:
    writer = await store.write("a")
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, writer._fd)
    os.close(full)

    async with writer:
        await writer.write(b"x" * (2 << 20))
        with pytest.raises(StorageFull):
            await writer.commit()

    assert list((root / ".penstock/tmp").iterdir()) == []


async def test_left_overs_of_dead_processes_are_swept(root: Path, book: SqlChecksums) -> None:
    dead = (
        "import os, sys; from pathlib import Path; from penstock.stores.local_root import Root;"
        "Root(Path(sys.argv[1])).new_temporary(); os.kill(os.getpid(), 9)"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", dead, str(root))
    await killed.wait()
    assert len(list((root / ".penstock/tmp").iterdir())) == 1

    store = await asyncio.to_thread(LocalStore, root, book)
    await store.close()

    assert store.swept == 1
    assert list((root / ".penstock/tmp").iterdir()) == []


async def test_what_another_living_process_writes_is_not_swept(
    store: LocalStore, root: Path
) -> None:
    async with await store.write("a") as writer:
        sweep = (
            "import sys; from pathlib import Path; from penstock.stores.local_root import Root;"
            "print(Root(Path(sys.argv[1])).sweep())"
        )
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", sweep, str(root)],
            capture_output=True,
            check=True,
        )
        assert done.stdout.strip() == b"0"
        await writer.write(b"still here")
        assert (await writer.commit()).size == 10


async def test_a_cancelled_write_leaves_no_descriptor_and_no_file(
    store: LocalStore, root: Path
) -> None:
    await put(store, "warm", b"x")
    before = len(os.listdir("/proc/self/fd"))

    for delay in (0.0, 0.0001, 0.001, 0.01):
        task = asyncio.create_task(put(store, "a", b"x" * (4 << 20)))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.2)

    assert len(os.listdir("/proc/self/fd")) == before
    assert list((root / ".penstock/tmp").iterdir()) == []


@pytest.mark.parametrize("key", ["a", "folder/a"])
async def test_a_file_that_cannot_be_opened_now_is_not_told_to_be_missing(
    store: LocalStore, root: Path, key: str
) -> None:
    (root / "folder").mkdir()
    (root / key).write_bytes(b"here")

    with no_descriptors(), pytest.raises(Busy):
        await asyncio.to_thread(store.open_file, key)
