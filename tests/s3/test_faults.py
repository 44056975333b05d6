"""What S3 and the way to it do wrong, and that no byte is wrong for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest

from penstock.errors import (
    Busy,
    PenstockError,
    PreconditionFailed,
    ServerUnavailable,
    SourceChanged,
)
from penstock.stores import Condition
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.store import S3Store
from tests.eventually import eventually
from tests.s3.files import MIB, content, get, keys, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import (
    COMPLETE,
    CREATE,
    DELETE,
    GET,
    HEAD,
    NOTE,
    PART,
    PUT,
    Act,
    Front,
    Kind,
    OtherEtags,
    Seen,
    cut_answer,
    error,
    flip_request,
    front_of,
    held,
    held_answer,
    lose_answer,
    reset_request,
    with_header,
)
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, uploads_in

PARTS = content(12 * MIB)
"""Two parts."""


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def far(open_s3: OpenS3, front: Front) -> S3Store:
    """A store whose requests go through the front."""
    return await open_s3(to=front.url)


@quick
@pytest.mark.parametrize("size", [None, len(PARTS)])
async def test_errors_that_pass_are_tried_again(
    far: S3Store, front: Front, size: int | None
) -> None:
    front.wrong(PART, error(500, "InternalError"))
    front.wrong(PART, error(503, "SlowDown"))
    front.wrong(COMPLETE, error(500, "InternalError"))

    await put(far, "a", PARTS, size=size)

    assert await get(far, "a") == PARTS


@quick
async def test_slow_down_makes_for_fewer_requests_at_once(far: S3Store, front: Front) -> None:
    before = far.pace.bound
    front.wrong(PUT, error(503, "SlowDown"))

    await put(far, "a", b"x")

    assert far.pace.bound < before


@quick
@pytest.mark.parametrize(
    ("act", "skipped"),
    [
        (error(503, "SlowDown"), 1),
        (error(429, "TooManyRequests"), 1),
        (error(400, "RequestTimeout"), 1),
        (error(409, "OperationAborted"), 3),
        (lose_answer(), 6),
    ],
    ids=["slow", "many", "late", "conflict", "lost"],
)
async def test_what_fails_in_passing_does_not_tell_what_a_server_can_do(
    open_s3: OpenS3, front: Front, act: Act, skipped: int
) -> None:
    known = await (await open_s3()).abilities()
    seen = 0

    def one_of_them(request: Seen) -> bool:
        nonlocal seen
        seen += "/.penstock/probe-" in request.path
        return seen == skipped + 1

    front.wrong(one_of_them, act)
    store = await open_s3(to=front.url, abilities=None)

    assert await store.abilities() == known


@quick
@pytest.mark.parametrize("after", [0, 3 * MIB])
async def test_a_part_that_breaks_off_is_sent_again(far: S3Store, front: Front, after: int) -> None:
    front.wrong(PART, reset_request(after), times=2)

    await put(far, "a", PARTS, size=len(PARTS))

    assert await get(far, "a") == PARTS


@pytest.mark.parametrize("kind", [PUT, PART])
async def test_bytes_that_change_on_the_way_are_refused_and_sent_again(
    far: S3Store, front: Front, kind: Kind
) -> None:
    data = PARTS if kind is PART else PARTS[:1000]
    front.wrong(kind, flip_request(500))

    await put(far, "a", data)

    assert await get(far, "a") == data


@pytest.mark.parametrize("kind", [PUT, PART])
async def test_an_etag_that_is_not_that_of_the_bytes_has_them_sent_again(
    far: S3Store, front: Front, kind: Kind
) -> None:
    if (await far.abilities()).crc32 and kind is PUT:
        pytest.skip("the server holds the bytes to their CRC-32")
    data = PARTS if kind is PART else PARTS[:1000]
    front.wrong(kind, with_header("ETag", '"d41d8cd98f00b204e9800998ecf8427e"'))

    await put(far, "a", data)

    assert await get(far, "a") == data
    assert front.count(kind) == (3 if kind is PART else 2)


@quick
async def test_a_read_that_breaks_off_goes_on_with_the_same_version(
    far: S3Store, front: Front
) -> None:
    info = await put(far, "a", PARTS)
    front.wrong(GET, cut_answer(1_000_000))
    front.wrong(GET, error(500, "InternalError"))
    front.wrong(GET, cut_answer(70_000))

    assert await get(far, "a", 5, len(PARTS) - 7) == PARTS[5:-7]

    asked = front.of(GET)
    assert len(asked) == 4
    assert all(seen.headers["if-match"] == f'"{info.etag}"' for seen in asked[1:])
    assert asked[-1].headers["range"].endswith(f"-{len(PARTS) - 8}")


@quick
async def test_a_read_never_joins_two_versions(far: S3Store, front: Front) -> None:
    await put(far, "a", PARTS)
    front.wrong(GET, cut_answer(3 * MIB))
    pieces = far.read("a")
    await anext(pieces)

    await put(far, "a", PARTS[::-1])

    with pytest.raises(SourceChanged):
        async for _ in pieces:
            pass


@quick
async def test_a_server_that_does_not_obey_if_match_is_found_out(
    far: S3Store, front: Front
) -> None:
    info = await put(far, "a", b"x")
    front.wrong(GET, with_header("ETag", '"another"'))

    with pytest.raises(SourceChanged):
        async for _ in far.read("a", etag=info.etag):
            pass


@quick
async def test_a_range_that_is_another_one_than_asked_for_is_not_taken(
    far: S3Store, front: Front
) -> None:
    await put(far, "a", b"0123456789")
    front.wrong(GET, with_header("Content-Range", "bytes 0-3/10"))

    assert await get(far, "a", 4, 8) == b"4567"
    assert front.count(GET) == 2


@pytest.mark.parametrize("kind", [PUT, COMPLETE])
async def test_a_write_whose_answer_is_lost_has_succeeded(
    far: S3Store, front: Front, kind: Kind
) -> None:
    data = PARTS if kind is COMPLETE else b"x"
    front.wrong(kind, lose_answer())

    info = await put(far, "a", data, condition=Condition(absent=True))

    assert await far.stat("a") == info
    assert await get(far, "a") == data


async def test_another_write_is_not_taken_for_one_whose_answer_was_lost(
    far: S3Store, front: Front, store: S3Store
) -> None:
    front.wrong(HEAD, error(404, ""))  # so the condition seems to hold
    await put(store, "a", b"theirs")

    with pytest.raises(PreconditionFailed):
        await put(far, "a", b"ours", condition=Condition(absent=True))

    assert await get(store, "a") == b"theirs"


@quick
async def test_an_error_that_comes_with_status_200_is_an_error(far: S3Store, front: Front) -> None:
    front.wrong(COMPLETE, error(200, "InternalError"))

    await put(far, "a", PARTS)

    assert front.count(COMPLETE) == 2
    assert await get(far, "a") == PARTS


@quick
async def test_what_fails_for_good_leaves_nothing(
    open_s3: OpenS3, front: Front, store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, tries=2)
    front.wrong(PART, error(500, "InternalError"), times=100)

    with pytest.raises(ServerUnavailable):
        await put(far, "a", PARTS, size=len(PARTS))

    assert await uploads_in(s3_server, prefix) == []
    assert (await store.list()).files == []
    assert far.waiting_bytes == 0


@quick
async def test_a_server_that_stays_slow_makes_the_store_busy(open_s3: OpenS3, front: Front) -> None:
    far = await open_s3(to=front.url, tries=2)
    front.wrong(HEAD, error(503, "SlowDown"), times=100)

    with pytest.raises(Busy):
        await far.stat("a")


@quick
async def test_what_is_refused_is_not_tried_again(far: S3Store, front: Front) -> None:
    front.wrong(GET, error(403, "AccessDenied"), times=100)

    with pytest.raises(PenstockError, match="AccessDenied"):
        await get(far, "a")

    assert front.count(GET) == 1


@quick
async def test_retries_have_a_budget(open_s3: OpenS3, front: Front) -> None:
    far = await open_s3(to=front.url, tries=1_000)
    far.retries.spend(490.0)
    front.wrong(GET, error(500, "InternalError"), times=1_000)

    with pytest.raises(ServerUnavailable):
        await get(far, "a")

    assert front.count(GET) == 3


@quick
async def test_nobody_is_there(open_s3: OpenS3) -> None:
    gone = await open_s3(to="http://127.0.0.1:9", tries=2)

    with pytest.raises(ServerUnavailable):
        await gone.stat("a")
    with pytest.raises(ServerUnavailable):
        await gone.check()


@quick
async def test_a_read_whose_file_became_shorter_is_not_taken_for_complete(
    far: S3Store, front: Front
) -> None:
    await put(far, "a", PARTS)
    front.wrong(GET, cut_answer(3 * MIB))
    pieces = far.read("a")
    await anext(pieces)

    await put(far, "a", b"short")
    front.wrong(GET, error(416, "InvalidRange"))

    with pytest.raises(SourceChanged):
        async for _ in pieces:
            pass


async def test_a_range_beyond_another_version_is_not_taken_for_an_empty_one(
    far: S3Store, front: Front
) -> None:
    old = await put(far, "a", b"0123456789")
    new = await put(far, "a", b"x")
    front.wrong(GET, error(416, "InvalidRange"), times=2)

    with pytest.raises(SourceChanged):
        [_ async for _ in far.read("a", 5, 9, etag=old.etag)]
    assert [_ async for _ in far.read("a", 5, 9, etag=new.etag)] == []


@quick
async def test_a_write_is_stored_though_nothing_is_told_of_it_afterwards(
    open_s3: OpenS3, front: Front
) -> None:
    far = await open_s3(to=front.url, tries=2)
    front.wrong(HEAD, error(500, "InternalError"), times=2)

    info = await put(far, "a", PARTS, size=len(PARTS), content_type="audio/flac")

    known = await far.stat("a")
    assert (info.size, info.etag) == (len(PARTS), known.etag)
    # Only the catalog has it: the object went up before the type was told.
    assert known.content_type == "audio/flac"


@quick
async def test_a_write_is_a_success_though_somebody_deletes_the_file_at_once(
    far: S3Store, front: Front
) -> None:
    front.wrong(HEAD, error(404, ""))

    assert (await put(far, "a", b"xyz")).size == 3


@quick
async def test_a_file_with_a_part_that_was_not_sent_is_never_stored(
    open_s3: OpenS3,
    front: Front,
    s3_server: S3Server,
    prefix: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Orphans, "renewal", 0.0)
    far = await open_s3(to=front.url, tries=1, part_size=5 * MIB)

    async with await far.write("a", size=16 * MIB) as writer:
        await writer.write(content(6 * MIB))
        front.wrong(NOTE, error(500, "InternalError"))
        with pytest.raises(ServerUnavailable):
            await writer.write(content(5 * MIB))
        with suppress(PenstockError):
            await writer.write(content(5 * MIB))
        with pytest.raises(PenstockError):
            await writer.commit()

    assert await keys(far) == []
    assert await uploads_in(s3_server, prefix) == []


@quick
async def test_a_part_that_was_cut_off_by_its_sender_is_missed(far: S3Store, front: Front) -> None:
    gate = asyncio.Event()
    front.wrong(CREATE, held(gate))
    writer = await far.write("a", size=len(PARTS))
    writing = asyncio.ensure_future(writer.write(PARTS))
    assert await eventually(lambda: front.count(CREATE) == 1, 30)

    writing.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing

    with pytest.raises(PenstockError):
        await writer.commit()
    assert await keys(far) == []


@pytest.mark.parametrize(
    "other",
    [lambda store: put(store, "a", b"unconditional"), lambda store: store.delete("a")],
    ids=["put", "delete"],
)
async def test_nobody_comes_between_a_condition_and_its_write(
    open_s3: OpenS3, front: Front, other: Callable[[S3Store], Awaitable[object]]
) -> None:
    far = await open_s3(to=front.url, abilities=Abilities())
    info = await put(far, "a", b"one")
    gate = asyncio.Event()
    front.wrong(PUT, held(gate))
    condition = Condition(etags=(info.etag,))
    first = asyncio.ensure_future(put(far, "a", b"conditional", condition=condition))
    assert await eventually(lambda: front.count(PUT) == 2, 30)

    second = asyncio.ensure_future(other(far))
    await asyncio.wait([second], timeout=0.5)
    waited = not second.done()
    gate.set()
    await asyncio.gather(first, second)

    assert waited


async def test_a_delete_whose_answer_is_lost_has_succeeded(far: S3Store, front: Front) -> None:
    info = await put(far, "a", b"x")
    front.wrong(DELETE, lose_answer())

    await far.delete("a", condition=Condition(etags=(info.etag,)))

    assert front.count(DELETE) == 2
    assert await keys(far) == []


async def test_a_condition_that_fails_with_status_200_has_failed(
    far: S3Store, front: Front
) -> None:
    front.wrong(COMPLETE, error(200, "PreconditionFailed"), times=3)

    with pytest.raises(PreconditionFailed):
        await put(far, "a", PARTS, condition=Condition(absent=True))

    assert await keys(far) == []


@quick
async def test_parts_may_have_etags_that_are_not_made_of_their_bytes(
    open_s3: OpenS3, front: Front
) -> None:
    etags = OtherEtags()
    front.wrong(PART, etags.part, times=100)
    front.wrong(COMPLETE, etags.complete, times=100)
    far = await open_s3(to=front.url, abilities=None)

    await put(far, "a", PARTS)

    assert await get(far, "a") == PARTS
    assert not (await far.abilities()).md5_etag_of_parts


async def test_an_upload_whose_sender_leaves_as_it_begins_is_aborted(
    far: S3Store, front: Front, s3_server: S3Server, prefix: str
) -> None:
    made, gate = asyncio.Event(), asyncio.Event()
    front.wrong(CREATE, held_answer(made, gate))
    writing = asyncio.ensure_future(put(far, "a", PARTS, size=len(PARTS)))
    await made.wait()

    writing.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == []
