"""Uploads that can be resumed: their parts are in S3 before their end, each of them once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from penstock.catalog import GroupCommit, Ledger, open_database, sqlite_url
from penstock.errors import (
    BadKey,
    DigestMismatch,
    PreconditionFailed,
    ServerUnavailable,
    Superseded,
)
from penstock.stores import Condition
from penstock.stores.s3.calls import WRITE
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.store import S3Store
from penstock.uploads import Creation, Folder, Kind, State, UploadLimits, Uploads
from tests.eventually import eventually
from tests.s3.files import MIB, content, get, keys, put
from tests.s3.fixtures import OpenS3
from tests.s3.front import (
    COMPLETE,
    CREATE,
    HEAD,
    LIST_PARTS,
    NOTE,
    PART,
    PUT,
    Front,
    error,
    front_of,
    held,
    lose_answer,
)
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to, make_object, names_in, parts_in, uploads_in

PART_SIZE = 5 * MIB
DATA = content(3 * PART_SIZE + MIB, seed=3)
"""Four parts."""

ONE = pytest.mark.parametrize("s3_server", ["ministack"], indirect=True, scope="session")
"""What does not depend on the server is tried on one that is fast."""

Start = Callable[..., Awaitable[Uploads]]


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def far(open_s3: OpenS3, front: Front) -> S3Store:
    """A store whose requests go through the front."""
    return await open_s3(to=front.url, part_size=PART_SIZE)


@pytest.fixture
async def start(far: S3Store, tmp_path: Path) -> AsyncIterator[Start]:
    """Start what a server process has of uploads, on one catalog; again for another process."""
    async with AsyncExitStack() as stack:

        async def start(store: S3Store = far, **limits: float) -> Uploads:
            url = sqlite_url(tmp_path / "catalog.sqlite")
            engine = await asyncio.to_thread(open_database, url)
            stack.callback(engine.dispose)
            commits = GroupCommit(engine)
            stack.push_async_callback(commits.close)
            folder = await asyncio.to_thread(Folder.at, tmp_path / "uploads")
            wish = UploadLimits(**limits)  # type: ignore[arg-type]
            uploads = Uploads(store, Ledger(engine, commits), folder, wish)
            stack.push_async_callback(uploads.close)
            return uploads

        yield start


@pytest.fixture
async def uploads(start: Start) -> Uploads:
    return await start()


def wish(**more: object) -> Creation:
    return replace(Creation(key="a", length=len(DATA)), **more)  # type: ignore[arg-type]


async def begun(uploads: Uploads, size: int, creation: Creation | None = None) -> str:
    """An upload that has ``size`` bytes and that nobody holds."""
    async with await uploads.create(creation or wish()) as session:
        await session.append(DATA[:size])
        return session.upload.id


async def finished(uploads: Uploads, identity: str) -> None:
    async with await uploads.take(identity) as session:
        if session.is_open:
            await session.append(DATA[session.offset : session.length])
        await session.finish()


async def ahead(server: S3Server, prefix: str, sizes: list[int]) -> bool:
    """Whether S3 has parts of these sizes within some time, of an upload that has not ended."""
    async with asyncio.timeout(60):
        while await parts_in(server, prefix) != sizes:
            await asyncio.sleep(0.05)
    return True


async def kept_of(uploads: Uploads, identity: str) -> dict[str, str]:
    """What the ledger keeps of an upload's way into the store."""
    row = await uploads._ledger.get(identity)
    assert row is not None
    assert row.ahead is not None
    kept: dict[str, str] = json.loads(row.ahead)
    return kept


def sent(front: Front) -> list[int]:
    """The sizes of all parts that were sent so far."""
    return sorted(int(seen.headers["content-length"]) for seen in front.of(PART))


async def nothing_left(server: S3Server, prefix: str) -> bool:
    """Whether there is neither an upload nor a note of one within some time."""
    async with asyncio.timeout(60):
        while await uploads_in(server, prefix) or await names_in(server, f"{prefix}/.penstock/m"):
            await asyncio.sleep(0.05)
    return True


async def test_parts_are_in_s3_before_the_last_byte_came(
    uploads: Uploads, far: S3Store, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(uploads, 2 * PART_SIZE + 1)

    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    assert await keys(far) == []
    await finished(uploads, identity)
    assert await get(far, "a") == DATA
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == [f"{prefix}/a"]


async def test_the_last_request_sends_only_what_is_missing(
    uploads: Uploads, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(uploads, 3 * PART_SIZE)
    async with await uploads.take(identity) as session:
        await session.append(DATA[3 * PART_SIZE : -1])
        assert await ahead(s3_server, prefix, [PART_SIZE] * 3)
    front.seen.clear()

    await finished(uploads, identity)

    assert sent(front) == [MIB]
    assert front.count(LIST_PARTS) == 0
    assert await get(far, "a") == DATA


async def test_another_process_sends_no_part_again(
    start: Start, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    first = await start()
    identity = await begun(first, 2 * PART_SIZE + 1)
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    await first.close()

    await finished(await start(), identity)

    assert sent(front) == [MIB, PART_SIZE, PART_SIZE, PART_SIZE]
    assert front.count(CREATE) == front.count(LIST_PARTS) == 1
    assert await get(far, "a") == DATA


@ONE
async def test_a_process_that_had_the_upload_before_asks_which_parts_came_meanwhile(
    start: Start, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    first, second = await start(), await start()
    identity = await begun(first, PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE])
    async with await second.take(identity) as session:
        await session.append(DATA[PART_SIZE : 2 * PART_SIZE])
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])

    await finished(first, identity)

    assert sent(front) == [MIB, PART_SIZE, PART_SIZE, PART_SIZE]
    assert await get(far, "a") == DATA


@ONE
async def test_what_a_frozen_process_was_sending_is_not_taken_for_other_bytes(
    start: Start, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    frozen, second = await start(), await start()
    gate = asyncio.Event()
    front.wrong(PART, held(gate))

    session = await frozen.create(wish())
    with suppress(Superseded):  # when it wakes
        async with session:
            assert frozen._holding._watch is not None
            frozen._holding._watch.cancel()  # so it hears of nobody who asks
            await session.append(DATA[: PART_SIZE + MIB])
            await session.checkpoint()
            await session.append(b"?" * MIB)  # which nobody counts any more
            assert await eventually(lambda: front.count(PART) == 1, 60)
            async with await second.take(session.row.id) as other:
                assert other.offset == PART_SIZE + MIB
                await other.append(DATA[other.offset :])
                gate.set()
                await other.finish()

    assert await get(far, "a") == DATA
    assert await nothing_left(s3_server, prefix)


@ONE
@pytest.mark.parametrize("end", ["deleted", "expired", "failed", "replaced"])
async def test_an_upload_that_ends_otherwise_leaves_no_parts(
    start: Start, s3_server: S3Server, prefix: str, end: str
) -> None:
    uploads = await start(**({"expiry": 0.0} if end == "expired" else {}))
    identity = await begun(uploads, PART_SIZE + 1, wish(plain=True, sha256=bytes(32)))
    assert await ahead(s3_server, prefix, [PART_SIZE])

    if end == "deleted":
        await uploads.delete(identity)
    elif end == "expired":
        assert await uploads.sweeper.sweep() == 1
    elif end == "failed":
        with pytest.raises(DigestMismatch):
            await finished(uploads, identity)
    else:
        await begun(uploads, 0, wish(plain=True))

    assert await nothing_left(s3_server, prefix)
    assert await names_in(s3_server, prefix) == []


@ONE
async def test_an_upload_whose_condition_does_not_hold_leaves_no_parts(
    uploads: Uploads, far: S3Store, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(uploads, PART_SIZE + 1, wish(condition=Condition(absent=True)))
    await put(far, "a", b"theirs")

    with pytest.raises(PreconditionFailed):
        await finished(uploads, identity)

    assert await get(far, "a") == b"theirs"
    assert await nothing_left(s3_server, prefix)


@ONE
async def test_what_is_no_longer_than_a_part_is_one_request(
    uploads: Uploads, far: S3Store, front: Front
) -> None:
    async with await uploads.create(wish(length=None)) as session:
        await session.append(DATA[: PART_SIZE - 1])
        await session.finish()

    assert await get(far, "a") == DATA[: PART_SIZE - 1]
    assert (front.count(CREATE), front.count(PUT)) == (0, 1)


async def test_parts_of_an_upload_of_unknown_length_go_ahead_too(
    uploads: Uploads, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(uploads, 2 * PART_SIZE, wish(length=None))
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    front.seen.clear()

    await finished(uploads, identity)

    assert sent(front) == [MIB, PART_SIZE]
    assert await get(far, "a") == DATA


@ONE
async def test_a_file_that_comes_in_one_request_is_sent_once(
    uploads: Uploads, far: S3Store, front: Front
) -> None:
    async with await uploads.create(wish(content_type="audio/flac")) as session:
        await session.append(DATA)
        info = await session.finish()

    assert info is not None
    assert sent(front) == [MIB, PART_SIZE, PART_SIZE, PART_SIZE]
    known = await far.stat("a")
    assert known == info
    assert known.content_type == "audio/flac"
    assert await get(far, "a") == DATA


async def test_parts_that_somebody_removed_are_sent_again(
    uploads: Uploads, open_s3: OpenS3, far: S3Store, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(uploads, 2 * PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    assert await (await open_s3(orphan_age=-5.0)).sweep() == 1
    assert await uploads_in(s3_server, prefix) == []

    await finished(uploads, identity)

    assert await get(far, "a") == DATA
    assert await nothing_left(s3_server, prefix)


@ONE
async def test_a_part_whose_upload_was_removed_begins_another(
    start: Start, open_s3: OpenS3, far: S3Store, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(await start(), PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE])
    await (await open_s3(orphan_age=-5.0)).sweep()
    second = await start()

    async with await second.take(identity) as session:
        await session.append(DATA[PART_SIZE : 2 * PART_SIZE])
    assert second._ahead is not None
    way = second._ahead._ways[identity]
    assert await eventually(lambda: way.again > 0 and not way.running, 60)
    way.again = 0.0  # as if half a minute were over
    async with await second.take(identity) as session:
        await session.append(DATA[2 * PART_SIZE : 2 * PART_SIZE + 1])

    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    await finished(second, identity)
    assert await get(far, "a") == DATA


@ONE
@pytest.mark.parametrize("why", ["InvalidPart", "BadDigest"])
async def test_parts_that_the_server_does_not_take_together_are_cut_anew(
    open_s3: OpenS3, start: Start, front: Front, s3_server: S3Server, prefix: str, why: str
) -> None:
    """As on servers that want all parts alike, or where one has other bytes."""
    far = await open_s3(to=front.url, part_size=PART_SIZE, tries=1)
    uploads = await start(far)
    identity = await begun(uploads, 2 * PART_SIZE, wish(length=None))
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    front.wrong(COMPLETE, error(400, why))

    await finished(uploads, identity)

    assert await get(far, "a") == DATA
    assert front.count(CREATE) == 2
    assert await nothing_left(s3_server, prefix)


@ONE
async def test_what_is_received_does_not_wait_for_s3(
    uploads: Uploads, far: S3Store, front: Front
) -> None:
    gate = asyncio.Event()
    front.wrong(PART, held(gate), times=2)

    async with await uploads.create(wish()) as session:
        identity = session.upload.id
        for start in range(0, len(DATA), PART_SIZE):
            await session.append(DATA[start : start + PART_SIZE])
            await session.checkpoint()
    assert (await uploads.look(identity)).offset == len(DATA)
    assert await eventually(lambda: front.count(PART) == 2, 60)  # and no more at once
    assert far.waiting_bytes <= 8 * MIB

    gate.set()
    await finished(uploads, identity)
    assert await get(far, "a") == DATA
    assert far.waiting_bytes == 0


@ONE
async def test_parts_that_may_not_be_listed_are_sent_again(
    start: Start, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    identity = await begun(await start(), PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE])
    front.wrong(LIST_PARTS, error(403, "AccessDenied"))

    await finished(await start(), identity)

    assert sent(front) == [MIB, *[PART_SIZE] * 4]
    assert await get(far, "a") == DATA


@ONE
async def test_a_key_that_no_object_can_have_ends_the_upload(uploads: Uploads, prefix: str) -> None:
    key = "/".join(["k" * 200] * 5)
    identity = await begun(uploads, PART_SIZE, wish(key=key))

    with pytest.raises(BadKey):
        await finished(uploads, identity)

    assert (await uploads.look(identity)).state == State.FAILED


@ONE
async def test_an_upload_goes_on_while_s3_does_not(
    open_s3: OpenS3, start: Start, front: Front, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, part_size=PART_SIZE, tries=1)
    uploads = await start(far)
    front.wrong(CREATE, error(500, "InternalError"), times=2)
    identity = await begun(uploads, 2 * PART_SIZE)
    assert await eventually(lambda: front.count(CREATE) == 2, 60)

    front.wrong(CREATE, error(500, "InternalError"))
    with pytest.raises(ServerUnavailable):
        await finished(uploads, identity)
    await finished(uploads, identity)

    assert await get(far, "a") == DATA
    assert await nothing_left(s3_server, prefix)


@pytest.mark.parametrize("size", [MIB, len(DATA)], ids=["put", "parts"])
async def test_a_file_whose_last_answer_was_lost_is_answered_when_it_is_finished_again(
    open_s3: OpenS3, start: Start, front: Front, s3_server: S3Server, prefix: str, size: int
) -> None:
    far = await open_s3(to=front.url, part_size=PART_SIZE, tries=1)
    uploads = await start(far)
    creation = wish(length=size, condition=Condition(absent=True))
    identity = await begun(uploads, size, creation)
    last = COMPLETE if size > PART_SIZE else PUT
    front.wrong(last, lose_answer())
    front.wrong(lambda seen: HEAD(seen) and front.count(last) > 0, error(500, "InternalError"))

    with pytest.raises(ServerUnavailable):
        await finished(uploads, identity)
    made = front.count(last)
    await finished(await start(far), identity)

    assert front.count(last) == made
    upload = await uploads.look(identity)
    assert upload.result() == await far.stat("a")
    assert upload.outcome is not None
    assert not upload.outcome.replaced
    assert await nothing_left(s3_server, prefix)


@ONE
async def test_a_file_that_arrived_wrong_is_not_taken_for_the_upload_when_it_is_finished_again(
    open_s3: OpenS3, start: Start, front: Front, s3_server: S3Server, prefix: str
) -> None:
    """As where the server verifies nothing, and the process died before it saw the ETag."""
    far = await open_s3(to=front.url, part_size=PART_SIZE, tries=1)
    uploads = await start(far)
    identity = await begun(uploads, MIB, wish(length=MIB, condition=Condition(absent=True)))
    front.wrong(PUT, error(500, "InternalError"))
    with pytest.raises(ServerUnavailable):
        await finished(uploads, identity)
    named = {WRITE: (await kept_of(uploads, identity))["token"]}
    await make_object(s3_server, f"{prefix}/a", named, bytes(MIB))

    await finished(await start(far), identity)

    assert await get(far, "a") == DATA[:MIB]


async def test_a_part_that_arrived_wrong_is_sent_again_by_another_process(
    start: Start, far: S3Store, s3_server: S3Server, prefix: str
) -> None:
    """Likewise."""

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(PART_SIZE // MIB):
            yield bytes(MIB)

    first = await start()
    identity = await begun(first, 2 * PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE, PART_SIZE])
    upload = (await kept_of(first, identity))["upload"]
    await first.close()
    async with calls_to(s3_server) as calls:
        await calls.upload_part(f"{prefix}/a", upload, 2, {}, zeros, PART_SIZE)

    await finished(await start(), identity)

    assert await get(far, "a") == DATA


@ONE
async def test_what_was_being_sent_is_ended_before_a_process_is(
    start: Start, front: Front, s3_server: S3Server, prefix: str
) -> None:
    """Even if another had the upload meanwhile."""
    first, second = await start(), await start()
    gate = asyncio.Event()
    front.wrong(CREATE, held(gate))
    identity = await begun(first, PART_SIZE)
    assert await eventually(lambda: front.count(CREATE) == 1, 60)
    for uploads in (second, first):
        async with await uploads.take(identity):
            pass

    closing = asyncio.create_task(first.close())
    await asyncio.sleep(0)
    gate.set()
    await closing

    assert first._ahead is not None
    assert not first._ahead._sending
    assert await nothing_left(s3_server, prefix)


@ONE
async def test_a_pause_does_not_cost_the_parts(
    start: Start, front: Front, s3_server: S3Server, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await start()
    await begun(first, PART_SIZE)
    assert await ahead(s3_server, prefix, [PART_SIZE])
    await first.close()
    front.seen.clear()
    uploads = await start()

    await uploads.renew()
    await uploads.renew()
    assert front.count(NOTE) == 1

    monkeypatch.setattr(Orphans, "renewal", 0.0)
    await uploads.renew()
    assert front.count(NOTE) == 2
    assert len(await names_in(s3_server, f"{prefix}/.penstock/multipart/")) == 1


@ONE
async def test_a_final_upload_is_stored_once(
    uploads: Uploads, far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    parts = []
    for piece in (DATA[: 2 * PART_SIZE], DATA[2 * PART_SIZE :]):
        creation = Creation(kind=Kind.PARTIAL, length=len(piece))
        async with await uploads.create(creation) as session:
            await session.append(piece)
            await session.finish()
            parts.append(session.upload.id)
    assert sent(front) == []

    final = Creation(key="a", kind=Kind.FINAL, parts=tuple(parts))
    async with await uploads.create(final) as session:
        await session.finish()

    assert sent(front) == [MIB, PART_SIZE, PART_SIZE, PART_SIZE]
    assert await get(far, "a") == DATA
    assert await nothing_left(s3_server, prefix)
