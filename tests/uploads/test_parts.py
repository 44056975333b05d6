"""Uploads put together from parts."""

import hashlib
import os
from pathlib import Path

import pytest

from penstock.errors import BadRequest, BodyIncomplete, NotFound, TooLarge
from penstock.uploads import Creation, Kind, State
from tests.uploads.conftest import House, Start

DATA = os.urandom(2_500_000)
HALF = 1_250_000


async def part(house: House, data: bytes, **wish: object) -> str:
    creation = Creation(kind=Kind.PARTIAL, length=len(data), **wish)  # type: ignore[arg-type]
    async with await house.uploads.create(creation) as session:
        await session.append(data)
        await session.finish()
        return session.upload.id


async def joined(house: House, *parts: str) -> str:
    async with await house.uploads.create(
        Creation(key="whole", kind=Kind.FINAL, parts=parts)
    ) as session:
        await session.finish()
        return session.upload.id


async def test_parts_are_put_together_in_their_order(house: House) -> None:
    second, first = await part(house, DATA[HALF:]), await part(house, DATA[:HALF])

    await joined(house, first, second)

    assert await house.stored("whole") == DATA
    assert (await house.store.stat("whole")).sha256 == hashlib.sha256(DATA).digest()


async def test_a_part_can_be_used_twice(house: House) -> None:
    once = await part(house, b"ab")

    await joined(house, once, once)

    assert await house.stored("whole") == b"abab"


async def test_parts_of_a_group_are_joined_without_moving_a_byte(
    house: House, tmp_path: Path
) -> None:
    second = await part(house, DATA[HALF:], key="whole", group="g", start=HALF)
    first = await part(house, DATA[:HALF], key="whole", group="g")
    shared = next((tmp_path / "files/.penstock/incoming").glob("*.group"))
    inode = shared.stat().st_ino

    await joined(house, first, second)

    assert await house.stored("whole") == DATA
    assert (tmp_path / "files/whole").stat().st_ino == inode
    assert list((tmp_path / "files/.penstock/incoming").iterdir()) == []


async def test_some_parts_of_a_group_are_copied(house: House) -> None:
    first = await part(house, DATA[:HALF], key="whole", group="g")
    second = await part(house, DATA[HALF:], key="whole", group="g", start=HALF)

    await joined(house, second, first)

    assert await house.stored("whole") == DATA[HALF:] + DATA[:HALF]
    assert (await house.uploads.look(first)).state == State.DONE


async def test_a_final_waits_for_its_parts(house: House) -> None:
    first = await part(house, b"abc")
    async with await house.uploads.create(Creation(kind=Kind.PARTIAL, length=3)) as session:
        last = session.upload.id
    async with await house.uploads.create(
        Creation(key="whole", kind=Kind.FINAL, parts=(first, last))
    ) as session:
        with pytest.raises(BodyIncomplete):
            await session.finish()
        final = session.upload.id

    async with await house.uploads.take(last) as session:
        await session.append(b"def")
        await session.finish()

    assert (await house.uploads.look(final)).state == State.DONE
    assert await house.stored("whole") == b"abcdef"


async def test_only_parts_can_be_joined(house: House) -> None:
    async with await house.uploads.create(Creation(key="a")) as session:
        whole = session.upload.id

    with pytest.raises(BadRequest):
        await joined(house, whole)


async def test_an_unknown_part_is_refused(house: House) -> None:
    with pytest.raises(NotFound):
        await joined(house, "nobody")


async def test_parts_that_overlap_do_not_overwrite_each_other(house: House) -> None:
    first = await part(house, b"AAAA", key="whole", group="g")
    await part(house, b"BBBB", key="whole", group="g")

    await joined(house, first)

    assert await house.stored("whole") == b"AAAA"


async def test_groups_of_different_keys_have_nothing_in_common(house: House) -> None:
    first = await part(house, b"AAAA", key="whole", group="g")
    await part(house, b"BBBB", key="other", group="g")

    await joined(house, first)

    assert await house.stored("whole") == b"AAAA"


async def test_a_group_whose_parts_are_deleted_leaves_nothing(house: House, tmp_path: Path) -> None:
    for identity in [
        await part(house, b"AAAA", key="whole", group="g"),
        await part(house, b"BBBB", key="whole", group="g", start=4),
    ]:
        await house.uploads.delete(identity)

    assert list((tmp_path / "files/.penstock/incoming").iterdir()) == []


async def test_parts_count_until_they_are_joined(start: Start) -> None:
    house = await start(max_upload_bytes=8)
    first = await part(house, b"AAAA")
    second = await part(house, b"BBBB")
    with pytest.raises(TooLarge):
        await part(house, b"C")

    await house.uploads.delete(first)
    await house.uploads.delete(second)

    await part(house, b"C")
