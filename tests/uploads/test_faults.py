"""What happens to uploads when the machine misbehaves."""

import asyncio
import errno
import fcntl
import hashlib
import os
import time
from pathlib import Path

import pytest

from penstock.errors import Busy, NotFound, TooLarge, UploadGone
from penstock.uploads import Creation
from tests.uploads.conftest import House, Start

DATA = os.urandom(2_500_000)
HALF = 1_250_000


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    """The folder in which the bytes of uploads lie."""
    return tmp_path / "files/.penstock/incoming"


async def begun(house: House, data: bytes, wish: Creation | None = None) -> str:
    async with await house.uploads.create(wish or Creation(key="a", length=len(DATA))) as session:
        await session.append(data)
        return session.upload.id


async def rest_sent(house: House, identity: str) -> bytes | None:
    """Send what is missing; answers the SHA-256 of what is stored."""
    async with await house.uploads.take(identity) as session:
        await session.append(DATA[session.offset :])
        info = await session.finish()
        assert info is not None
        return info.sha256


@pytest.mark.parametrize("restarted", [False, True])
async def test_bytes_written_but_not_counted_are_overwritten(
    start: Start, incoming: Path, restarted: bool
) -> None:
    house = await start()
    identity = await begun(house, DATA[:HALF])
    with next(incoming.glob("*.0")).open("ab") as torn:
        torn.write(b"half a write that nobody counted" * 100_000)

    house = await start() if restarted else house

    assert await rest_sent(house, identity) == hashlib.sha256(DATA).digest()
    assert await house.stored("a") == DATA


async def test_an_upload_whose_bytes_are_lost_is_gone_not_wrong(
    house: House, incoming: Path
) -> None:
    identity = await begun(house, DATA[:HALF])
    os.truncate(next(incoming.glob("*.0")), HALF - 1)

    with pytest.raises(UploadGone):
        await house.uploads.take(identity)


async def test_an_upload_whose_bytes_are_lost_can_be_deleted(house: House, incoming: Path) -> None:
    identity = await begun(house, DATA[:HALF])
    next(incoming.glob("*.0")).unlink()

    await house.uploads.delete(identity)

    with pytest.raises(NotFound):
        await house.uploads.look(identity)


async def test_bytes_that_could_not_be_made_durable_never_count(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([OSError(errno.EIO, "broken disk")])

    def fdatasync(fd: int) -> None:
        for error in failures:
            raise error

    async def send() -> None:
        async with await house.uploads.take(identity) as session:
            await session.append(DATA[:HALF])
            await session.checkpoint()

    identity = await begun(house, b"")
    monkeypatch.setattr(os, "fdatasync", fdatasync)

    with pytest.raises(OSError, match="broken disk"):
        await send()

    assert (await house.uploads.look(identity)).offset == 0


async def test_an_upload_that_is_gone_on_with_does_not_expire(start: Start) -> None:
    house = await start(expiry=0.0)
    identity = await begun(house, DATA[:HALF])

    async with await house.uploads.take(identity) as session:
        assert await house.uploads.sweeper.sweep() == 0
        await session.append(DATA[HALF:])
        await session.finish()

    assert await house.stored("a") == DATA


async def test_a_clock_that_jumps_ahead_removes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await begun(house, DATA[:HALF])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10 * 86_400)

    assert await house.uploads.sweeper.sweep() == 0

    assert (await house.uploads.look(identity)).offset == HALF


async def test_what_was_about_to_be_stored_is_stored_after_a_restart(start: Start) -> None:
    house = await start()
    identity = await begun(house, DATA)
    async with await house.uploads.take(identity) as session:
        await session.change(state="finishing")

    house = await start()
    await house.uploads.sweeper.recover()

    assert await house.stored("a") == DATA
    assert (await house.uploads.look(identity)).result() == await house.store.stat("a")


async def test_what_was_stored_but_not_noted_is_not_stored_again(
    start: Start, incoming: Path
) -> None:
    house = await start()
    identity = await begun(house, DATA)
    noted = await house.uploads._ledger.get(identity)
    assert noted is not None
    await rest_sent(house, identity)
    newer = await begun(house, b"newer", Creation(key="a"))
    async with await house.uploads.take(newer) as session:
        await session.finish()
    async with await house.uploads.take(identity) as session:
        await session.change(state="finishing")

    house = await start()
    await house.uploads.sweeper.recover()

    assert await house.stored("a") == b"newer"
    assert (await house.uploads.look(identity)).ended


async def test_what_was_being_copied_when_the_server_died_is_copied_again(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await start("memory://")
    identity = await begun(house, DATA[:HALF])

    async def dies(*_: object, **__: object) -> None:
        raise RuntimeError("as if it were killed here")

    monkeypatch.setattr(house.store, "write", dies)
    with pytest.raises(RuntimeError):
        await rest_sent(house, identity)

    again = await start("memory://")

    assert (await again.uploads.look(identity)).ended
    assert await again.stored("a") == DATA


async def test_files_that_belong_to_no_upload_are_removed_in_time(
    house: House, incoming: Path
) -> None:
    identity = await begun(house, DATA[:HALF])
    stray = incoming / "nobody.0"
    stray.write_bytes(b"left over")
    for path in incoming.iterdir():
        os.utime(path, (0, 0))

    assert await house.uploads.sweeper.sweep() == 1

    assert not stray.exists()
    assert await rest_sent(house, identity) == hashlib.sha256(DATA).digest()


async def test_a_plain_upload_takes_the_place_of_what_a_broken_one_left(house: House) -> None:
    await begun(house, b"abc", Creation(key="a", length=10, plain=True))

    newer = await begun(house, b"", Creation(key="a", length=10, plain=True))

    async with asyncio.timeout(5):  # the older one goes without holding up the newer one
        while [upload.id for upload in await house.uploads.open_for("a")] != [newer]:
            await asyncio.sleep(0.01)


async def test_there_is_a_limit_of_unfinished_uploads(start: Start) -> None:
    house = await start(max_uploads=1)
    await begun(house, b"")

    with pytest.raises(Busy):
        await house.uploads.create(Creation(key="b"))


async def test_there_is_a_limit_of_bytes_of_unfinished_uploads(start: Start) -> None:
    house = await start(max_upload_bytes=len(DATA))
    identity = await begun(house, b"")
    with pytest.raises(TooLarge):
        await house.uploads.create(Creation(key="b", length=1))

    await rest_sent(house, identity)

    await house.uploads.create(Creation(key="b", length=1))


async def test_an_upload_that_could_not_be_begun_does_not_count(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await start(max_uploads=1)
    with monkeypatch.context() as broken:
        broken.setattr(fcntl, "flock", _no_locks)
        with pytest.raises(OSError, match="no locks"):
            await house.uploads.create(Creation(key="a"))

    await begun(house, b"", Creation(key="a"))


def _no_locks(fd: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, "no locks")
