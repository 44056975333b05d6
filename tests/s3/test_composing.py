"""Files put together inside S3."""

from dataclasses import replace

import pytest

from penstock.errors import BadRequest, PreconditionFailed, TooLarge
from penstock.stores import Condition
from penstock.stores.composing import Composes
from penstock.stores.s3.store import S3Store
from tests.eventually import eventually
from tests.s3.blueprints import ZIP, Attempts, KnownBytes, Slice
from tests.s3.files import MIB, content, get, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import CREATE, LIST, front_of
from tests.s3.servers import S3Server
from tests.s3.uploads import names_in, uploads_in

LEAST = content(5 * MIB, seed=0)
"""The smallest part that others may follow."""
LARGE = content(11 * MIB, seed=1)
"""Large enough to be copied for the most part, wherever it stands."""


async def stored(store: S3Store, key: str, data: bytes) -> Slice:
    return Slice(await put(store, key, data), data)


@quick
async def test_a_store_in_s3_composes(store: S3Store) -> None:
    assert isinstance(store, Composes)


async def test_large_files_are_copied_and_the_rest_is_sent(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    one = await stored(store, "one", LARGE)
    blueprint = KnownBytes(store, [b"head", one, LEAST, b"more", one, b"tail"])
    attempts = Attempts()

    done = await store.compose("a.zip", blueprint, attempts.course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert (done.parts, done.copied, done.found) == (5, 2, 0)
    assert done.file == await store.stat("a.zip")
    assert done.file.content_type == "application/zip"
    assert done.file.crc32 == await blueprint.crc32()
    assert attempts.steps == sorted(attempts.steps)
    assert attempts.steps[-1] == blueprint.size
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


async def test_sources_of_any_name_are_copied(store: S3Store) -> None:
    names = ["50%", "a%20b", "a+b", "a#b?c", "é ü 日本", "a&b=c;d", "~(x)!*'"]
    sources = [
        await stored(store, name, b"%d" % number + LEAST) for number, name in enumerate(names)
    ]
    blueprint = KnownBytes(store, [*sources, b"tail"])

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert done.copied == len(names)


async def test_slices_of_files_are_copied(store: S3Store) -> None:
    one = await stored(store, "one", LARGE)
    some, rest = replace(one, start=3, stop=6 * MIB), replace(one, start=5 * MIB + 1)
    blueprint = KnownBytes(store, [some, rest])

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert done.copied == 2


@pytest.mark.parametrize("size", [0, 1, 11 * MIB])
async def test_where_nothing_can_be_copied_everything_is_sent(store: S3Store, size: int) -> None:
    blueprint = KnownBytes(store, [content(size)])

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert done.copied == 0


async def test_where_reading_costs_grafts_are_made(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(price_out=0.09)
    one = await stored(store, "one", LARGE)
    blueprint = KnownBytes(store, [LEAST, one, b"between", one, b"tail"])

    with store.metered() as meter:
        done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert (done.parts, done.copied) == (6, 3)
    assert meter.usage.received == 0
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


@pytest.mark.parametrize("most", [4, 6])
async def test_parts_that_are_too_many_become_objects_of_their_own(
    open_s3: OpenS3, s3_server: S3Server, prefix: str, most: int
) -> None:
    store = await open_s3(max_parts=most, price_out=0.09)
    one = await stored(store, "one", LARGE)
    blueprint = KnownBytes(store, [LEAST, one, b"1", one, b"2", one, b"3"])

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert (done.parts, done.copied) == (9, 5)
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/") == []


@quick
async def test_what_takes_too_many_parts_is_refused(open_s3: OpenS3) -> None:
    store = await open_s3(max_parts=3)
    blueprint = KnownBytes(store, [b"x"])
    blueprint.size = 15 << 30 | 1

    with pytest.raises(TooLarge):
        await store.compose("a.zip", blueprint, Attempts().course, **ZIP)


@quick
async def test_a_server_that_copies_nothing_is_sent_everything(open_s3: OpenS3) -> None:
    able = await (await open_s3()).abilities()
    store = await open_s3(abilities=replace(able, copy=False))
    blueprint = KnownBytes(store, [b"head", await stored(store, "one", LARGE), b"tail"])

    done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert await get(store, "a.zip") == blueprint.data
    assert (done.parts, done.copied) == (2, 0)


@pytest.mark.parametrize("condition", [Condition(absent=True), Condition(etags=("0" * 32,))])
async def test_conditions_hold_at_the_end(store: S3Store, condition: Condition) -> None:
    await put(store, "a.zip", b"old")
    blueprint = KnownBytes(store, [b"new"])

    with pytest.raises(PreconditionFailed):
        await store.compose("a.zip", blueprint, Attempts().course, condition=condition, **ZIP)

    assert await get(store, "a.zip") == b"old"


async def test_an_old_version_is_replaced_on_its_condition(store: S3Store) -> None:
    old = await put(store, "a.zip", b"old")
    blueprint = KnownBytes(store, [b"new"])

    await store.compose(
        "a.zip", blueprint, Attempts().course, condition=Condition(etags=(old.etag,)), **ZIP
    )

    assert await get(store, "a.zip") == blueprint.data


async def test_tags_go_with_the_upload(open_s3: OpenS3, s3_server: S3Server) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url)
        tags = {"team": "a b/c", "é": ""}
        composing = store.compose(
            "a.zip", KnownBytes(store, [b"x"]), Attempts().course, tags=tags, **ZIP
        )
        if s3_server.kind == "swift":
            with pytest.raises(BadRequest, match="tags"):
                await composing
        else:
            await composing

        assert [seen.headers["x-amz-tagging"] for seen in front.of(CREATE)] == [
            "team=a%20b%2Fc&%C3%A9="
        ]


@quick
@pytest.mark.parametrize(
    "tags", [{f"k{n}": "" for n in range(11)}, {"": "x"}, {"k" * 129: ""}, {"k": "v" * 257}]
)
async def test_tags_that_s3_does_not_take_are_refused(store: S3Store, tags: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="tag"):
        await store.compose("a.zip", KnownBytes(store, [b"x"]), Attempts().course, tags=tags, **ZIP)


async def test_what_a_composition_takes_is_told_before(store: S3Store) -> None:
    one = await stored(store, "one", LARGE)
    blueprint = KnownBytes(store, [b"head", one, b"more", one, b"tail"])
    parts, usage = await store.estimate(blueprint)

    with store.metered() as meter:
        done = await store.compose("a.zip", blueprint, Attempts().course, **ZIP)

    assert done.parts == parts
    # Its note has a body too.
    assert meter.usage._replace(sent=0) == usage._replace(sent=0)
    assert 0 < meter.usage.sent - usage.sent < 1000
    assert 0 < meter.memory_peak <= 32 * MIB


@quick
async def test_what_others_use_is_not_counted(store: S3Store) -> None:
    with store.metered() as meter:
        await store.compose("a.zip", KnownBytes(store, [b"x"]), Attempts().course, **ZIP)
    used = meter.usage

    await put(store, "b", b"y")

    assert meter.usage == used


@quick
async def test_what_is_swept_meanwhile_is_not_counted(open_s3: OpenS3, s3_server: S3Server) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url)

        with store.metered() as meter:
            await store.check()  # the first use, so it begins to sweep
            assert await eventually(lambda: front.count(LIST) == 3, 30)

        assert meter.usage.puts == 1
