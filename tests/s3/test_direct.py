"""Uploads whose bytes go past this process, to S3 itself, by links."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from uuid import uuid4

import pytest

from penstock.errors import BadRequest, NotFound, ServerUnavailable, TooLarge
from penstock.stores.s3.metadata import metadata_fields
from penstock.stores.s3.store import S3Store
from tests.s3.files import MIB, content, get, keys
from tests.s3.fixtures import OpenS3
from tests.s3.front import Seen, error, front_of, lose_answer
from tests.s3.servers import S3Server
from tests.s3.test_store import ODD_KEYS
from tests.s3.uploads import calls_to, names_in, uploads_in

# What is shown there does not depend on the server.
on_one = pytest.mark.parametrize("s3_server", ["ministack"], indirect=True)


def sent(
    method: str, url: str, data: bytes, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Status and ETag of the answer."""
    request = urllib.request.Request(url, data, {**(headers or {})}, method=method)
    request.add_header("Content-Type", (headers or {}).get("Content-Type", ""))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, (answer.headers["ETag"] or "").strip('"')
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""


def posted(url: str, fields: Mapping[str, str], data: bytes) -> int:
    """The status of a form with one file, as browsers send it."""
    boundary = uuid4().hex
    texts = [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    head = "".join(
        f"--{boundary}\r\nContent-Disposition: form-data; {text}\r\n"
        for text in [*texts, 'name="file"; filename="blob"\r\nContent-Type: text/plain\r\n']
    )
    body = head.encode() + data + f"\r\n--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return sent("POST", url, body, kind)[0]


async def put_part(store: S3Store, key: str, upload: str, number: int, data: bytes) -> str:
    """Send a part by its link; answers the ETag."""
    (url,) = await store.direct.part_urls(key, upload, [number], 60)
    status, etag = await asyncio.to_thread(sent, "PUT", url, data)
    assert status == 200
    return etag


async def begun(store: S3Store, key: str) -> str:
    return await store.direct.begin(key, "video/mp4", {"camera": "é"})


async def test_parts_that_were_sent_by_links_become_a_file(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    data = content(7 * MIB)
    key = "films/é +1.mp4"
    upload = await begun(store, key)
    etags = [
        (1, await put_part(store, key, upload, 1, data[: 5 * MIB])),
        (2, await put_part(store, key, upload, 2, data[5 * MIB :])),
    ]
    listed = await store.direct.parts(key, upload)

    info = await store.direct.complete(key, upload, etags, 1 << 40)

    assert [(part.number, part.etag) for part in listed] == etags
    assert [part.size for part in listed] == [5 * MIB, 2 * MIB]
    assert (info.key, info.size, info.content_type) == (key, len(data), "video/mp4")
    assert await get(store, key) == data
    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/multipart/") == []


async def test_odd_keys_can_be_sent_by_links(store: S3Store) -> None:
    async def send(key: str) -> bytes:
        upload = await begun(store, key)
        etag = await put_part(store, key, upload, 1, key.encode())
        await store.direct.complete(key, upload, [(1, etag)], 1000)
        return await get(store, key)

    assert await asyncio.gather(*map(send, ODD_KEYS)) == [key.encode() for key in ODD_KEYS]


async def test_an_upload_is_gone_on_with_at_another_server(open_s3: OpenS3) -> None:
    one, other = await open_s3(), await open_s3()
    upload = await begun(one, "a")
    etag = await put_part(one, "a", upload, 1, b"x")

    await other.direct.complete("a", upload, [(1, etag)], 1000)

    assert await get(one, "a") == b"x"
    with pytest.raises(NotFound, match="no such upload"):
        await other.direct.parts("a", upload)


async def test_uploads_of_others_cannot_be_touched(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    async with calls_to(s3_server) as calls:
        foreign = await calls.create(f"{prefix}/a", {})
        ours = await begun(store, "a")

        for key, upload in (("a", foreign), ("b", ours), ("a", "x"), ("a", "../a"), ("a", "\0")):
            with pytest.raises(NotFound):
                await store.direct.parts(key, upload)
            with pytest.raises(NotFound):
                await store.direct.part_urls(key, upload, [1], 60)
            with pytest.raises(NotFound):
                await store.direct.complete(key, upload, [(1, "a" * 32)], 1000)
            with pytest.raises(NotFound):
                await store.direct.abort(key, upload)

        assert await uploads_in(s3_server, prefix) == [f"{prefix}/a"] * 2
        await calls.abort(f"{prefix}/a", foreign)


async def test_an_aborted_upload_leaves_nothing(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    upload = await begun(store, "a")
    (url,) = await store.direct.part_urls("a", upload, [1], 60)

    await store.direct.abort("a", upload)

    assert await uploads_in(s3_server, prefix) == []
    assert await names_in(s3_server, f"{prefix}/.penstock/multipart/") == []
    assert (await asyncio.to_thread(sent, "PUT", url, b"x"))[0] == 404


@on_one
async def test_what_a_browser_left_behind_is_swept(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=2.0)
    upload = await begun(store, "a")
    await put_part(store, "a", upload, 1, b"x")
    until = time.monotonic() + 30

    while await uploads_in(s3_server, prefix):
        assert time.monotonic() < until
        await store.sweep()
        await asyncio.sleep(0.2)

    with pytest.raises(NotFound):
        await (await open_s3()).direct.parts("a", upload)


@on_one
async def test_an_upload_that_is_gone_on_with_gives_signs_of_life(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    store = await open_s3(orphan_age=8.0)  # which asks for one every two seconds
    upload = await begun(store, "a")

    async def noted() -> int:
        async with calls_to(s3_server) as calls:
            [note] = (await calls.list(f"{prefix}/.penstock/multipart/")).objects
        return note.modified_ns

    first, until = await noted(), time.monotonic() + 30
    while await noted() == first:
        assert time.monotonic() < until
        await store.direct.part_urls("a", upload, [1], 60)
        await asyncio.sleep(0.2)

    assert await noted() > first


@pytest.mark.parametrize("parts", [[(1, "0" * 32)], [(7, "0" * 32)], [(1, "x y")]])
async def test_parts_that_did_not_come_make_no_file(
    store: S3Store, parts: list[tuple[int, str]]
) -> None:
    upload = await begun(store, "a")
    etag = await put_part(store, "a", upload, 1, b"x")

    with pytest.raises(BadRequest):
        await store.direct.complete("a", upload, parts, 1000)
    await store.direct.complete("a", upload, [(1, etag)], 1000)

    assert await get(store, "a") == b"x"


async def test_a_file_over_the_limit_is_dropped(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    upload = await begun(store, "a")
    etag = await put_part(store, "a", upload, 1, bytes(1001))

    with pytest.raises(TooLarge, match="1,000 bytes"):
        await store.direct.complete("a", upload, [(1, etag)], 1000)

    assert await uploads_in(s3_server, prefix) == []
    assert await keys(store) == []


def _completes(seen: Seen) -> bool:
    return seen.method == "POST" and "uploadId=" in seen.query


async def test_the_answer_to_the_last_request_may_be_lost(
    open_s3: OpenS3, s3_server: S3Server
) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url)
        upload = await begun(store, "a")
        etag = await put_part(store, "a", upload, 1, b"x")
        front.wrong(_completes, lose_answer())

        info = await store.direct.complete("a", upload, [(1, etag)], 1000)

        assert front.count(_completes) >= 2
        assert info.size == 1


@pytest.mark.parametrize("s3_server", ["swift"], indirect=True)  # whose limits are lower
async def test_metadata_that_s3_refuses_is_said(store: S3Store) -> None:
    for metadata in ({"camera": "x" * 2000}, {f"camera{number}": "x" for number in range(200)}):
        with pytest.raises(BadRequest, match="does not take the metadata"):
            await store.direct.begin("a", "", metadata)


async def test_who_lost_the_answer_may_ask_again(store: S3Store) -> None:
    upload = await begun(store, "a")
    parts = [(1, await put_part(store, "a", upload, 1, b"x"))]

    first = await store.direct.complete("a", upload, parts, 1000)
    again = await store.direct.complete("a", upload, parts, 1000)

    assert again == first
    with pytest.raises(NotFound):
        await store.direct.complete("a", upload, [(1, "0" * 32)], 1000)


async def test_a_form_stores_a_file_where_the_server_takes_forms(
    store: S3Store, s3_server: S3Server, prefix: str
) -> None:
    key = "docs/é +1.txt"
    form = await store.direct.form(key, "text/plain", {"name": "é"}, 1000, 60)
    if form is None:
        assert s3_server.kind == "swift"
        pytest.skip("Swift takes no forms")

    status = await asyncio.to_thread(posted, form.url, form.fields, b"hello")

    assert status == 201
    assert await get(store, key) == b"hello"
    assert await names_in(s3_server, f"{prefix}/.penstock/form") == []


async def test_fields_of_forms_are_not_to_be_changed(store: S3Store, s3_server: S3Server) -> None:
    form = await store.direct.form("a", "", {}, 1000, 60)
    if form is None:
        pytest.skip("Swift takes no forms")
    other = {**form.fields, "key": f"{form.fields['key']}b"}

    moved = await asyncio.to_thread(posted, form.url, other, b"hello")
    long = await asyncio.to_thread(posted, form.url, form.fields, bytes(1001))

    assert (moved, long) == (403, 400)
    assert await keys(store) == []


async def test_what_s3_would_fill_in_has_no_form(store: S3Store) -> None:
    assert await store.direct.form("a${filename}", "", {}, 1000, 60) is None
    assert await store.direct.form("a", "", {"camera": "${filename}"}, 1000, 60) is None


def _posts(seen: Seen) -> bool:
    return seen.method == "POST" and not seen.query


@on_one
async def test_where_forms_are_never_answered_well_there_are_none(
    open_s3: OpenS3, s3_server: S3Server
) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url, tries=2)
        front.wrong(_posts, error(500, "InternalError"), times=2)

        assert await store.direct.form("a", "", {}, 1000, 60) is None


@on_one
async def test_a_form_that_was_tried_and_whose_answer_was_lost_leaves_nothing(
    open_s3: OpenS3, s3_server: S3Server, prefix: str
) -> None:
    async with front_of(s3_server) as front:
        store = await open_s3(to=front.url, tries=1)
        front.wrong(_posts, lose_answer())

        with pytest.raises(ServerUnavailable):
            await store.direct.form("a", "", {}, 1000, 60)

    assert await names_in(s3_server, f"{prefix}/.penstock/form") == []


@on_one
async def test_the_same_bytes_in_a_form_may_be_of_another_type(store: S3Store) -> None:
    async with await store.write("a") as writer:
        await writer.write(b"hello")
        await writer.commit(content_type="text/x-one")
    form = await store.direct.form("a", "text/x-two", {}, 1000, 60)
    assert form is not None

    await asyncio.to_thread(posted, form.url, form.fields, b"hello")

    info = await store.stat("a")
    assert (info.content_type, info.sha256) == ("text/x-two", sha256(b"hello").digest())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain text", "plain text"),
        ("", ""),
        ("é", "=?UTF-8?B?w6k=?="),
        (" a ", "=?UTF-8?B?IGEg?="),
        ("a\r\nX: y", "=?UTF-8?B?YQ0KWDogeQ==?="),
        ("=?x", "=?UTF-8?B?PT94?="),
    ],
)
def test_metadata_is_written_in_ascii(value: str, written: str) -> None:
    assert metadata_fields({"Name": value}) == {"x-amz-meta-name": written}


@pytest.mark.parametrize(
    "metadata",
    [
        {"a b": ""},
        {"": ""},
        {"a\r\nb": ""},
        {"Penstock-SHA256": ""},
        {"penstock_write": ""},
        {"a": "x" * 2048},
    ],
)
def test_metadata_that_cannot_be_is_refused(metadata: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        metadata_fields(metadata)
