"""Which files a ZIP is made of, and what they are called in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.archives import Selection, plan_selection
from penstock.errors import BadKey, BadRequest, NotFound, TooLarge
from penstock.stores import MemoryStore


async def store_of(*keys: str) -> MemoryStore:
    store = MemoryStore()
    for key in keys:
        async with await store.write(key) as writer:
            await writer.write(key.encode())
            await writer.commit()
    return store


async def names(store: MemoryStore, keys: list[str], prefixes: list[str]) -> list[str]:
    planned = await plan_selection(store, Selection.make(keys, prefixes), most=100)
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

    planned = await plan_selection(store, Selection.make([], ["d/"]), most=100)

    assert sorted(planned.key(index) for index in range(3)) == [
        "d/fine",
        "d/what*.txt",
        "d/what?.txt",
    ]


async def test_all_missing_keys_are_named() -> None:
    store = await store_of("a")

    with pytest.raises(NotFound) as caught:
        await plan_selection(store, Selection.make(["a", "b", "c"], []), most=100)

    assert caught.value.extra["missing"] == ["b", "c"]


async def test_a_prefix_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(NotFound):
        await plan_selection(await store_of("a"), Selection.make([], ["b/"]), most=100)


async def test_too_many_files_are_refused() -> None:
    with pytest.raises(TooLarge):
        await plan_selection(await store_of("a", "b"), Selection.make([], [""]), most=1)


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
    ],
)
def test_a_malformed_selection_is_refused(text: bytes) -> None:
    with pytest.raises(BadRequest):
        Selection.from_json(text)


def test_a_bad_key_in_a_selection_is_refused() -> None:
    with pytest.raises(BadKey):
        Selection.make(["../x"], [])


@given(
    keys=st.lists(st.from_regex(r"[a-c](/[a-c]){0,2}", fullmatch=True), min_size=1, max_size=5),
    name=st.none() | st.text(min_size=1, max_size=5),
)
def test_a_selection_survives_json(keys: list[str], name: str | None) -> None:
    selection = Selection.make(keys, [], name)

    assert Selection.from_json(selection.to_json()) == selection
