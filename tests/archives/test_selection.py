"""Which files a ZIP is made of, and what they are called in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.archives import PlannedZip, Planner, Selection, UrlMember
from penstock.errors import BadKey, BadRequest, NotFound, TooLarge
from penstock.remote import Remote, RemoteLimits
from penstock.stores import MemoryStore


async def store_of(*keys: str) -> MemoryStore:
    store = MemoryStore()
    for key in keys:
        async with await store.write(key) as writer:
            await writer.write(key.encode())
            await writer.commit()
    return store


async def plan(store: MemoryStore, selection: Selection, *, most: int = 100) -> PlannedZip:
    return await Planner(store, Remote(RemoteLimits()), most=most).plan(selection)


async def names(store: MemoryStore, keys: list[str], prefixes: list[str]) -> list[str]:
    planned = await plan(store, Selection.make(keys, prefixes))
    return [planned.plan.name(index) for index in range(len(planned.plan))]


@pytest.mark.parametrize(
    ("keys", "prefixes", "expected"),
    [
        ([], ["photos/"], ["photos/a", "photos/sub/b"]),
        ([], ["photos/sub/"], ["sub/b"]),
        (["photos/a"], [], ["a"]),
        (["photos/a"], ["photos/sub/"], ["a", "sub/b"]),
        (["photos/sub/b", "x"], [], ["photos/sub/b", "x"]),
        (["x"], ["photos/"], ["x", "photos/a", "photos/sub/b"]),
        ([], ["pho"], ["photos/a", "photos/sub/b"]),
        ([], [""], ["photos/a", "photos/sub/b", "x"]),
        (["photos/a", "photos/a"], ["photos/sub/", "photos/"], ["photos/a", "photos/sub/b"]),
    ],
)
async def test_entries_are_named_from_the_deepest_common_folder(
    keys: list[str], prefixes: list[str], expected: list[str]
) -> None:
    store = await store_of("photos/a", "photos/sub/b", "x")

    assert await names(store, keys, prefixes) == expected


async def test_a_renamed_entry_still_knows_its_key() -> None:
    store = await store_of("d/what?.txt", "d/what*.txt", "d/fine")

    planned = await plan(store, Selection.make([], ["d/"]))

    assert sorted(planned.key(index) for index in range(3)) == [
        "d/fine",
        "d/what*.txt",
        "d/what?.txt",
    ]


async def test_all_missing_keys_are_named() -> None:
    store = await store_of("a")

    with pytest.raises(NotFound) as caught:
        await plan(store, Selection.make(["a", "b", "c"], []))

    assert caught.value.extra["missing"] == ["b", "c"]


async def test_a_prefix_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(NotFound):
        await plan(await store_of("a"), Selection.make([], ["b/"]))


async def test_too_many_files_are_refused() -> None:
    with pytest.raises(TooLarge):
        await plan(await store_of("a", "b"), Selection.make([], [""]), most=1)


@pytest.mark.parametrize(
    ("keys", "prefixes", "name", "file_name"),
    [
        ([], ["a/photos/"], None, "photos.zip"),
        (["a/b.txt"], [], None, "b.txt.zip"),
        (["a", "b"], [], None, "files.zip"),
        ([], [""], None, "files.zip"),
        ([], ["a/"], "mine", "mine.zip"),
        ([], ["a/"], "Mine.ZIP", "Mine.ZIP"),
    ],
)
def test_the_file_name_follows_the_selection(
    keys: list[str], prefixes: list[str], name: str | None, file_name: str
) -> None:
    assert Selection.make(keys, prefixes, name).file_name == file_name


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"keys": "a"}',
        b'{"keys": [1]}',
        b'{"name": 1, "keys": ["a"]}',
        b"{}",
        b'{"files": []}',
        b'{"keys": [], "prefixes": []}',
        b'{"urls": "http://x/"}',
        b'{"urls": [7]}',
        b'{"urls": [{"name": "x"}]}',
        b'{"urls": [{"url": 7}]}',
        b'{"urls": [{"url": "http://x/", "size": -1}]}',
        b'{"urls": [{"url": "http://x/", "size": true}]}',
        b'{"urls": [{"url": "http://x/", "crc32": "00000000"}]}',
        b'{"urls": [{"url": "http://x/", "size": 1, "crc32": "0"}]}',
        b'{"urls": [{"url": "http://x/", "size": 1, "crc32": "zzzzzzzz"}]}',
        b'{"urls": [{"url": "http://x/", "size": 1, "modified": "yesterday"}]}',
        b'{"urls": [{"url": "http://x/", "headers": {"a": 1}}]}',
        b'{"keys": ["a"], "compress": "zip"}',
        b'{"keys": ["a"], "level": 9}',
        b'{"keys": ["a"], "on_error": "skip"}',
    ],
)
def test_a_malformed_selection_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        Selection.from_json(text)


def test_a_bad_key_in_a_selection_is_refused() -> None:
    with pytest.raises(BadKey):
        Selection.make(["../x"], [])


urls = st.builds(
    UrlMember,
    url=st.just("http://example.org/a?b=c"),
    name=st.none() | st.text(min_size=1, max_size=5),
    headers=st.dictionaries(st.sampled_from(["Accept", "X-Key"]), st.text(max_size=5)),
    size=st.integers(0, 2**63 - 1),
    crc32=st.none() | st.integers(0, 2**32 - 1),
    modified=st.none() | st.integers(0, 2**32),
)


@given(
    keys=st.lists(st.from_regex(r"[a-c](/[a-c]){0,2}", fullmatch=True), min_size=1, max_size=5),
    name=st.none() | st.text(min_size=1, max_size=5),
    remote=st.lists(urls, max_size=3),
    compress=st.sampled_from(["store", "auto", "deflate"]),
    level=st.sampled_from(["fast", "best"]),
    on_error=st.sampled_from(["abort", "report"]),
)
def test_a_selection_survives_json(
    keys: list[str],
    name: str | None,
    remote: list[UrlMember],
    compress: str,
    level: str,
    on_error: str,
) -> None:
    selection = Selection.make(
        keys, [], name, urls=remote, compress=compress, level=level, on_error=on_error
    )

    assert Selection.from_json(selection.to_json()) == selection
