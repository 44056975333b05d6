"""One upload: begun, gone on with, and stored."""

import asyncio
import hashlib
import os
import zlib
from pathlib import Path

import pytest

from penstock.errors import (
    BodyIncomplete,
    DigestMismatch,
    LengthExceeded,
    LengthMismatch,
    NotFound,
    PreconditionFailed,
    Superseded,
    TooLarge,
    UploadGone,
)
from penstock.stores import Condition, FileInfo
from penstock.uploads import Creation, State
from tests.uploads.conftest import House, Start

DATA = os.urandom(3_000_000)


async def begun(house: House, wish: Creation, data: bytes = b"") -> str:
    """Begin an upload, send ``data`` and leave."""
    async with await house.uploads.create(wish) as session:
        await session.append(data)
        return session.upload.id


async def finished(house: House, identity: str, data: bytes = b"") -> FileInfo:
    """Send the rest and store it."""
    async with await house.uploads.take(identity) as session:
        await session.append(data)
        info = await session.finish()
        assert info is not None
        return info


async def test_what_was_sent_is_stored_with_its_digests(house: House) -> None:
    identity = await begun(house, Creation(key="a/b", length=len(DATA)), DATA)

    info = await finished(house, identity)

    assert await house.stored("a/b") == DATA
    assert (info.sha256, info.crc32) == (hashlib.sha256(DATA).digest(), zlib.crc32(DATA))
    assert await house.store.stat("a/b") == info


async def test_what_came_before_the_client_left_is_durable(house: House) -> None:
    identity = await begun(house, Creation(key="a", length=len(DATA)), DATA[:1_500_000])

    upload = await house.uploads.look(identity)

    assert (upload.offset, upload.state, upload.active) == (1_500_000, State.OPEN, False)


async def test_an_upload_goes_on_in_another_process(start: Start) -> None:
    identity = await begun(await start(), Creation(key="a", length=len(DATA)), DATA[:1_500_000])
    other = await start()

    info = await finished(other, identity, DATA[1_500_000:])

    assert info.sha256 == hashlib.sha256(DATA).digest()
    assert await other.stored("a") == DATA


async def test_a_store_that_adopts_nothing_gets_a_copy(start: Start) -> None:
    house = await start("memory://")
    identity = await begun(house, Creation(key="a"), DATA)

    info = await finished(house, identity)

    assert await house.stored("a") == DATA
    assert info.sha256 == hashlib.sha256(DATA).digest()


async def test_what_is_stored_by_another_host_is_not_taken_from_it(
    start: Start, tmp_path: Path
) -> None:
    """The bytes lie on that host, or they are lost."""
    house = await start("memory://")
    identity = await begun(house, Creation(key="a"), DATA)
    ledger = house.uploads._ledger
    row = await ledger.get(identity)
    assert row is not None
    stored = await ledger.change(row, state=State.FINISHING, length=len(DATA))
    file, there = tmp_path / "uploads" / f"{identity}.0", tmp_path / "there"
    await asyncio.to_thread(file.rename, there)

    with pytest.raises(UploadGone):
        await house.uploads.take(identity)
    with pytest.raises(UploadGone):
        await house.uploads.look(identity)
    await house.uploads.sweeper.recover()

    assert await ledger.get(identity) == stored
    await asyncio.to_thread(there.rename, file)
    await house.uploads.sweeper.recover()
    assert await house.stored("a") == DATA


async def test_who_copied_fewer_bytes_than_are_counted_does_not_get_hold(house: House) -> None:
    """A process that seemed frozen woke up meanwhile."""
    identity = await begun(house, Creation(key="a"), DATA)
    ledger = house.uploads._ledger
    seen = await ledger.get(identity)
    assert seen is not None
    await ledger.change(seen, offset=seen.offset + 1)

    assert await ledger.acquire(seen, "another", generation=1) is None


async def test_the_answer_of_an_upload_can_be_had_again(house: House) -> None:
    identity = await begun(house, Creation(key="a"), DATA)
    first = await finished(house, identity)

    async with await house.uploads.take(identity) as session:
        again = await session.finish()

    assert again == first


async def test_an_unfinished_upload_cannot_be_stored(house: House) -> None:
    identity = await begun(house, Creation(key="a", length=10), b"123")

    async with await house.uploads.take(identity) as session:
        with pytest.raises(BodyIncomplete):
            await session.finish()

    assert (await house.uploads.look(identity)).state == State.OPEN


async def test_other_bytes_than_announced_end_the_upload(house: House) -> None:
    wish = Creation(key="a", length=3, sha256=hashlib.sha256(b"abc").digest())
    identity = await begun(house, wish, b"abd")

    async with await house.uploads.take(identity) as session:
        with pytest.raises(DigestMismatch):
            await session.finish()

    with pytest.raises(DigestMismatch):
        (await house.uploads.look(identity)).result()
    with pytest.raises(NotFound):
        await house.store.stat("a")


async def test_the_condition_is_held_against_the_file_of_the_last_moment(house: House) -> None:
    identity = await begun(house, Creation(key="a", condition=Condition(absent=True)), b"mine")
    other = await begun(house, Creation(key="a"), b"theirs")
    await finished(house, other)

    async with await house.uploads.take(identity) as session:
        with pytest.raises(PreconditionFailed):
            await session.finish()

    assert await house.stored("a") == b"theirs"


async def test_no_more_bytes_are_taken_than_announced(house: House) -> None:
    async with await house.uploads.create(Creation(key="a", length=3)) as session:
        with pytest.raises(LengthExceeded):
            await session.append(b"1234")


async def test_the_length_cannot_be_changed(house: House) -> None:
    async with await house.uploads.create(Creation(key="a")) as session:
        await session.set_length(3)
        with pytest.raises(LengthMismatch):
            await session.set_length(4)


async def test_an_upload_of_unknown_length_is_bounded(start: Start) -> None:
    house = await start(max_size=5)
    async with await house.uploads.create(Creation(key="a")) as session:
        with pytest.raises(TooLarge):
            await session.append(b"123456")


async def test_what_is_held_back_is_discarded_unless_confirmed(house: House) -> None:
    identity = await begun(house, Creation(key="a", length=6), b"abc")
    async with await house.uploads.take(identity) as session:
        session.hold_back()
        await session.append(b"xyz")

    assert (await house.uploads.look(identity)).offset == 3
    assert (await finished(house, identity, b"def")).sha256 == hashlib.sha256(b"abcdef").digest()


async def test_the_digest_of_the_prefix_is_told(house: House) -> None:
    identity = await begun(house, Creation(key="a", length=len(DATA)), DATA[:1_500_000])

    offset, digest = await house.uploads.digest(identity)

    assert (offset, digest) == (1_500_000, hashlib.sha256(DATA[:1_500_000]).digest())


async def test_the_digest_of_the_prefix_is_known_after_a_restart(start: Start) -> None:
    identity = await begun(await start(), Creation(key="a", length=len(DATA)), DATA[:1_500_000])

    _, digest = await (await start()).uploads.digest(identity)

    assert digest == hashlib.sha256(DATA[:1_500_000]).digest()


async def hang(house: House, identity: str, data: bytes, appended: asyncio.Event) -> None:
    """A client that sends ``data`` and falls silent."""
    async with await house.uploads.take(identity) as session:
        await session.append(data)
        appended.set()
        await asyncio.sleep(3600)


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_resume_ends_the_stalled_request(start: Start, processes: int) -> None:
    house = await start()
    other = house if processes == 1 else await start()
    identity = await begun(house, Creation(key="a", length=6))
    appended = asyncio.Event()
    stalled = asyncio.create_task(hang(house, identity, b"abc", appended))
    await appended.wait()

    async with asyncio.timeout(2):
        upload = await other.uploads.look(identity)

    assert upload.offset == 3
    with pytest.raises(Superseded):
        await stalled
    assert (await finished(other, identity, b"def")).size == 6


async def test_a_deleted_upload_leaves_nothing(house: House, tmp_path: Path) -> None:
    identity = await begun(house, Creation(key="a"), DATA)

    await house.uploads.delete(identity)

    with pytest.raises(NotFound):
        await house.uploads.look(identity)
    assert list((tmp_path / "files/.penstock/incoming").iterdir()) == []


async def test_a_stored_upload_leaves_nothing_behind(house: House, tmp_path: Path) -> None:
    identity = await begun(house, Creation(key="a"), DATA)
    await finished(house, identity)

    await house.uploads.look(identity)

    assert list((tmp_path / "files/.penstock/incoming").iterdir()) == []


async def test_an_expired_upload_is_swept(start: Start, tmp_path: Path) -> None:
    house = await start(expiry=0.0)
    identity = await begun(house, Creation(key="a"), b"abc")

    assert await house.uploads.sweeper.sweep() == 1

    with pytest.raises(NotFound):
        await house.uploads.look(identity)
    assert list((tmp_path / "files/.penstock/incoming").iterdir()) == []
