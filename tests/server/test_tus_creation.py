"""tus 1.0, creation: with and without bytes, with and without a length; metadata."""

import hashlib

import pytest

from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import (
    DATA,
    OCTETS,
    VERSION,
    arrived,
    begin,
    code_of,
    create,
    half_sent,
    head,
    let_go,
    metadata,
    offset_of,
    patch,
    sha1,
    status_of,
    stored,
)


def post_head(length: int, *more: str) -> str:
    """The head of a ``POST`` that announces ``length`` bytes of an upload."""
    lines = [
        "POST /v1/uploads HTTP/1.1",
        f"Content-Type: {OCTETS}",
        f"Content-Length: {length}",
        *more,
    ]
    return "\r\n".join(lines)


async def test_a_creation_answers_where_the_upload_is(api: Api) -> None:
    response = await create(api, Upload_Length="5", Upload_Metadata=metadata(filename="a"))

    assert response.status == 201
    assert response.headers["Location"].startswith("/v1/uploads/")
    assert await offset_of(api, response.headers["Location"]) == 0


async def test_ids_cannot_be_guessed(api: Api) -> None:
    ids = {(await begin(api, 5)).rpartition("/")[2] for _ in range(20)}

    assert len(ids) == 20
    assert all(len(found) >= 22 for found in ids)  # 128 bits in Base64


async def test_an_upload_of_no_bytes_is_complete_at_once(api: Api) -> None:
    response = await create(api, Upload_Length="0", Upload_Metadata=metadata(filename="empty"))

    assert response.status == 201
    assert response.headers["Upload-Offset"] == "0"
    assert response.headers["Content-Location"] == "/v1/files/empty"
    assert await stored(api, "empty") == b""


@pytest.mark.parametrize("length", ["", "-1", "1.5", "five", "0x10", "5, 5"])
async def test_a_length_that_is_no_number_is_refused(api: Api, length: str) -> None:
    response = await create(api, Upload_Length=length)

    assert response.status == 400


async def test_a_creation_needs_a_length_or_its_deferral(api: Api) -> None:
    neither = await create(api)
    both = await create(api, Upload_Length="5", Upload_Defer_Length="1")

    assert (neither.status, both.status) == (400, 400)


async def test_more_than_the_server_takes_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")

    over = await create(api, Upload_Length="1025")
    far_over = await create(api, Upload_Length="9" * 30)
    just = await create(api, Upload_Length="1024")

    assert (over.status, far_over.status, just.status) == (413, 413, 201)


async def test_more_open_uploads_than_allowed_are_told_to_come_back(start_api: StartApi) -> None:
    api = await start_api(max_uploads=2)
    await begin(api, 5)
    await begin(api, 5)

    response = await create(api, Upload_Length="5")

    assert response.status == 503


async def test_another_sites_page_cannot_begin_an_upload(api: Api) -> None:
    response = await create(api, Upload_Length="5", Origin="http://elsewhere.example")

    assert response.status == 403


# --- creation-with-upload ----------------------------------------------------------------------


async def test_a_creation_takes_the_first_bytes(api: Api) -> None:
    response = await create(api, DATA[:1000], Upload_Length=str(len(DATA)))

    assert (response.status, response.headers["Upload-Offset"]) == (201, "1000")
    assert await offset_of(api, response.headers["Location"]) == 1000


async def test_a_creation_can_take_them_all(api: Api) -> None:
    response = await create(
        api, DATA, Upload_Length=str(len(DATA)), Upload_Metadata=metadata(filename="a")
    )

    assert (response.status, response.headers["Upload-Offset"]) == (201, str(len(DATA)))
    assert response.headers["Content-Location"] == "/v1/files/a"
    assert await stored(api, "a") == DATA


async def test_first_bytes_of_another_type_are_refused(api: Api) -> None:
    response = await create(api, b"hello", Upload_Length="5", Content_Type="text/plain")

    assert response.status == 415


async def test_more_first_bytes_than_the_length_are_refused(api: Api) -> None:
    response = await create(
        api, b"hello!", Upload_Length="5", Upload_Metadata=metadata(filename="a")
    )

    assert response.status == 413
    assert await api.services.uploads.open_for("a") == []


async def test_a_creation_is_told_to_continue(api: Api) -> None:
    lines = ["Upload-Length: 5", "Expect: 100-continue"]

    async with half_sent(api.port, post_head(5, *lines)) as (reader, writer):
        assert await status_of(reader) == 100
        await reader.readline()
        writer.write(b"hello")
        assert await status_of(reader) == 201


async def test_a_refused_creation_never_sends_its_bytes(api: Api) -> None:
    lines = ["Upload-Length: nonsense", "Expect: 100-continue"]

    async with half_sent(api.port, post_head(5, *lines)) as (reader, _):
        assert await status_of(reader) == 400


async def test_first_bytes_that_break_off_are_kept(api: Api) -> None:
    named = f"Upload-Metadata: {metadata(filename='broken')}"

    async with half_sent(api.port, post_head(100, "Upload-Length: 100", named), b"hello"):
        await arrived(api, 5)
    await let_go(api)

    (upload,) = await api.services.uploads.open_for("broken")
    assert upload.offset == 5
    await patch(api, f"/v1/uploads/{upload.id}", 5, bytes(95))
    assert await stored(api, "broken") == b"hello" + bytes(95)


async def test_first_bytes_that_stall_are_kept_and_the_answer_says_where(
    start_api: StartApi,
) -> None:
    api = await start_api(stall_timeout=0.3)

    async with half_sent(api.port, post_head(100, "Upload-Length: 100"), b"hello") as (reader, _):
        assert await status_of(reader) == 408
        fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")

    named = dict(field.split(": ", 1) for field in fields if field)
    assert "Location" not in named
    assert await offset_of(api, named["Content-Location"]) == 5


async def test_first_bytes_are_held_against_their_checksum(api: Api) -> None:
    good = await create(api, b"hello", Upload_Length="10", Upload_Checksum=sha1(b"hello"))
    bad = await create(
        api,
        b"hello",
        Upload_Length="10",
        Upload_Checksum=sha1(b"other"),
        Upload_Metadata=metadata(filename="bad"),
    )

    assert (good.status, good.headers["Upload-Offset"]) == (201, "5")
    assert bad.status == 460
    (upload,) = await api.services.uploads.open_for("bad")
    assert upload.offset == 0


# --- creation-defer-length ---------------------------------------------------------------------


async def test_the_length_can_come_later(api: Api) -> None:
    url = await begin(api, None)
    before = await head(api, url)

    await patch(api, url, 0, b"hello")
    await patch(api, url, 5, b"", Upload_Length="10")
    after = await head(api, url)
    await patch(api, url, 5, b"world")

    assert before.headers["Upload-Defer-Length"] == "1"
    assert "Upload-Length" not in before.headers
    assert after.headers["Upload-Length"] == "10"
    assert "Upload-Defer-Length" not in after.headers
    assert await stored(api) == b"helloworld"


async def test_the_length_can_come_with_the_last_bytes(api: Api) -> None:
    url = await begin(api, None)

    response = await patch(api, url, 0, b"hello", Upload_Length="5")

    assert response.headers["Content-Location"] == "/v1/files/file.bin"
    assert await stored(api) == b"hello"


async def test_the_length_can_come_after_the_last_bytes(api: Api) -> None:
    url = await begin(api, None)
    await patch(api, url, 0, b"hello")

    response = await patch(api, url, 5, b"", Upload_Length="5")

    assert response.status == 204
    assert await stored(api) == b"hello"


@pytest.mark.parametrize("value", ["0", "2", "true", "", "1, 1"])
async def test_a_deferral_can_only_be_1(api: Api, value: str) -> None:
    response = await create(api, Upload_Defer_Length=value)

    assert response.status == 400


async def test_a_length_once_told_stays(api: Api) -> None:
    url = await begin(api, None)
    await patch(api, url, 0, b"hello", Upload_Length="10")

    other = await patch(api, url, 5, b"w", Upload_Length="11")
    same = await patch(api, url, 5, b"world", Upload_Length="10")

    assert other.status == 400
    assert await code_of(other) == "inconsistent-length"
    assert same.status == 204
    assert await stored(api) == b"helloworld"


async def test_a_length_below_the_offset_is_refused(api: Api) -> None:
    url = await begin(api, None)
    await patch(api, url, 0, b"hello")

    response = await patch(api, url, 5, b"", Upload_Length="4")

    assert response.status in (400, 413)
    assert (await head(api, url)).headers["Upload-Defer-Length"] == "1"


async def test_a_late_length_over_the_limit_is_refused(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")
    url = await begin(api, None)

    response = await patch(api, url, 0, b"hello", Upload_Length="1025")

    assert response.status == 413
    assert await offset_of(api, url) == 0


async def test_an_upload_without_a_length_never_grows_over_the_limit(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")
    url = await begin(api, None)
    await patch(api, url, 0, bytes(1000))

    response = await patch(api, url, 1000, bytes(25))

    assert response.status == 413
    assert (await head(api, url)).status == 413


# --- metadata ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pairs", "key"),
    [
        ({"filename": "a.bin"}, "a.bin"),
        ({"name": "a.bin"}, "a.bin"),
        ({"name": "no", "filename": "a.bin"}, "a.bin"),
        ({"filename": "a/b.bin"}, "a/b.bin"),
        ({"filename": "b.bin", "path": "x/y"}, "x/y/b.bin"),
        ({"filename": "b.bin", "path": "/x/y/"}, "x/y/b.bin"),
        ({"filename": "日本 %2F?.bin"}, "日本 %2F?.bin"),
    ],
)
async def test_metadata_name_the_file(api: Api, pairs: dict[str, str], key: str) -> None:
    await create(api, b"x", Upload_Length="1", Upload_Metadata=metadata(**pairs))

    assert [info.key for info in (await api.services.store.list()).files] == [key]


async def test_a_file_without_a_name_gets_one_of_its_own(api: Api) -> None:
    first = await create(api, b"1", Upload_Length="1")
    second = await create(api, b"2", Upload_Length="1", Upload_Metadata="")

    places = [answer.headers["Content-Location"] for answer in (first, second)]
    assert [await api.get(place) for place in places] == [b"1", b"2"]


@pytest.mark.parametrize(
    "name", ["../up", "/absolute", "a//b", "a/../b", "\x00", "a\nb", ".penstock/x", "a/", "."]
)
async def test_a_name_that_cannot_be_a_file_is_refused(api: Api, name: str) -> None:
    response = await create(api, Upload_Length="1", Upload_Metadata=metadata(filename=name))

    assert response.status == 400
    assert await code_of(response) == "bad-key"


@pytest.mark.parametrize(
    "field",
    [
        "filename %%%",
        "filename YQ",
        "filename YQ==,filename Yg==",
        "filename YQ==,,other Yg==",
        ",",
        "filename YQ== Yg==",
        "größe YQ==",
        "filename /w==",
        "filename YQ==,sha256 YQ==",
        "filename YQ==,penstock-start LTE=",
    ],
)
async def test_malformed_metadata_are_refused(api: Api, field: str) -> None:
    partial = {"Upload_Concat": "partial"} if "penstock" in field else {}

    response = await create(api, Upload_Length="1", Upload_Metadata=field, **partial)

    assert response.status == 400


async def test_what_metadata_hold_never_becomes_a_header_line(api: Api) -> None:
    named = metadata(filename="a", note="x\r\nSet-Cookie: a=b\r\n\r\n<html>")
    url = (await create(api, Upload_Length="1", Upload_Metadata=named)).headers["Location"]

    response = await head(api, url)

    assert response.headers["Upload-Metadata"] == named
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("name", ["filetype", "type"])
async def test_metadata_tell_the_content_type(api: Api, name: str) -> None:
    named = metadata(**{"filename": "a", name: "image/png"})
    await create(api, b"x", Upload_Length="1", Upload_Metadata=named)

    response, _ = await api.call("HEAD", "/v1/files/a")

    assert response.headers["Content-Type"] == "image/png"


async def test_the_whole_is_held_against_the_sha256_in_the_metadata(api: Api) -> None:
    named = metadata(filename="good", sha256=hashlib.sha256(DATA).hexdigest())
    wrong = metadata(filename="bad", sha256=hashlib.sha256(b"other").hexdigest())

    good = await create(api, DATA, Upload_Length=str(len(DATA)), Upload_Metadata=named)
    bad = await create(api, DATA, Upload_Length=str(len(DATA)), Upload_Metadata=wrong)

    assert (good.status, bad.status) == (201, 400)
    assert await code_of(bad) == "digest-mismatch"
    assert await stored(api, "bad") is None


# --- the last step ------------------------------------------------------------------------------


async def test_a_failed_last_step_is_told_and_told_again(api: Api) -> None:
    wrong = metadata(filename="bad", sha256="0" * 64)
    url = (await create(api, Upload_Length="5", Upload_Metadata=wrong)).headers["Location"]

    last = await patch(api, url, 0, b"hello")
    looked = await head(api, url)
    again = await patch(api, url, 5)

    assert (last.status, looked.status, again.status) == (400, 400, 400)
    assert "Upload-Offset" not in looked.headers
    assert await code_of(again) == "digest-mismatch"


async def test_a_creation_whose_only_step_failed_has_no_location(api: Api) -> None:
    """Some clients take any answer with a Location for success, whatever its status."""
    wrong = metadata(filename="bad", sha256="0" * 64)

    response = await create(api, b"hello", Upload_Length="5", Upload_Metadata=wrong)

    assert response.status == 400
    assert "Location" not in response.headers


async def test_create_only_refuses_to_replace(api: Api) -> None:
    await api.put("a", b"old")

    response = await create(
        api, Upload_Length="1", Upload_Metadata=metadata(filename="a"), If_None_Match="*"
    )

    assert response.status == 412
    assert "Tus-Version" not in response.headers
    assert response.headers["Tus-Resumable"] == VERSION


async def test_what_came_meanwhile_is_not_replaced(api: Api) -> None:
    url = await begin(api, 5, "a", If_None_Match="*")
    await api.put("a", b"faster")

    response = await patch(api, url, 0, b"hello")

    assert response.status == 412
    assert (await head(api, url)).status == 412
    assert await stored(api, "a") == b"faster"


async def test_a_file_where_a_folder_is_needed_ends_the_upload(api: Api) -> None:
    url = await begin(api, 5, "a/b")
    await api.put("a", b"file")

    response = await patch(api, url, 0, b"hello")

    assert response.status == 409
    assert await code_of(response) == "key-conflict"
    assert (await head(api, url)).status == 409
