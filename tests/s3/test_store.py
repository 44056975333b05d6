"""What the store in S3 promises beyond what every store does."""

import asyncio
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.catalog import SqlChecksums, open_database, sqlite_url
from penstock.errors import BadKey, BadRequest, NotFound, PenstockError, PreconditionFailed
from penstock.stores import Condition, FileInfo
from penstock.stores.s3 import listing
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.calls import SHA256
from penstock.stores.s3.store import S3Store
from tests.s3.files import MIB, content, get, keys, put
from tests.s3.fixtures import OpenS3, quick
from tests.s3.front import front_of
from tests.s3.servers import S3Server
from tests.s3.uploads import make_object, names_in, uploads_in

ODD_KEYS = [
    "a%b+c d&é#?=;:@$,'()*!~^{}[]|\\\"<>`",
    "a%2Fb/%25",
    " of spaces ",
    "日本語/\U0001f600 and é",
    "a/+/b",
    "x" * 200 + "/" + "ü" * 100,
    "~/-._",
]


@pytest.fixture
def other_book(tmp_path: Path) -> Iterator[SqlChecksums]:
    """The book of a server that has another catalog."""
    engine = open_database(sqlite_url(tmp_path / "other.sqlite"))
    yield SqlChecksums(engine)
    engine.dispose()


async def test_odd_keys_are_put_got_listed_and_deleted_as_they_are(store: S3Store) -> None:
    for number, key in enumerate(ODD_KEYS):
        await put(store, key, b"%d" % number)

    assert await keys(store) == sorted(ODD_KEYS, key=str.encode)
    for number, key in enumerate(ODD_KEYS):
        assert await get(store, key) == b"%d" % number
        await store.delete(key)
    assert await keys(store) == []


async def test_a_listing_goes_on_behind_odd_keys(store: S3Store) -> None:
    for key in ODD_KEYS:
        await put(store, key, b"x")

    page = await store.list(limit=1)
    found = [page.files[0].key]
    while page.next is not None:
        page = await store.list(limit=1, after=page.next)
        found += [info.key for info in page.files]

    assert found == sorted(ODD_KEYS, key=str.encode)


@pytest.mark.parametrize(
    ("size", "told"),
    [(8 * MIB, False), (8 * MIB + 1, True), (17 * MIB, True), (17 * MIB, False)],
)
async def test_large_files_go_up_in_parts(store: S3Store, size: int, told: bool) -> None:
    data = content(size)

    info = await put(store, "a", data, size=size if told else None)

    assert (info.size, info.crc32) == (size, zlib.crc32(data))
    assert info.sha256 == hashlib.sha256(data).digest()
    assert await store.stat("a") == info
    assert await get(store, "a") == data
    assert await get(store, "a", size - 3) == data[-3:]
    assert store.waiting_bytes == 0


@quick
async def test_a_file_may_become_longer_than_was_told(store: S3Store) -> None:
    data = content(18 * MIB)

    await put(store, "short", data, size=10)
    await put(store, "long", data, size=9 * MIB)

    assert await get(store, "short") == await get(store, "long") == data


@quick
async def test_what_finds_no_room_in_memory_waits_in_a_file(
    open_s3: OpenS3, tmp_path: Path
) -> None:
    store = await open_s3(part_size=5 * MIB, memory=6 * MIB)
    data = content(20 * MIB)
    most = 0

    async with await store.write("a") as writer:
        for at in range(0, len(data), MIB):
            await writer.write(data[at : at + MIB])
            most = max(most, store.waiting_bytes)
        await writer.commit()

    assert most <= 6 * MIB
    assert await get(store, "a") == data
    assert os.listdir(tmp_path / "spool") == []


@quick
async def test_many_open_writers_do_not_wait_for_each_other(open_s3: OpenS3) -> None:
    store = await open_s3(part_size=5 * MIB, memory=5 * MIB)
    data = content(2 * MIB)
    writers = [await store.write(f"{number}") for number in range(8)]

    for writer in writers:
        await writer.write(data)
    for writer in writers:
        await writer.commit()

    assert len(await keys(store)) == 8
    assert store.waiting_bytes == 0


async def test_an_aborted_upload_of_parts_leaves_nothing(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    async with await store.write("a", size=30 * MIB) as writer:
        await writer.write(content(18 * MIB))
        assert await uploads_in(s3_server, prefix) == [f"{prefix}/a"]

    assert await uploads_in(s3_server, prefix) == []
    assert await keys(store) == []
    assert store.waiting_bytes == 0


@quick
async def test_a_cancelled_commit_leaves_nothing(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    async def write() -> None:
        async with await store.write("a", size=30 * MIB) as writer:
            await writer.write(content(30 * MIB))
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
            await writer.commit()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(write())

    assert await uploads_in(s3_server, prefix) == []
    assert store.waiting_bytes == 0


@quick
async def test_a_file_of_parts_stays_at_the_key_it_was_begun_for(store: S3Store) -> None:
    data = content(18 * MIB)

    with pytest.raises(BadRequest):
        await put(store, "a", data, size=len(data), key="b")
    await put(store, "a", data, key="b")

    assert await keys(store) == ["b"]


@pytest.mark.parametrize("size", [10, 9 * MIB])
async def test_of_many_creators_one_wins_though_the_server_knows_no_conditions(
    open_s3: OpenS3, size: int
) -> None:
    store = await open_s3(abilities=Abilities())
    absent = Condition(absent=True)
    attempts = [put(store, "a", content(size, number), condition=absent) for number in range(3)]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(result, FileInfo) for result in results) == 1
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 2


async def test_processes_that_do_not_know_of_each_other_create_a_key_once(
    open_s3: OpenS3, s3_server: S3Server
) -> None:
    if s3_server.kind == "swift":
        pytest.skip("Swift looks at If-None-Match before the body comes, and not again behind it")
    stores = [await open_s3() for _ in range(5)]
    absent = Condition(absent=True)
    attempts = [put(each, "a", b"%d" % at, condition=absent) for at, each in enumerate(stores)]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(result, FileInfo) for result in results) == 1
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 4


async def test_what_a_server_can_do_is_found_by_trying_and_leaves_nothing(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(abilities=None)

    found = (await store.abilities()).described()

    assert found["put_if_absent"]
    if s3_server.kind != "named":
        assert found["crc32"] is (s3_server.kind == "ministack")
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, prefix) == []


async def test_what_another_catalog_knows_is_told_by_the_object_itself(
    open_s3: OpenS3, other_book: SqlChecksums
) -> None:
    data = b"%PDF-1.7\n" + content(9 * MIB)
    written = await put(await open_s3(), "a", data)
    other = await open_s3(book=other_book)

    info = await other.stat("a")
    known = await other.checksum("a")

    assert (info.content_type, info.sha256) == ("application/pdf", written.sha256)
    assert known.crc32 == zlib.crc32(data)


@pytest.mark.parametrize("digest", ["zz", "00", "z" * 64])
async def test_metadata_that_is_no_sha256_is_passed_over(
    store: S3Store, s3_server: S3Server, prefix: str, digest: str
) -> None:
    await make_object(s3_server, f"{prefix}/a", {SHA256: digest})

    assert (await store.stat("a")).sha256 is None
    assert await get(store, "a") == b"x"


@quick
async def test_a_writer_may_outlive_its_store(open_s3: OpenS3) -> None:
    store = await open_s3(part_size=5 * MIB, memory=5 * MIB)
    writer = await store.write("a")
    await writer.write(content(6 * MIB))
    before = len(os.listdir("/proc/self/fd"))

    await store.close()
    await writer.abort()

    assert len(os.listdir("/proc/self/fd")) < before
    assert store.waiting_bytes == 0


async def test_objects_that_are_no_files_of_ours_are_passed_over(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await put(store, "a/b", b"x")
    for name in ("a/", "//", "a//c", ".penstock/hidden", "z/../y"):
        await make_object(s3_server, f"{prefix}/{name}")

    assert await keys(store) == ["a/b"]
    assert (await store.list(delimiter="/")).prefixes == ["a/", "z/"]
    assert [info.key async for infos in store.scan() for info in infos] == ["a/b"]
    page = await store.list(limit=1)
    assert [info.key for info in page.files] == ["a/b"]


async def test_marks_of_folders_are_found_if_they_are_asked_for(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await put(store, "d/b.txt", b"x")
    for name in ("", "d/", "d/b/", "d/c/", "d/c0/e/", ".penstock/", "d//", "d/../"):
        await make_object(s3_server, f"{prefix}/{name}", body=b"")
    await make_object(s3_server, f"{prefix}/d/full/", body=b"x")

    found = [info async for infos in store.scan("d/", folders=True) for info in infos]

    assert [info.key for info in found] == ["d/", "d/b.txt", "d/b/", "d/c/", "d/c0/e/"]
    assert [info.size for info in found] == [0, 1, 0, 0, 0]
    assert [info.key async for infos in store.scan() for info in infos] == ["d/b.txt"]
    assert await keys(store) == ["d/b.txt"]


async def test_a_scan_joins_pages(store: S3Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST", 7)
    names = [f"d/{number:03}" for number in range(30)]
    await asyncio.gather(*(put(store, name, b"x") for name in [*names, "e"]))

    assert [info.key async for infos in store.scan("d/") for info in infos] == names


async def test_a_prefix_of_the_bucket_is_all_that_a_store_sees(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    await make_object(s3_server, f"{prefix}x/outside")
    await put(store, "inside", b"x")

    assert await keys(store) == ["inside"]
    with pytest.raises(BadKey):
        await store.stat("../x/outside")


@quick
async def test_a_key_that_is_too_long_with_the_prefix_is_refused(store: S3Store) -> None:
    with pytest.raises(BadKey, match="too long"):
        await store.write("/".join(["x" * 99] * 10))


async def test_an_empty_span_is_read_as_nothing_of_a_file_that_is_there(store: S3Store) -> None:
    await put(store, "a", b"x")
    await put(store, "empty", b"")

    assert await get(store, "a", 1, 1) == await get(store, "a", 1) == b""
    assert await get(store, "empty") == b""
    with pytest.raises(NotFound):
        await get(store, "b", 0, 0)


async def test_a_wrong_secret_is_said_and_not_shown(open_s3: OpenS3, s3_server: S3Server) -> None:
    if s3_server.kind == "ministack":
        pytest.skip("ministack takes any secret")
    store = await open_s3(secret_key="hunter2")

    with pytest.raises(PenstockError, match="refuses access") as raised:
        await store.check()

    assert "hunter2" not in str(raised.value)


async def test_anonymous_requests_are_not_signed(open_s3: OpenS3, s3_server: S3Server) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url, anonymous=True, access_key="", secret_key="")
        with pytest.raises((NotFound, PenstockError)):
            await store.stat("a")

        assert [seen.headers.get("authorization") for seen in front.seen] == [None]


async def test_a_bucket_that_does_not_exist_is_said(open_s3: OpenS3) -> None:
    store = await open_s3(bucket="penstock-no-such-bucket")

    with pytest.raises(PenstockError, match="bucket does not exist"):
        await store.check()
