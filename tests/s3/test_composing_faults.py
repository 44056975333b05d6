"""Compositions of which something goes wrong, and that no byte is wrong for it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from hashlib import md5

import pytest
from aiohttp import web

from penstock.errors import PenstockError, ServerUnavailable, SourceChanged
from penstock.stores.s3.store import S3Store
from tests.s3.blueprints import ZIP, Attempts, KnownBytes, Slice
from tests.s3.files import MIB, content, get, keys, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import (
    COMPLETE,
    COPY,
    CREATE,
    HEAD,
    LIST_PARTS,
    NOTE,
    PART,
    SENT,
    Act,
    Exchange,
    Front,
    Seen,
    error,
    flip_request,
    front_of,
    lose_answer,
)
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, uploads_in

LARGE = content(10 * MIB)


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def far(open_s3: OpenS3, front: Front) -> S3Store:
    """A store whose requests go through the front."""
    return await open_s3(to=front.url)


@pytest.fixture
async def one(store: S3Store) -> Slice:
    """A large file."""
    return Slice(await put(store, "one", LARGE), LARGE)


Composed = Callable[[S3Store], Awaitable[tuple[int, KnownBytes]]]


@pytest.fixture
def composed(store: S3Store, one: Slice) -> Composed:
    """Compose; how many parts were copied, of two that could be, and what should be stored."""

    async def compose(far: S3Store) -> tuple[int, KnownBytes]:
        blueprint = KnownBytes(far, [one, b"between", one, b"tail"])
        done = await far.compose("a.zip", blueprint, Attempts().course, **ZIP)
        assert done.file.size == blueprint.size
        assert await get(store, "a.zip") == blueprint.data
        return done.copied, blueprint

    return compose


@quick
@pytest.mark.parametrize(
    "act", [error(500, "InternalError"), error(503, "SlowDown"), lose_answer()]
)
async def test_what_fails_in_passing_is_tried_again(
    far: S3Store, front: Front, composed: Composed, act: Act
) -> None:
    for kind in (CREATE, NOTE, COPY, SENT, LIST_PARTS, COMPLETE):
        front.wrong(kind, act)

    assert (await composed(far))[0] == 2


@quick
async def test_an_error_in_a_200_is_one(far: S3Store, front: Front, composed: Composed) -> None:
    front.wrong(COPY, error(200, "InternalError"))
    front.wrong(COMPLETE, error(200, "InternalError"))

    assert (await composed(far))[0] == 2


@quick
@pytest.mark.parametrize("act", [error(404, "NoSuchKey"), error(501, "NotImplemented")])
async def test_what_cannot_be_copied_is_read_and_sent(
    far: S3Store, front: Front, composed: Composed, act: Act
) -> None:
    front.wrong(COPY, act)

    copied, blueprint = await composed(far)

    assert copied == 1
    # What was read has a CRC-32 too.
    assert len(blueprint.told) == 1


@quick
async def test_a_server_that_breaks_at_a_copy_is_sent_the_part(
    open_s3: OpenS3, front: Front, composed: Composed
) -> None:
    far = await open_s3(to=front.url, tries=2)
    front.wrong(COPY, error(500, "InternalError"), times=4)

    assert (await composed(far))[0] == 0


@quick
async def test_a_copy_that_has_no_bytes_is_seen(
    far: S3Store, front: Front, composed: Composed
) -> None:
    async def nothing(exchange: Exchange) -> web.StreamResponse:
        text = '<CopyPartResult><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></CopyPartResult>'
        return web.Response(text=text, content_type="application/xml")

    front.wrong(COPY, nothing)

    await composed(far)


@quick
async def test_parts_that_are_never_kept_are_no_file(
    open_s3: OpenS3, front: Front, composed: Composed
) -> None:
    far = await open_s3(to=front.url)

    async def nothing(exchange: Exchange) -> web.StreamResponse:
        body = await exchange.request.content.read()
        return web.Response(headers={"ETag": f'"{md5(body).hexdigest()}"'})

    front.wrong(SENT, nothing, times=10)

    with pytest.raises(PenstockError, match="has not kept"):
        await composed(far)

    assert await keys(far) == ["one"]


async def test_bytes_that_change_on_the_way_are_sent_again(
    far: S3Store, front: Front, composed: Composed
) -> None:
    front.wrong(SENT, flip_request(0), times=2)

    await composed(far)


@pytest.mark.parametrize("sees", [True, False], ids=["server sees it", "server does not"])
@pytest.mark.parametrize("removed", [False, True])
async def test_a_source_that_changed_makes_no_file(
    open_s3: OpenS3, one: Slice, sees: bool, removed: bool, s3_server: S3Server, prefix: str
) -> None:
    able = await (await open_s3()).abilities()
    store = await open_s3(abilities=replace(able, copy_if_match=sees))
    blueprint, attempts = KnownBytes(store, [one, b"tail"]), Attempts()
    if removed:
        await store.delete("one")
    else:
        await put(store, "one", LARGE[:-1] + b"!")

    with pytest.raises(SourceChanged, match="one"):
        await store.compose("a.zip", blueprint, attempts.course, **ZIP)

    await store.forsake("a.zip", attempts.kept)
    assert "a.zip" not in await keys(store)
    assert await uploads_in(s3_server, prefix) == []


@quick
async def test_a_source_that_changes_while_it_is_copied_is_seen_where_no_condition_is_obeyed(
    open_s3: OpenS3, front: Front, one: Slice, store: S3Store
) -> None:
    able = await store.abilities()
    far = await open_s3(to=front.url, abilities=replace(able, copy_if_match=False))
    blueprint = KnownBytes(far, [one, b"tail"])

    async def late(exchange: Exchange) -> web.StreamResponse:
        await put(store, "one", b"another")
        text = f'<CopyPartResult><ETag>"{"0" * 32}"</ETag></CopyPartResult>'
        return web.Response(text=text, content_type="application/xml")

    front.wrong(COPY, late)

    with pytest.raises(SourceChanged, match="one"):
        await far.compose("a.zip", blueprint, Attempts().course, **ZIP)


@quick
@pytest.mark.parametrize("code", ["InvalidPart", "BadDigest"])
async def test_parts_that_become_no_file_are_made_anew(
    open_s3: OpenS3, front: Front, one: Slice, s3_server: S3Server, prefix: str, code: str
) -> None:
    far = await open_s3(to=front.url, tries=1)
    attempts, blueprint = Attempts(), KnownBytes(far, [one, b"tail"])
    front.wrong(COMPLETE, error(400, code))
    with pytest.raises(ServerUnavailable):
        await far.compose("a.zip", blueprint, attempts.course, **ZIP)
    assert await uploads_in(s3_server, prefix) == []
    before = front.count(PART)

    await far.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert await get(far, "a.zip") == blueprint.data
    assert front.count(PART) == 2 * before


async def test_a_temporary_object_that_cannot_be_made_is_read_and_sent(
    open_s3: OpenS3, front: Front, composed: Composed, s3_server: S3Server, prefix: str
) -> None:
    far = await open_s3(to=front.url, price_out=0.09)

    def temporary(seen: Seen) -> bool:
        return COMPLETE(seen) and "/.penstock/compose/" in seen.path

    front.wrong(temporary, error(400, "EntityTooSmall"))

    await composed(far)

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


@quick
async def test_a_temporary_object_of_which_nobody_heard_is_used(
    open_s3: OpenS3, front: Front, composed: Composed
) -> None:
    far = await open_s3(to=front.url, price_out=0.09)

    def temporary(seen: Seen) -> bool:
        return COMPLETE(seen) and "/.penstock/compose/" in seen.path

    front.wrong(temporary, lose_answer())

    copied, blueprint = await composed(far)

    assert copied == 3
    assert sorted(blueprint.reads) == [(10 * MIB, 10 * MIB + 7), (20 * MIB + 7, blueprint.size)]


@quick
async def test_a_lasting_error_is_told(far: S3Store, front: Front, composed: Composed) -> None:
    front.wrong(SENT, error(403, "AccessDenied"), times=2)

    with pytest.raises(PenstockError, match="AccessDenied"):
        await composed(far)

    assert front.count(HEAD) < 10
