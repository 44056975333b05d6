"""CRC-32s that a server tells, of what it copies and of what it has."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import replace

import pytest
from aiohttp import web
from isal.isal_zlib import crc32

from penstock.catalog import SqlChecksums
from penstock.errors import ServerUnavailable
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.client import Body
from penstock.stores.s3.documents import crc32_field
from penstock.stores.s3.store import S3Store
from tests.s3.amazon import Amazon
from tests.s3.blueprints import ZIP, Attempts, KnownBytes, Slice
from tests.s3.files import MIB, content, get, put
from tests.s3.fixtures import OpenS3
from tests.s3.front import COMPLETE, COPY, PART, Act, Exchange, Front, as_answer, error, front_of
from tests.s3.servers import S3Server
from tests.s3.uploads import calls_to

LARGE = content(10 * MIB)
NESTED = {"max_parts": 4, "price_out": 0.09}


@pytest.fixture
async def front(s3_server: S3Server) -> AsyncIterator[Front]:
    async with front_of(s3_server) as front:
        yield front


@pytest.fixture
async def one(store: S3Store) -> Slice:
    """A large file."""
    return Slice(await put(store, "one", LARGE), LARGE)


@pytest.fixture
async def able(store: S3Store) -> Abilities:
    """What Amazon can do."""
    able = await store.abilities()
    if able.crc32:
        pytest.skip("checks CRC-32s of multipart uploads in a way of its own")
    return replace(able, crc32_of_multipart=True, copy_crc32=True)


class Headers(KnownBytes):
    """Bytes of its own hold CRC-32s of what is copied: ``told_first`` is how many were known."""

    told_first: int | None = None

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        if self.told_first is None:
            self.told_first = len(self.told)
        async for data in super().read(start, stop):
            yield data


def blueprint_of(store: S3Store, one: Slice) -> Headers:
    return Headers(store, [one, b"1", one, b"22", one, b"tail"])


def body_of(data: bytes) -> Body:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(data), MIB):
            yield data[at : at + MIB]

    return pieces


async def put_in_parts(server: S3Server, name: str, pieces: Sequence[bytes]) -> tuple[str, bool]:
    """As most programs do it; the ETag, and whether there is a CRC-32 made of those of parts."""
    async with calls_to(server) as calls:
        upload = await calls.create(name, {"x-amz-checksum-algorithm": "CRC32"})
        parts = []
        for number, piece in enumerate(pieces, 1):
            field = {"x-amz-checksum-crc32": crc32_field(crc32(piece))}
            parts.append(
                await calls.upload_part(name, upload, number, field, body_of(piece), len(piece))
            )
        etag = await calls.complete(name, upload, parts, {})
        return etag, (await calls.head(name)).composite


def with_crc32s_of(pieces: Sequence[bytes]) -> Act:
    """GetObjectAttributes tells the CRC-32 of each part, as Amazon's documentation has it."""

    async def act(exchange: Exchange) -> web.StreamResponse:
        status, headers, body = await exchange.passed()
        text = body.decode()
        for piece in pieces:
            told = f"<ChecksumCRC32>{crc32_field(crc32(piece))}</ChecksumCRC32></Part >"
            text = text.replace("</Part>", told, 1)
        headers = {name: value for name, value in headers.items() if name != "Content-Length"}
        return as_answer(exchange.request, status, headers, text.encode())

    return act


def check(blueprint: KnownBytes, copied: int) -> None:
    """Whether it was told of so many copies, and the truth."""
    assert len(blueprint.told) == copied
    for (start, stop), value in blueprint.told.items():
        assert value == crc32(blueprint.data[start:stop])


@pytest.mark.parametrize(("options", "copied"), [({}, 3), (NESTED, 5)], ids=["flat", "nested"])
async def test_what_is_copied_is_told_before_anything_else_is_read(
    open_s3: OpenS3,
    front: Front,
    s3_server: S3Server,
    one: Slice,
    able: Abilities,
    options: dict[str, float],
    copied: int,
) -> None:
    amazon = Amazon(s3_server, front)
    store = await open_s3(to=front.url, abilities=able, **options)
    blueprint = blueprint_of(store, one)

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert (await store.abilities()).copy_crc32
    assert done.copied == copied
    assert blueprint.told_first == copied
    check(blueprint, copied)
    assert amazon.held_to == [await blueprint.crc32()]
    assert await get(store, "a.zip") == blueprint.data


@pytest.mark.parametrize(("options", "copied"), [({}, 3), (NESTED, 5)], ids=["flat", "nested"])
async def test_what_an_earlier_attempt_has_copied_is_told_again(
    open_s3: OpenS3,
    front: Front,
    s3_server: S3Server,
    one: Slice,
    able: Abilities,
    options: dict[str, float],
    copied: int,
) -> None:
    front.wrong(lambda seen: COMPLETE(seen) and "/a.zip" in seen.path, error(403, "AccessDenied"))
    amazon = Amazon(s3_server, front)
    store = await open_s3(to=front.url, abilities=able, **options)
    attempts = Attempts()
    with pytest.raises(Exception, match="AccessDenied"):
        await store.compose("a.zip", blueprint_of(store, one), attempts.course, **ZIP)
    before = front.count(PART)
    blueprint = blueprint_of(store, one)

    done = await store.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert front.count(PART) == before
    assert done.found == done.parts
    check(blueprint, copied)
    assert amazon.held_to == [await blueprint.crc32()]


async def test_a_wrong_crc32_makes_no_file(
    open_s3: OpenS3, front: Front, s3_server: S3Server, one: Slice, able: Abilities
) -> None:
    Amazon(s3_server, front)
    store = await open_s3(to=front.url, abilities=able, tries=2)

    class Wrong(KnownBytes):
        async def crc32(self) -> int | None:
            return 1

    with pytest.raises(ServerUnavailable):
        await store.compose("a.zip", Wrong(store, [one]), Attempts().course, **ZIP)

    assert front.count(COPY) == 1


async def test_a_crc32_of_the_whole_object_is_told(store: S3Store) -> None:
    info = await put(store, "a", b"some bytes")
    able = await store.abilities()

    assert await store.crc32("a", info.etag) == (crc32(b"some bytes") if able.crc32 else None)
    assert await store.crc32("a", "another") is None


async def test_a_crc32_is_made_of_those_of_parts(
    open_s3: OpenS3, front: Front, s3_server: S3Server, prefix: str
) -> None:
    far, name = await open_s3(to=front.url), f"{prefix}/a"
    pieces = [content(5 * MIB, seed=1), content(5 * MIB, seed=2), b"end"]
    etag, composite = await put_in_parts(s3_server, name, pieces)
    assert await far.crc32("a", etag) is None  # one server tells sizes only, the other nothing

    front.wrong(lambda seen: seen.query == "attributes=", with_crc32s_of(pieces))

    whole = crc32(b"".join(pieces))
    assert await far.crc32("a", etag) == (whole if composite else None)


async def test_crc32s_are_remembered(store: S3Store, book: SqlChecksums) -> None:
    await store.remember([("a", "e1", 7), ("b", "e2", 8)])

    known = await asyncio.to_thread(book.get_many, [("a", "e1"), ("b", "e2")])
    assert {key: facts.crc32 for key, facts in known.items()} == {"a": 7, "b": 8}
