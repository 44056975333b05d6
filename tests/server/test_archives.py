"""``/v1/archives``: folders that become ZIPs inside the store, in the background."""

import asyncio
import hashlib
import json
import os
import zipfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from isal.isal_zlib import crc32

from penstock.archives.in_store import archiver
from tests.server.archiving import (
    ArchiveJson,
    Gate,
    archived,
    ask,
    begin,
    ended,
    hasten,
    log,
    look,
    plan,
    standing,
    uploads_left,
)
from tests.server.asking import contents
from tests.server.conftest import Api, StartApi
from tests.zipstream.corpus import Corpus, File
from tests.zipstream.readers import READERS

MIB = 1 << 20
LARGE = os.urandom(3 * MIB + 1)
PHOTOS = {
    "photos/2024/a.jpg": b"a",
    "photos/2024/b.raw": LARGE,
    "photos/2024/sub/c.txt": b"c" * 1000,
    "photos/2024/sub/empty": b"",
}
"""What the tests archive; names in the ZIP begin at ``2024/``."""


@pytest.fixture(params=["local", "memory"])
async def api(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Api:
    """A server on a local folder, and one on memory."""
    hasten(monkeypatch)
    return await start_api(**({"store": "memory://"} if request.param == "memory" else {}))


@pytest.fixture
async def local(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server on a local folder."""
    hasten(monkeypatch)
    return await start_api()


async def store(api: Api, files: Mapping[str, bytes] = PHOTOS) -> None:
    for key, content in files.items():
        await api.put(quote(key), content)


def files(tmp_path: Path) -> Path:
    """Where a local server has its files."""
    return tmp_path / "data" / "files"


async def fetched(api: Api, archive: ArchiveJson) -> bytes:
    return await api.get(archive["link"])


async def found(api: Api, archive: ArchiveJson) -> dict[str, bytes]:
    """The members of an archive that is done."""
    return contents(await fetched(api, archive))


def members(files: Mapping[str, bytes], base: str = "photos/") -> dict[str, bytes]:
    """What must be in the ZIP of these files."""
    return {key.removeprefix(base): content for key, content in files.items()}


async def test_a_folder_becomes_the_zip_that_was_planned(api: Api) -> None:
    await store(api, {**PHOTOS, "photos/2025/later": b"x", "photos/2024.txt": b"x"})
    planned = await plan(api, "photos/2024/")

    response, body = await api.call(
        "POST", "/v1/archives", b'{"prefix": "photos/2024/"}', Content_Type="application/json"
    )
    begun = json.loads(body)
    done = await ended(api, begun)

    assert response.status == 202
    assert response.headers["Location"] == f"/v1/archives/{begun['id']}"
    assert (begun["state"], begun["archive"], begun["link"]) == ("waiting", None, None)
    assert done["key"] == planned["key"] == "exports/photos/2024.zip"
    assert (done["state"], done["attempts"], done["error"]) == ("done", 1, None)
    assert done["done"] == done["size"] == planned["size"]
    assert (done["files_done"], done["files"], done["members"]) == (4, 4, 4)
    assert (planned["files"], planned["folders"]) == (4, 0)
    assert planned["bytes"] == sum(map(len, PHOTOS.values()))
    assert done["usage"] == planned["usage"]
    assert (done["parts"], done["copied"], done["cost"]) == (planned["parts"], 0, planned["cost"])
    assert await found(api, done) == members(PHOTOS)


async def test_what_is_told_of_the_zip_is_true(local: Api) -> None:
    await store(local)

    done = await archived(local, "photos/2024")
    content = await fetched(local, done)

    file = done["archive"]
    assert file["size"] == done["size"] == len(content)
    assert file["crc32"] == f"{crc32(content):08x}"
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert (file["content_type"], file["url"]) == ("application/zip", done["link"])
    assert done["seconds"] >= 0
    assert done["link_expires"] is None


async def test_the_key_may_be_given(local: Api) -> None:
    await store(local)

    done = await archived(local, "photos/2024", key="handed over/all.zip")

    assert done["archive"]["key"] == "handed over/all.zip"
    assert await found(local, done) == members(PHOTOS)


ODD = [
    *("a b.txt", "été.txt", "日本語.jpg", "100%.txt", "#1?.txt", "a+b&c=d", "'q'\".txt", "dots..."),
    *("con", "back\\slash", "e\u0301.txt", "é.txt", "-rf", "~", "Upper", "upper", "x" * 250, "💾"),
    *("sub/inner", "sub.txt"),
]


@pytest.mark.parametrize("reader", READERS)
async def test_every_reader_opens_it_whatever_the_names(
    local: Api, tmp_path: Path, reader: str
) -> None:
    odd = {f"odd/{name}": name.encode() * 100 for name in ODD}
    await store(local, odd)
    (files(tmp_path) / "odd" / "nothing here").mkdir()
    sorted_files = [
        File(key, odd.get(key, b"")) for key in sorted([*odd, "odd/nothing here/"], key=str.encode)
    ]

    done = await archived(local, "odd")
    path = tmp_path / "odd.zip"
    path.write_bytes(await fetched(local, done))

    assert (done["files"], done["members"]) == (len(ODD), len(ODD) + 1)
    READERS[reader](path, Corpus(sorted_files))


async def test_empty_folders_are_in_it(local: Api, tmp_path: Path) -> None:
    await store(local, {"docs/a/file": b"x"})
    for folder in ("docs/b/c", "docs/d", "docs.d"):
        (files(tmp_path) / folder).mkdir(parents=True)

    planned = await plan(local, "docs/")
    done = await archived(local, "docs/")

    assert (planned["files"], planned["folders"]) == (1, 2)
    assert (done["files_done"], done["files"], done["members"]) == (1, 1, 3)
    assert done["size"] == planned["size"]
    assert await found(local, done) == {"docs/a/file": b"x", "docs/b/c/": b"", "docs/d/": b""}


async def test_a_folder_is_not_mixed_up_with_what_begins_likewise(local: Api) -> None:
    await store(local, {"docs/a": b"1", "docs2/b": b"2", "docs.txt": b"3"})

    assert await found(local, await archived(local, "docs")) == {"docs/a": b"1"}


async def test_everything_can_be_archived_but_other_archives(api: Api) -> None:
    await store(api, {"a": b"1", "b/c": b"2"})
    first = await archived(api, "")

    again = await archived(api, "b")
    all_of_it = await ask(api, {"prefix": "/"})
    archives = await archived(api, "exports/", key="exports/all.zip")

    assert first["key"] == "exports/files.zip"
    assert await found(api, first) == {"a": b"1", "b/c": b"2"}
    assert (all_of_it[0], all_of_it[1]["id"]) == (200, first["id"])
    assert (await found(api, archives)).keys() == {"exports/files.zip", "exports/b.zip"}
    assert again["state"] == "done"


async def test_an_archive_inside_of_its_folder_is_not_in_itself(local: Api) -> None:
    await store(local)
    wish: dict[str, Any] = {"prefix": "photos/2024", "key": "photos/2024/all.zip"}

    first = await archived(local, **wish)
    status, same = await ask(local, wish)
    await local.put("photos/2024/new", b"new")
    second = await archived(local, **wish)

    assert (status, same["id"]) == (200, first["id"])
    assert await found(local, second) == members({**PHOTOS, "photos/2024/new": b"new"})


async def test_the_same_request_is_the_same_archive(api: Api, monkeypatch: Any) -> None:
    await store(api)
    gate = Gate(monkeypatch, api.services.store, "photos/2024/b.raw")

    asked = await asyncio.gather(*(begin(api, "photos/2024/") for _ in range(10)))
    gate.open()
    done = await ended(api, asked[0])
    status, again = await ask(api, {"prefix": "/photos/2024", "link": "public"})

    assert {archive["id"] for archive in asked} == {done["id"]}
    assert (status, again["id"], again["archive"]) == (200, done["id"], done["archive"])


@pytest.mark.parametrize(
    "more", [{"key": "other.zip"}, {"tags": {"team": "a"}}, {"overwrite": False, "key": "new.zip"}]
)
async def test_another_request_is_another_archive(local: Api, more: dict[str, Any]) -> None:
    await store(local)
    first = await archived(local, "photos/2024")

    second = await archived(local, "photos/2024", **more)

    assert second["id"] != first["id"]
    assert second["tags"] == more.get("tags", {})
    assert await found(local, second) == members(PHOTOS)


@pytest.mark.parametrize("change", ["a new file", "another content", "one less"])
async def test_of_a_changed_folder_there_is_a_new_archive(api: Api, change: str) -> None:
    await store(api)
    first = await archived(api, "photos/2024")
    now = dict(PHOTOS)
    if change == "one less":
        await api.call("DELETE", "/v1/files/photos/2024/a.jpg")
        del now["photos/2024/a.jpg"]
    else:
        key = "photos/2024/a.jpg" if change == "another content" else "photos/2024/new"
        await api.put(key, b"z")
        now[key] = b"z"

    second = await archived(api, "photos/2024")

    assert second["id"] != first["id"]
    assert await found(api, second) == members(now)


@pytest.mark.parametrize("loss", ["deleted", "overwritten"])
async def test_an_archive_that_was_lost_is_made_again(api: Api, loss: str) -> None:
    await store(api)
    first = await archived(api, "photos/2024")
    if loss == "deleted":
        await api.call("DELETE", first["link"])
    else:
        await api.put(first["key"], b"not a ZIP")

    second = await archived(api, "photos/2024")

    assert second["id"] != first["id"]
    assert await found(api, second) == members(PHOTOS)


async def test_an_archive_that_is_too_old_is_made_again(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    api = await start_api(archive_valid=0)
    await store(api)
    first = await archived(api, "photos/2024")

    assert (await archived(api, "photos/2024"))["id"] != first["id"]


async def test_nothing_is_replaced_that_must_not_be(api: Api) -> None:
    await store(api, {**PHOTOS, "kept.zip": b"mine"})
    wish = {"prefix": "photos/2024", "key": "kept.zip", "overwrite": False}

    status, problem = await ask(api, wish)
    _, body = await api.call("GET", "/v1/archives")

    assert (status, problem["code"]) == (412, "precondition-failed")
    assert await api.get("/v1/files/kept.zip") == b"mine"
    [refused] = json.loads(body)["archives"]
    assert (await ended(api, refused))["state"] == "cancelled"


async def test_what_came_meanwhile_is_not_replaced_either(
    local: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(local)
    gate = Gate(monkeypatch, local.services.store, "photos/2024/b.raw")
    begun = await begin(local, "photos/2024", key="mine.zip", overwrite=False)
    await gate.wait()
    await local.put("mine.zip", b"mine")
    gate.open()

    failed = await ended(local, begun)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "precondition-failed")
    assert await local.get("/v1/files/mine.zip") == b"mine"


@pytest.mark.parametrize("key", ["photos/2024", "photos/2024/a.jpg/all.zip"])
async def test_where_no_file_can_be_nothing_is_stored(api: Api, key: str) -> None:
    await store(api)

    failed = await archived(api, "photos/2024", key=key)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "key-conflict")
    assert await uploads_left(api, failed) == 0


BAD: list[tuple[Any, str]] = [
    ([], "send a JSON object"),
    ({}, 'with "prefix"'),
    ({"prefix": 1}, '"prefix" must be a string'),
    ({"prefix": None}, '"prefix" must be a string'),
    ({"prefix": "\ud800"}, '"prefix" must be a string of Unicode'),
    ({"prefix": "a/../b"}, "'..' segment"),
    ({"prefix": "../a"}, "'..' segment"),
    ({"prefix": "a//b"}, "empty segment"),
    ({"prefix": "a\0b"}, "control character"),
    ({"prefix": ".penstock"}, "reserved"),
    ({"prefix": "s3://bucket/folder/"}, "is not in the store of this server"),
    ({"prefix": "file:///etc/"}, "is not in the store of this server"),
    ({"prefix": "a", "key": "../b.zip"}, "'..' segment"),
    ({"prefix": "a", "key": "b/"}, "empty segment"),
    ({"prefix": "a", "key": 7}, '"key" must be a string'),
    ({"prefix": "a", "overwrite": "no"}, '"overwrite" is true or false'),
    ({"prefix": "a", "tags": ["a"]}, '"tags" is an object of strings'),
    ({"prefix": "a", "tags": {"a": 1}}, '"tags" is an object of strings'),
    ({"prefix": "a", "tags": {"a": "\ud800"}}, '"tags" is an object of strings of Unicode'),
    ({"prefix": "a", "tags": {"": "x"}}, "the name of a tag has 1 to 128 characters"),
    ({"prefix": "a", "tags": {"x" * 129: "x"}}, "the name of a tag has 1 to 128 characters"),
    ({"prefix": "a", "tags": {"a": "x" * 257}}, "its value up to 256"),
    ({"prefix": "a", "tags": {str(i): "" for i in range(11)}}, "may have 10 tags"),
    ({"prefix": "a", "link": "magic"}, '"link" is one of direct, presigned, public'),
    ({"prefix": "a", "link": {}}, '"link" is one of'),
    ({"prefix": "a", "link_expiry": 0}, "from 1 to 604800 seconds"),
    ({"prefix": "a", "link_expiry": 604_801}, "from 1 to 604800 seconds"),
    ({"prefix": "a", "link_expiry": True}, "is a number of seconds"),
    ({"prefix": "a", "link_expiry": float("nan")}, "from 1 to 604800 seconds"),
    ({"prefix": "a", "compress": True}, "send a JSON object"),
]


@pytest.mark.parametrize("path", ["/v1/archives", "/v1/archives/plan"])
async def test_what_cannot_be_is_told(local: Api, path: str) -> None:
    await store(local, {"a/file": b"x"})

    for wish, text in BAD:
        status, problem = await ask(local, wish, path)
        assert (status, text in problem["detail"]) == (400, True), (wish, problem)


async def test_what_is_no_json_is_not_read(local: Api) -> None:
    async def status(body: bytes, kind: str = "application/json") -> int:
        return (await local.call("POST", "/v1/archives", body, Content_Type=kind))[0].status

    assert await status(b"{") == 400
    assert await status(b"[" * 10_000) == 400
    assert await status(b"\xff") == 400
    assert await status(b'{"prefix": "a"}', "text/plain") == 415
    assert await status(b'{"prefix": "%s"}' % (b"a" * 70_000)) == 413


async def test_a_page_of_another_site_cannot_begin_an_archive(local: Api) -> None:
    response, _ = await local.call(
        *("POST", "/v1/archives", b'{"prefix": "a"}'),
        Content_Type="application/json",
        Origin="https://evil.example",
    )

    assert response.status == 403


@pytest.mark.parametrize("path", ["/v1/archives", "/v1/archives/plan"])
async def test_a_folder_with_nothing_in_it_is_not_found(
    local: Api, tmp_path: Path, path: str
) -> None:
    await store(local, {"file": b"x", "exports/old.zip": b"x"})
    (files(tmp_path) / "empty").mkdir()

    for prefix in ("nothing", "file", "empty/"):
        status, problem = await ask(local, {"prefix": prefix}, path)
        assert (status, problem["code"]) == (404, "not-found")
        assert f"'{prefix.rstrip('/')}/'" in problem["detail"]


async def test_a_folder_with_too_many_files_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_zip_entries=3)
    await store(api)

    status, problem = await ask(api, {"prefix": "photos"})

    assert (status, problem["code"]) == (413, "too-large")
    assert "more than 3 files" in problem["detail"]


async def test_larger_folders_have_a_lane_of_their_own(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    api = await start_api(archive_threshold=1000)
    await store(api)

    larger, smaller = await archived(api, "photos"), await archived(api, "photos/2024/sub")

    assert (larger["lane"], smaller["lane"]) == ("large", "small")
    assert (await plan(api, "photos"))["lane"] == "large"


async def test_where_the_store_has_no_links_the_server_is_linked_to(local: Api) -> None:
    await store(local)

    for link in ("direct", "presigned", "public"):
        done = await archived(local, "photos/2024", key=f"{link}.zip", link=link, link_expiry=60)
        assert (done["link"], done["link_expires"]) == (f"/v1/files/{link}.zip", None)


async def test_files_that_nobody_has_digested_are_archived(local: Api, tmp_path: Path) -> None:
    for key, content in PHOTOS.items():
        path = files(tmp_path) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    done = await archived(local, "photos/2024")

    assert await found(local, done) == members(PHOTOS)


@pytest.mark.parametrize("key", ["photos/2024/b.raw", "photos/2024/sub/c.txt"])
async def test_bytes_that_went_bad_are_not_archived(
    local: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(archiver, "MOST_BEGINNINGS", 2)
    await store(local)
    path = files(tmp_path) / key
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"BAD")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    failed = await archived(local, "photos/2024")

    assert (failed["state"], failed["error"]["code"]) == ("failed", "source-changed")
    assert (await local.call("GET", f"/v1/files/{failed['key']}"))[0].status == 404


async def test_cancelling_leaves_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await store(api)
    gate = Gate(monkeypatch, api.services.store, "photos/2024/b.raw")
    begun = await begin(api, "photos/2024")
    await gate.wait()
    before = await uploads_left(api, begun)

    response, body = await api.call("DELETE", f"/v1/archives/{begun['id']}")
    again, _ = await api.call("DELETE", f"/v1/archives/{begun['id']}")
    gate.open()

    assert (response.status, json.loads(body)["state"]) == (200, "cancelled")
    assert again.status == 200
    assert (before, await uploads_left(api, begun)) == (1, 0)
    assert (await api.call("GET", f"/v1/files/{begun['key']}"))[0].status == 404
    incoming = files(tmp_path) / ".penstock" / "incoming"
    assert not [file for file in incoming.rglob("*") if file.stat().st_size]


async def test_a_cancelled_archive_can_be_tried_again(
    local: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(local)
    gate = Gate(monkeypatch, local.services.store, "photos/2024/b.raw")
    begun = await begin(local, "photos/2024")
    await gate.wait()
    await local.call("DELETE", f"/v1/archives/{begun['id']}")
    gate.open()

    response, _ = await local.call("POST", f"/v1/archives/{begun['id']}/retry")
    done = await ended(local, begun)

    assert (response.status, done["state"]) == (202, "done")
    assert await found(local, done) == members(PHOTOS)


async def test_what_is_done_can_be_neither_cancelled_nor_tried_again(local: Api) -> None:
    await store(local)
    done = await archived(local, "photos/2024")

    cancelled, _ = await local.call("DELETE", f"/v1/archives/{done['id']}")
    retried, _ = await local.call("POST", f"/v1/archives/{done['id']}/retry")

    assert (cancelled.status, retried.status) == (409, 409)
    assert await found(local, done) == members(PHOTOS)


@pytest.mark.parametrize("change", ["replaced", "deleted"])
@pytest.mark.parametrize("key", ["photos/2024/b.raw", "photos/2024/sub/c.txt"])
async def test_a_file_that_changes_before_it_was_read_makes_it_begin_anew(
    api: Api, monkeypatch: pytest.MonkeyPatch, key: str, change: str
) -> None:
    await store(api)
    gate = Gate(monkeypatch, api.services.store, key)
    begun = await begin(api, "photos/2024")
    await gate.wait()
    now = {**PHOTOS, key: b"another"}
    if change == "replaced":
        await api.put(key, b"another")
    else:
        await api.call("DELETE", f"/v1/files/{key}")
        del now[key]
    gate.open()

    done = await ended(api, begun)

    assert (done["state"], done["attempts"]) == ("done", 2)
    assert await found(api, done) == members(now)
    assert done["size"] == done["archive"]["size"]
    assert done["files"] == len(now)
    assert any(line.startswith("begins anew: ") for line in await log(api, done))
    assert await uploads_left(api, done) == 0


async def test_a_file_that_was_read_already_is_in_it_as_it_was_listed(
    local: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(local, {"two/a": LARGE, "two/b": LARGE[1:]})
    gate = Gate(monkeypatch, local.services.store, "two/b")
    begun = await begin(local, "two")
    await gate.wait()
    await local.put("two/a", b"another")
    gate.open()

    done = await ended(local, begun)
    later = await archived(local, "two")

    assert done["attempts"] == 1
    assert (await found(local, later))["two/a"] == b"another"
    assert later["id"] != done["id"]


async def test_a_folder_that_is_emptied_meanwhile_is_not_found(
    local: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(local, {"one/file": b"x"})
    gate = Gate(monkeypatch, local.services.store, "one/file")
    begun = await begin(local, "one")
    await gate.wait()
    await local.call("DELETE", "/v1/files/one/file")
    gate.open()

    failed = await ended(local, begun)
    await local.put("one/file", b"back")
    await local.call("POST", f"/v1/archives/{begun['id']}/retry")
    done = await ended(local, begun)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "not-found")
    assert (done["state"], done["error"]) == ("done", None)
    assert await found(local, done) == {"one/file": b"back"}


async def test_a_folder_that_changes_all_the_time_is_given_up(
    local: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiver, "MOST_BEGINNINGS", 3)
    await store(local)
    read, versions = local.services.store.read, iter(range(100))

    async def change(key: str, *span: Any, **etag: Any) -> Any:
        if key == "photos/2024/b.raw":
            await local.put(key, b"%d" % next(versions))
        async for data in read(key, *span, **etag):
            yield data

    monkeypatch.setattr(local.services.store, "read", change)

    failed = await archived(local, "photos/2024")
    monkeypatch.setattr(local.services.store, "read", read)
    left = await uploads_left(local, failed)
    await local.call("POST", f"/v1/archives/{failed['id']}/retry")
    done = await ended(local, failed)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "source-changed")
    assert (failed["attempts"], left, done["state"]) == (3, 0, "done")
    assert (await found(local, done)).keys() == members(PHOTOS).keys()


async def test_a_server_that_closes_leaves_its_archives_to_the_next(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    first = await start_api()
    await store(first)
    Gate(monkeypatch, first.services.store, "photos/2024/sub/c.txt")
    begun = await begin(first, "photos/2024")
    await standing(first, begun, lambda now: now["done"] > len(LARGE))

    await first.services.worker.close()
    waiting = await look(first, begun)
    second = await start_api()
    done = await ended(second, begun)

    assert (waiting["state"], done["state"]) == ("waiting", "done")
    assert any(line.startswith("goes on at byte ") for line in await log(second, done))
    assert await found(second, done) == members(PHOTOS)


async def test_archives_are_listed_the_newest_first(local: Api) -> None:
    await store(local)
    made = [await archived(local, "photos", key=f"{number}.zip") for number in range(3)]

    first = json.loads(await local.get("/v1/archives?limit=2"))
    rest = json.loads(await local.get(f"/v1/archives?limit=2&after={first['next']}"))

    listed = [archive["key"] for archive in first["archives"] + rest["archives"]]
    assert listed == ["2.zip", "1.zip", "0.zip"]
    assert (first["next"], rest["next"]) == (made[1]["id"], None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/archives/nothing"),
        ("GET", "/v1/archives/plan"),
        ("GET", "/v1/archives/%00"),
        ("GET", "/v1/archives/nothing/events"),
        ("HEAD", "/v1/archives/nothing/events"),
        ("DELETE", "/v1/archives/nothing"),
        ("POST", "/v1/archives/nothing/retry"),
    ],
)
async def test_an_archive_that_nobody_knows_is_not_found(
    local: Api, method: str, path: str
) -> None:
    assert (await local.call(method, path))[0].status == 404


async def test_a_pull_is_no_archive_and_an_archive_no_pull(local: Api) -> None:
    await store(local)
    done = await archived(local, "photos")
    job, _ = await local.services.jobs.enqueue("tidy", {}, lane="nobody's")

    pull, _ = await local.call("GET", f"/v1/pulls/{done['id']}")
    archive, _ = await local.call("GET", f"/v1/archives/{job.id}")

    assert (pull.status, archive.status) == (404, 404)


async def test_the_zip_can_be_read_as_any_file(local: Api, tmp_path: Path) -> None:
    await store(local)
    done = await archived(local, "photos/2024")

    with zipfile.ZipFile(files(tmp_path) / done["key"]) as archive:
        times = {info.date_time for info in archive.infolist()}

    part = await local.get(done["link"], Range="bytes=0-3")
    assert part == b"PK\x03\x04"
    assert all(time[0] >= 2020 for time in times)


async def test_a_few_folders_at_a_time_are_listed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.put("f/a", b"a")
    store, listing, most, four = api.services.store, 0, 0, asyncio.Event()
    scan = store.scan

    async def counted(prefix: str = "", *, folders: bool = False) -> AsyncGenerator[Any, None]:
        nonlocal listing, most
        listing += 1
        most = max(most, listing)
        if listing >= 4:
            four.set()
        await four.wait()
        await asyncio.sleep(0.02)  # more could come meanwhile
        async with aclosing(scan(prefix, folders=folders)) as batches:
            async for infos in batches:
                yield infos
        listing -= 1

    monkeypatch.setattr(store, "scan", counted)
    keys = [f"{number}.zip" for number in range(12)]
    async with asyncio.timeout(60):
        planned = await asyncio.gather(*(plan(api, "f/", key=key) for key in keys))

    assert [one["key"] for one in planned] == keys
    assert most == 4
