"""The bound of a cache holds whatever goes wrong while room is made."""

import asyncio
import threading
from pathlib import Path

import pytest

from penstock.relay import disk
from penstock.relay.shelf import Shelf
from penstock.relay.told import Told

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
async def shelf(tmp_path: Path) -> Shelf:
    """An empty one of 100 bytes."""
    made = Shelf(str(tmp_path), 100)
    await made.open()
    return made


async def put(shelf: Shelf, name: str, size: int, *, whole: bool = True) -> None:
    """Have something kept; or only all but the last byte, as if it had broken off."""
    assert await shelf.begin(name, size)
    path = Path(shelf.path(name) + ("" if whole else ".part"))
    await asyncio.to_thread(path.write_bytes, bytes(size if whole else size - 1))
    await shelf.end(name, Told(size, None, {"ETag": '"1"'}) if whole else None, 0.0)


def on_disk(folder: Path) -> int:
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.suffix in ("", ".part")]
    return sum(sizes) - sum(path.stat().st_size for path in folder.rglob("*") if path.is_dir())


async def test_who_leaves_while_room_is_made_leaves_nothing_uncounted(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        await put(shelf, f"{number:064x}", 10)
    begun, go_on, remove = threading.Event(), threading.Event(), disk.remove

    def slowly(path: str) -> None:
        begun.set()
        go_on.wait(30)
        remove(path)

    monkeypatch.setattr(disk, "remove", slowly)
    making_room = asyncio.create_task(shelf.begin(A, 100))
    await asyncio.to_thread(begun.wait, 30)
    making_room.cancel()
    go_on.set()
    await asyncio.gather(making_room, return_exceptions=True)
    left = on_disk(tmp_path)

    assert await shelf.begin(A, 100)
    assert (left, on_disk(tmp_path)) == (90, 0)


async def test_a_part_that_finds_no_room_is_still_counted(shelf: Shelf, tmp_path: Path) -> None:
    await put(shelf, A, 60, whole=False)
    assert await shelf.begin(B, 40)  # in use from now on

    assert not await shelf.begin(A, 70)
    left = on_disk(tmp_path)
    assert await shelf.begin(C, 60)

    assert (left, on_disk(tmp_path)) == (59, 0)


async def test_a_part_that_goes_on_needs_no_other_room(shelf: Shelf) -> None:
    await put(shelf, A, 60, whole=False)
    await put(shelf, B, 40)

    assert await shelf.begin(A, 60)

    kept = await shelf.take(B)
    assert kept is not None
    kept.release()
