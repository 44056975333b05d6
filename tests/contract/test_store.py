"""What every store must do, run on each of them."""

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from penstock.catalog import SqlChecksums
from penstock.errors import BadKey, KeyConflict, NotFound, PreconditionFailed, SourceChanged
from penstock.stores import Condition, FileInfo, LocalStore, MemoryStore, Store


@pytest.fixture(params=["local", "memory"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, book: SqlChecksums
) -> AsyncIterator[Store]:
    """Each kind of store in turn, empty."""
    opened: Store = MemoryStore()
    if request.param == "local":
        opened = await asyncio.to_thread(LocalStore, tmp_path / "files", book)
    yield opened
    await opened.close()


async def put(store: Store, name: str, data: bytes, **commit: object) -> FileInfo:
    async with await store.write(name) as writer:
        for at in range(0, len(data), 100_000):
            await writer.write(data[at : at + 100_000])
        return await writer.commit(**commit)  # type: ignore[arg-type]


async def get(store: Store, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([data async for data in store.read(key, start, stop)])


async def keys(store: Store, prefix: str = "") -> list[str]:
    return [info.key for info in (await store.list(prefix)).files]


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 3_500_001])
async def test_what_is_put_can_be_got_with_its_digests(store: Store, size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]

    written = await put(store, "a/b.bin", data, content_type="text/plain")

    assert await get(store, "a/b.bin") == data
    assert await store.stat("a/b.bin") == written
    assert written.size == size
    assert written.sha256 == hashlib.sha256(data).digest()
    assert written.crc32 == zlib.crc32(data)
    assert written.content_type == "text/plain"


async def test_a_part_can_be_read(store: Store) -> None:
    await put(store, "a", b"0123456789")

    assert await get(store, "a", 3, 7) == b"3456"


async def test_nothing_is_seen_before_the_commit(store: Store) -> None:
    async with await store.write("a") as writer:
        await writer.write(b"new")
        with pytest.raises(NotFound):
            await store.stat("a")
        assert await keys(store) == []


async def test_an_aborted_write_leaves_what_was_there(store: Store) -> None:
    before = await put(store, "a", b"old")

    async with await store.write("a") as writer:
        await writer.write(b"new")

    assert await store.stat("a") == before


async def test_a_replaced_file_has_another_etag(store: Store) -> None:
    versions = {(await put(store, "a", b"same")).etag for _ in range(50)}

    assert len(versions) == 50


async def test_the_key_may_be_chosen_at_the_commit(store: Store) -> None:
    await put(store, "placeholder", b"x", key="docs/real name.txt")

    assert await keys(store) == ["docs/real name.txt"]


async def test_create_only_refuses_to_replace(store: Store) -> None:
    await put(store, "a", b"old", condition=Condition(absent=True))

    with pytest.raises(PreconditionFailed):
        await put(store, "a", b"new", condition=Condition(absent=True))

    assert await get(store, "a") == b"old"


async def test_of_many_creators_of_one_key_exactly_one_wins(store: Store) -> None:
    attempts = [put(store, "a", b"%d" % n, condition=Condition(absent=True)) for n in range(20)]

    results = await asyncio.gather(*attempts, return_exceptions=True)

    assert sum(isinstance(result, FileInfo) for result in results) == 1
    assert sum(isinstance(result, PreconditionFailed) for result in results) == 19


async def test_if_match_replaces_only_the_version_it_names(store: Store) -> None:
    first = await put(store, "a", b"1")
    await put(store, "a", b"2", condition=Condition(etags=(first.etag,)))

    with pytest.raises(PreconditionFailed):
        await put(store, "a", b"3", condition=Condition(etags=(first.etag,)))

    assert await get(store, "a") == b"2"


async def test_if_match_any_needs_a_file(store: Store) -> None:
    with pytest.raises(PreconditionFailed):
        await put(store, "a", b"x", condition=Condition(present=True))


async def test_a_deleted_file_is_gone(store: Store) -> None:
    await put(store, "a/b/c", b"x")

    await store.delete("a/b/c")

    assert await keys(store) == []
    with pytest.raises(NotFound):
        await store.delete("a/b/c")


async def test_a_delete_may_be_conditional(store: Store) -> None:
    await put(store, "a", b"x")

    with pytest.raises(PreconditionFailed):
        await store.delete("a", condition=Condition(etags=("other",)))

    assert await keys(store) == ["a"]


async def test_the_folder_of_a_deleted_file_can_become_a_file(store: Store) -> None:
    await put(store, "a/b/c", b"x")
    await store.delete("a/b/c")

    await put(store, "a", b"y")

    assert await keys(store) == ["a"]


async def test_a_file_cannot_stand_where_a_folder_is(store: Store) -> None:
    await put(store, "a/b", b"x")

    with pytest.raises(KeyConflict):
        await put(store, "a", b"y")


async def test_a_folder_cannot_stand_where_a_file_is(store: Store) -> None:
    await put(store, "a", b"x")

    with pytest.raises(KeyConflict):
        await put(store, "a/b/c", b"y")


async def test_reading_another_version_is_an_error(store: Store) -> None:
    first = await put(store, "a", b"old")
    await put(store, "a", b"new")

    with pytest.raises(SourceChanged):
        async for _ in store.read("a", etag=first.etag):
            pass


async def test_listing_is_in_bytewise_key_order(store: Store) -> None:
    names = ["a.txt", "a/b", "a/c/d", "a0", "é", "z", "B", "a/c.txt", "\U0001f600", "\uffee"]
    for name in names:
        await put(store, name, b"x")

    assert await keys(store) == sorted(names, key=str.encode)


async def test_a_prefix_need_not_end_at_a_slash(store: Store) -> None:
    for name in ["docs/a", "docs2/b", "doc", "x/docs"]:
        await put(store, name, b"x")

    assert await keys(store, "docs") == ["docs/a", "docs2/b"]
    assert await keys(store, "docs/") == ["docs/a"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("delimiter", ["", "/"])
async def test_pages_join_to_the_whole_listing(store: Store, limit: int, delimiter: str) -> None:
    for name in ["a", "b/1", "b/2", "b/c/3", "b0", "c", "d/1", "d0/1"]:
        await put(store, name, b"x")
    whole = await store.list(delimiter=delimiter)

    files: list[FileInfo] = []
    prefixes: list[str] = []
    after = ""
    while True:
        page = await store.list(after=after, limit=limit, delimiter=delimiter)
        files += page.files
        prefixes += page.prefixes
        assert len(page.files) + len(page.prefixes) <= limit
        if page.next is None:
            break
        after = page.next

    assert (files, prefixes) == (whole.files, whole.prefixes)


async def test_a_delimiter_rolls_folders_up(store: Store) -> None:
    for name in ["p/a", "p/b/1", "p/b/2", "p/c/d/e", "q"]:
        await put(store, name, b"x")

    page = await store.list("p/", delimiter="/")

    assert [info.key for info in page.files] == ["p/a"]
    assert page.prefixes == ["p/b/", "p/c/"]


async def test_a_scan_gives_every_file_once_in_key_order(store: Store) -> None:
    names = [f"d/{number:04}" for number in range(1500)]
    for name in [*names, "e"]:
        await put(store, name, b"x")

    scanned = [info.key async for batch in store.scan("d/") for info in batch]

    assert scanned == names


async def test_a_folder_with_files_is_no_empty_one(store: Store) -> None:
    for name in ["d/e/1", "d/e0", "f"]:
        await put(store, name, b"x")

    scanned = [info.key async for batch in store.scan(folders=True) for info in batch]

    assert scanned == ["d/e/1", "d/e0", "f"]


async def test_listed_files_carry_what_stat_says(store: Store) -> None:
    written = await put(store, "a", b"x", content_type="text/x-test")

    assert (await store.list()).files == [written]


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", ".", "a/../b", "a\0b", ".penstock/x"])
async def test_bad_keys_are_refused_everywhere(store: Store, key: str) -> None:
    with pytest.raises(BadKey):
        await store.write(key)
    with pytest.raises(BadKey):
        await store.stat(key)
    with pytest.raises(BadKey):
        await store.delete(key)
    with pytest.raises(BadKey):
        await put(store, "good", b"x", key=key)


async def test_a_store_in_order_passes_its_check(store: Store) -> None:
    await store.check()


@pytest.mark.parametrize(
    ("key", "data", "given", "content_type"),
    [
        ("a/b", b"\x89PNG\r\n\x1a\n" + bytes(999_999), None, "image/png"),
        ("a/b.csv", b"a,b\n" * 99_999, None, "text/csv"),
        ("a/b", b"\x89PNG\r\n\x1a\n", "text/x-told", "text/x-told"),
        ("a/b", b"", None, None),
    ],
)
async def test_a_content_type_that_nobody_gave_is_told_by_the_first_bytes(
    store: Store, key: str, data: bytes, given: str | None, content_type: str | None
) -> None:
    written = await put(store, key, data, content_type=given)

    assert written.content_type == content_type
    assert await store.stat(key) == written


async def test_the_name_given_at_the_commit_is_the_one_that_tells(store: Store) -> None:
    async with await store.write("placeholder") as writer:
        await writer.write(b"a,b\n")
        written = await writer.commit("a.csv")

    assert written.content_type == "text/csv"
