"""What somebody wants archived: how folders are named, and when two wishes are the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.archives.in_store import ArchiveOptions, Wish
from penstock.errors import BadKey, BadRequest

S3 = ArchiveOptions(store="s3://bucket/base", link="presigned", link_expiry=60.0)
LOCAL = ArchiveOptions(store="file:///srv/files")


@pytest.mark.parametrize(
    ("folder", "prefix", "key"),
    [
        ("photos/2024", "photos/2024/", "exports/photos/2024.zip"),
        ("photos/2024/", "photos/2024/", "exports/photos/2024.zip"),
        ("/photos/", "photos/", "exports/photos.zip"),
        ("", "", "exports/files.zip"),
        ("/", "", "exports/files.zip"),
        ("s3://bucket/base/photos/2024", "photos/2024/", "exports/photos/2024.zip"),
        ("s3://bucket/base/photos/", "photos/", "exports/photos.zip"),
        ("s3://bucket/base", "", "exports/files.zip"),
        ("s3://bucket/base/", "", "exports/files.zip"),
    ],
)
def test_a_folder_is_named_in_many_ways(folder: str, prefix: str, key: str) -> None:
    wish = Wish.of_folder(folder, S3)

    assert (wish.prefix, wish.key) == (prefix, key)


@pytest.mark.parametrize(
    ("folder", "options"),
    [
        ("s3://bucket/other/", S3),
        ("s3://bucket/baseline/", S3),
        ("s3://bucket/", S3),
        ("s3://other/base/photos", S3),
        ("https://bucket/base/photos", S3),
        ("s3://bucket/base/photos", LOCAL),
        ("file:///srv/files/photos", LOCAL),
    ],
)
def test_a_folder_elsewhere_is_refused(folder: str, options: ArchiveOptions) -> None:
    with pytest.raises(BadRequest, match="is not in the store of this server"):
        Wish.of_folder(folder, options)


def test_no_folder_leads_out_of_the_store() -> None:
    with pytest.raises(BadKey):
        Wish.of_folder("s3://bucket/base/../other", S3)


def test_what_is_not_told_is_the_operators_choice() -> None:
    wish = Wish.from_json('{"prefix": "a", "link": null, "tags": null, "key": null}', S3)
    other = Wish.from_json('{"prefix": "a", "link": "direct", "link_expiry": 5}', S3)

    assert (wish.link, wish.link_expiry, wish.overwrite, wish.tags) == ("presigned", 60.0, True, {})
    assert (other.link, other.link_expiry) == ("direct", 5.0)


def test_where_no_folder_is_kept_for_archives_they_lie_beside() -> None:
    assert Wish.of_folder("a/b", ArchiveOptions(exports="")).key == "a/b.zip"


@given(
    st.builds(
        Wish,
        prefix=st.text(),
        key=st.text(),
        overwrite=st.booleans(),
        tags=st.dictionaries(st.text(), st.text()),
        link=st.sampled_from(["direct", "presigned", "public"]),
        link_expiry=st.floats(1, 604_800),
    )
)
def test_a_wish_is_kept_as_json(wish: Wish) -> None:
    kept = Wish.from_spec(json.loads(json.dumps(wish.to_spec())))

    assert kept == wish
    assert kept.digest("store", "folder") == wish.digest("store", "folder")


def test_the_digest_names_everything_but_the_link() -> None:
    def digest(store: str = "store", folder: str = "folder", **more: object) -> str:
        return Wish.of_folder("a", LOCAL, **more).digest(store, folder)  # type: ignore[arg-type]

    same = {digest(), digest(link="public"), digest(link_expiry=1.0), digest(tags={})}
    others = {
        digest(store="other"),
        digest(folder="other"),
        digest(key="b.zip"),
        digest(overwrite=False),
        digest(tags={"a": "b"}),
    }

    assert len(same) == 1
    assert len(others - same) == 5
