"""Compositions that are gone on with, begun anew, or given up."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from penstock.errors import PenstockError, ServerUnavailable, Superseded
from penstock.jobs import JobLimits
from penstock.stores import Condition
from penstock.stores.composing import Course
from penstock.stores.interface import Checkpoint
from penstock.stores.s3.compose.covering import Limits
from penstock.stores.s3.compose.keeping import Kept
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.store import S3Store
from tests.eventually import eventually
from tests.s3.blueprints import ZIP, Attempts, KnownBytes, Slice
from tests.s3.files import MIB, content, get, keys, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import (
    COMPLETE,
    CREATE,
    HEAD,
    NOTE,
    PART,
    SENT,
    Act,
    Exchange,
    Front,
    Kind,
    Seen,
    error,
    front_of,
    lose_answer,
)
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, uploads_in

LARGE = content(10 * MIB)
NESTED = {"max_parts": 4, "price_out": 0.09}
"""Options that make for temporary objects in temporary objects."""


def LAST(seen: Seen) -> bool:
    """The part that is the end of the file: no other is as short."""
    return SENT(seen) and seen.headers["content-length"] == "4"


def FIRST_GRAFT(seen: Seen) -> bool:
    return SENT(seen) and seen.headers["content-length"] == "1"


def SECOND_GRAFT(seen: Seen) -> bool:
    return SENT(seen) and seen.headers["content-length"] == "2"


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def one(store: S3Store) -> Slice:
    """A large file."""
    return Slice(await put(store, "one", LARGE), LARGE)


def blueprint_of(store: S3Store, one: Slice) -> KnownBytes:
    return KnownBytes(store, [one, b"1", one, b"22", one, b"tail"])


async def superseded(kept: Checkpoint) -> None:
    raise Superseded("another worker goes on with the work")


def lost_at(gate: asyncio.Event) -> Act:
    """S3 is never asked, and when the gate opens the connection is reset."""

    async def act(exchange: Exchange) -> NoReturn:
        await exchange.request.content.read()
        await gate.wait()
        raise ConnectionResetError

    return act


async def interrupt(
    store: S3Store,
    front: Front,
    blueprint: KnownBytes,
    attempts: Attempts,
    *,
    at: Kind = LAST,
    parts: int = 5,
) -> None:
    """End an attempt that sends a part of that kind, when S3 has ``parts`` others."""
    gate = asyncio.Event()
    front.wrong(at, lost_at(gate))
    attempt = asyncio.ensure_future(store.compose("a.zip", blueprint, attempts.course, **ZIP))

    def is_made() -> bool:
        return sum(PART(seen) for seen, *_ in front.answered) == parts

    try:
        assert await eventually(lambda: attempt.done() or is_made(), 60)
        assert not attempt.done()
    finally:
        attempt.cancel()
        with suppress(asyncio.CancelledError):
            await attempt
        gate.set()


@pytest.mark.parametrize(
    ("options", "at", "parts"),
    [
        pytest.param({}, LAST, 5, id="flat"),
        pytest.param(NESTED, SECOND_GRAFT, 9, id="in a graft"),
        pytest.param(NESTED, FIRST_GRAFT, 8, id="in a graft in a slice"),
    ],
)
async def test_no_part_is_made_twice(
    open_s3: OpenS3,
    store: S3Store,
    front: Front,
    one: Slice,
    options: dict[str, Any],
    at: Kind,
    parts: int,
) -> None:
    far = await open_s3(to=front.url, **options)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts, at=at, parts=parts)
    before = attempts.steps[-1]

    blueprint = blueprint_of(far, one)
    done = await far.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert done.found == done.parts - 1
    assert attempts.steps.count(before) == 2
    made = Counter((seen.path, seen.query) for seen in front.of(PART))
    held_back = {(seen.path, seen.query) for seen in front.of(at)}
    assert {which for which, times in made.items() if times > 1} <= held_back
    assert len(front.of(CREATE)) == len({seen.path for seen in front.of(CREATE)})


@quick
async def test_other_settings_do_not_change_what_was_begun(
    open_s3: OpenS3, front: Front, one: Slice
) -> None:
    far = await open_s3(to=front.url)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts)
    other = await open_s3(to=front.url, part_size=64 * MIB, **NESTED)

    done = await other.compose("a.zip", blueprint_of(far, one), attempts.course, **ZIP)

    assert (done.parts, done.found) == (6, 5)


@quick
async def test_other_bytes_are_begun_anew(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, **NESTED)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts, parts=10)
    other = KnownBytes(far, [b"other", one])

    done = await far.compose("a.zip", other, attempts.course, **ZIP)

    assert done.found == 0
    assert await get(store, "a.zip") == other.data
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


async def test_what_was_stored_is_found_if_nobody_heard_of_it(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url)
    attempts, blueprint = Attempts(), KnownBytes(far, [b"head", one])
    absent = Condition(absent=True)
    # S3 completes it, and nothing that is asked afterwards is answered.
    front.wrong(COMPLETE, lose_answer())
    front.wrong(COMPLETE, error(403, "AccessDenied"))
    front.wrong(lambda seen: HEAD(seen) and front.count(COMPLETE) == 2, error(403, "AccessDenied"))
    with pytest.raises(PenstockError, match="AccessDenied"):
        await far.compose("a.zip", blueprint, attempts.course, condition=absent, **ZIP)
    before = front.count(PART), front.count(COMPLETE)

    done = await far.compose("a.zip", blueprint, attempts.course, condition=absent, **ZIP)

    assert (front.count(PART), front.count(COMPLETE)) == before
    assert done.file == await far.stat("a.zip")
    assert done.found == done.parts
    assert await get(store, "a.zip") == blueprint.data
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


async def test_an_upload_that_was_swept_is_begun_anew(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, orphan_age=-5.0, **NESTED)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts, at=SECOND_GRAFT, parts=9)

    assert await far.sweep() == 1

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []
    done = await far.compose("a.zip", blueprint_of(far, one), attempts.course, **ZIP)
    assert done.found == 0
    assert await get(store, "a.zip") == blueprint_of(far, one).data


async def test_what_is_forsaken_leaves_nothing(
    open_s3: OpenS3, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, **NESTED)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts, at=SECOND_GRAFT, parts=9)
    assert len(await uploads_in(s3_server, prefix)) == 2
    assert await names_in(s3_server, f"{prefix}/.penstock/")

    await far.forsake("a.zip", attempts.kept)
    await far.forsake("a.zip", attempts.kept)

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []
    assert await keys(far) == ["one"]


@quick
@pytest.mark.parametrize("kept", [{}, {"what": "something else"}])
async def test_nothing_is_forsaken_where_nothing_was_kept(store: S3Store, kept: Checkpoint) -> None:
    await store.forsake("a.zip", kept)


@quick
async def test_what_was_stored_stays_when_it_is_forsaken(store: S3Store, one: Slice) -> None:
    attempts, blueprint = Attempts(), KnownBytes(store, [b"head", one])
    await store.compose("a.zip", blueprint, attempts.course, **ZIP)

    await store.forsake("a.zip", attempts.kept)

    assert await get(store, "a.zip") == blueprint.data


@quick
async def test_who_is_superseded_before_it_begins_leaves_nothing(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    course = Course({}, superseded, lambda size: None)

    with pytest.raises(Superseded):
        await store.compose("a.zip", KnownBytes(store, [b"x"]), course, **ZIP)

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == []


@quick
async def test_who_is_superseded_later_leaves_everything_to_the_other(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, **NESTED)
    attempts = Attempts()

    async def save(kept: Checkpoint) -> None:
        if attempts.kept.get("upload"):
            raise Superseded("another worker goes on")
        attempts.kept = kept

    course = Course({}, save, lambda size: None)
    with pytest.raises(Superseded):
        await far.compose("a.zip", blueprint_of(far, one), course, **ZIP)

    assert f"{prefix}/a.zip" in await uploads_in(s3_server, prefix)
    assert front.count(COMPLETE) == 0
    done = await far.compose("a.zip", blueprint_of(far, one), attempts.course, **ZIP)
    assert await get(store, "a.zip") == blueprint_of(far, one).data
    assert done.file.size == blueprint_of(far, one).size
    assert await uploads_in(s3_server, prefix) == []


async def test_a_note_is_renewed_while_parts_are_made(
    open_s3: OpenS3, front: Front, one: Slice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Orphans, "renewal", 0.0)
    far = await open_s3(to=front.url)

    await far.compose("a.zip", blueprint_of(far, one), Attempts().course, **ZIP)

    assert front.count(NOTE) >= 6


@quick
async def test_an_upload_that_ends_while_it_is_filled_is_begun_anew_later(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice
) -> None:
    far = await open_s3(to=front.url)
    attempts, blueprint = Attempts(), blueprint_of(far, one)
    front.wrong(LAST, error(404, "NoSuchUpload"))
    with pytest.raises(ServerUnavailable):
        await far.compose("a.zip", blueprint, attempts.course, **ZIP)
    await far.forsake("a.zip", attempts.kept)

    done = await far.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert done.found == 0
    assert await get(store, "a.zip") == blueprint.data


@quick
async def test_who_lost_the_work_does_not_begin_anew_what_another_goes_on_with(
    open_s3: OpenS3, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url)
    attempts = Attempts()
    await interrupt(far, front, blueprint_of(far, one), attempts)

    # It has slept since, and listed its folder at another moment.
    course = Course(attempts.kept, superseded, lambda size: None)
    with pytest.raises(Superseded):
        await far.compose("a.zip", KnownBytes(far, [b"other", one]), course, **ZIP)

    assert await uploads_in(s3_server, prefix) == [f"{prefix}/a.zip"]


@quick
async def test_who_lost_the_work_does_not_end_an_upload_whose_parts_another_made_anew(
    open_s3: OpenS3, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url)
    attempts = Attempts()

    async def save(kept: Checkpoint) -> None:
        if front.count(COMPLETE):
            raise Superseded("another worker goes on")
        attempts.kept = kept

    front.wrong(COMPLETE, error(400, "InvalidPart"))
    course = Course({}, save, lambda size: None)
    with pytest.raises(Superseded):
        await far.compose("a.zip", blueprint_of(far, one), course, **ZIP)

    assert await uploads_in(s3_server, prefix) == [f"{prefix}/a.zip"]
    done = await far.compose("a.zip", blueprint_of(far, one), attempts.course, **ZIP)
    assert done.found == done.parts


@quick
async def test_parts_that_were_cut_otherwise_are_not_taken(
    open_s3: OpenS3, store: S3Store, front: Front, one: Slice, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url)
    attempts, blueprint = Attempts(), blueprint_of(far, one)
    await interrupt(far, front, blueprint, attempts)
    attempts.kept = {**attempts.kept, "parts": "as an older version cut them"}

    done = await far.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert done.found == 0
    assert await get(store, "a.zip") == blueprint.data
    assert await uploads_in(s3_server, prefix) == []


@quick
async def test_a_note_is_renewed_while_a_part_is_read_for_long(
    open_s3: OpenS3, front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Orphans, "renewal", 0.0)
    far = await open_s3(to=front.url)

    class Slow(KnownBytes):
        async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
            before = front.count(NOTE)
            assert await eventually(lambda: front.count(NOTE) >= before + 2, 60)
            async for data in super().read(start, stop):
                yield data

    await far.compose("a.zip", Slow(far, [b"tail"]), Attempts().course, **ZIP)

    assert await far.stat("a.zip")


def test_what_is_kept_of_twenty_thousand_temporary_objects_finds_room_in_a_job() -> None:
    size = 50 << 40
    kept = Kept("w" * 64, Limits(), "p" * 64, "t" * 32, "u" * 200, "n" * 300, nested=True)
    for number in range(20_000):
        kept.made[f"{size + number}-{size + number + 1}"] = f"{number:0200}"
        kept.crc32s[size + number] = 0xFFFF_FFFF

    text = json.dumps(kept.as_json())

    assert len(text) < JobLimits().longest
    assert Kept.of(json.loads(text)) is not None
