"""tus 1.0, core protocol: Tus-Resumable, HEAD, PATCH, OPTIONS, X-HTTP-Method-Override."""

from collections.abc import AsyncIterator

import pytest

from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import (
    DATA,
    OCTETS,
    VERSION,
    arrived,
    ask,
    begin,
    code_of,
    create,
    half_sent,
    head,
    let_go,
    metadata,
    offset_of,
    patch,
    patch_head,
    sha256_field,
    status_of,
    stored,
)

UNKNOWN = "/v1/uploads/there-is-none"


async def test_a_file_sent_in_two_requests_is_stored(api: Api) -> None:
    url = await begin(api, len(DATA), "folder/file.bin")

    first = await patch(api, url, 0, DATA[:1000])
    second = await patch(api, url, 1000, DATA[1000:])

    assert (first.status, first.headers["Upload-Offset"]) == (204, "1000")
    assert (second.status, second.headers["Upload-Offset"]) == (204, str(len(DATA)))
    assert await stored(api, "folder/file.bin") == DATA


async def test_the_last_answer_tells_what_became_of_the_file(api: Api) -> None:
    url = await begin(api, len(DATA))

    answer = await patch(api, url, 0, DATA)

    file, _ = await api.call("HEAD", "/v1/files/file.bin")
    assert answer.headers["Content-Location"] == "/v1/files/file.bin"
    assert answer.headers["ETag"] == file.headers["ETag"]
    assert answer.headers["Repr-Digest"] == sha256_field(DATA)


async def test_nothing_is_shown_before_the_last_byte(api: Api) -> None:
    url = await begin(api, len(DATA))

    await patch(api, url, 0, DATA[:-1])

    assert await stored(api) is None


# --- Tus-Resumable -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["0.2.2", "1.0.1", "2.0.0", "", "1.0.0, 1.0.0"])
@pytest.mark.parametrize("method", ["POST", "HEAD", "PATCH", "DELETE"])
async def test_another_version_is_refused_without_doing_anything(
    api: Api, method: str, version: str
) -> None:
    url = await begin(api, 5)
    fields = {"Content_Type": OCTETS, "Upload_Offset": "0", "Upload_Length": "5"}
    path = "/v1/uploads" if method == "POST" else url
    data = b"hello" if method in ("POST", "PATCH") else None

    response = await ask(api, method, path, data, **fields, Tus_Resumable=version)

    assert response.status == 412
    assert response.headers["Tus-Version"] == VERSION
    assert await offset_of(api, url) == 0
    assert len(await api.services.uploads.open_for("file.bin")) == 1


async def test_every_answer_names_the_version(api: Api) -> None:
    url = await begin(api, 5)
    answers = [
        await create(api, Upload_Length="5"),
        await head(api, url),
        await patch(api, url, 0, b"hello"),
        await ask(api, "DELETE", url),
        await api.session.options("/v1/uploads"),
    ]

    assert [answer.headers["Tus-Resumable"] for answer in answers] == [VERSION] * 5


async def test_every_refusal_names_the_version(api: Api) -> None:
    url = await begin(api, 5)
    answers = [
        await create(api),
        await create(api, Upload_Length="5", Tus_Resumable="9"),
        await create(api, Upload_Length="5", Expect="a-miracle"),
        await create(api, Upload_Length="5", Origin="http://elsewhere.example"),
        await head(api, UNKNOWN),
        await ask(api, "PUT", url),
        await ask(api, "PATCH", f"{url}/x"),
        await patch(api, url, 3, b"hello"),
        await patch(api, url, 0, b"hello", Content_Type="text/plain"),
    ]

    assert [answer.status for answer in answers] == [400, 412, 417, 403, 404, 405, 404, 409, 415]
    assert {answer.headers.get("Tus-Resumable") for answer in answers} == {VERSION}


async def test_a_request_of_no_protocol_is_told_what_to_send(api: Api) -> None:
    response, _ = await api.call("POST", "/v1/uploads", Upload_Length="5")

    document = await response.json()
    assert response.status == 400
    assert "Tus-Resumable: 1.0.0" in document["detail"]
    assert "Upload-Complete" in document["detail"]


async def test_a_host_that_is_none_is_no_fault_of_the_server(api: Api) -> None:
    response = await create(api, Upload_Length="5", Host="[a b")

    assert response.status == 201


# --- OPTIONS -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/uploads", UNKNOWN])
async def test_options_tell_what_the_server_can_do(start_api: StartApi, path: str) -> None:
    api = await start_api(max_body="1MiB")

    response, _ = await api.call("OPTIONS", path)

    assert response.status == 204
    assert response.headers["Tus-Version"] == VERSION
    assert response.headers["Tus-Max-Size"] == str(api.services.uploads.limits.max_size)
    assert response.headers["Tus-Checksum-Algorithm"] == "sha1,sha256,sha512,md5,crc32,crc32c"
    assert response.headers["Tus-Extension"].split(",") == [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
        "concatenation-unfinished",
    ]
    assert "max-size=" in response.headers["Upload-Limit"]


async def test_options_ignore_the_version(api: Api) -> None:
    response = await ask(api, "OPTIONS", "/v1/uploads", Tus_Resumable="0.2.2")

    assert response.status == 204


# --- HEAD --------------------------------------------------------------------------------------


async def test_head_tells_offset_and_length_from_the_beginning(api: Api) -> None:
    url = await begin(api, 10)

    response = await head(api, url)

    assert response.status == 200
    assert response.headers["Upload-Offset"] == "0"
    assert response.headers["Upload-Length"] == "10"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Upload-Defer-Length" not in response.headers
    assert "Upload-Metadata" in response.headers
    assert "Upload-Concat" not in response.headers


async def test_head_of_a_finished_upload_tells_the_whole_and_where_it_is(api: Api) -> None:
    url = await begin(api, 5)
    last = await patch(api, url, 0, b"hello")

    response = await head(api, url)

    assert response.headers["Upload-Offset"] == response.headers["Upload-Length"] == "5"
    for name in ("ETag", "Content-Location", "Repr-Digest"):
        assert response.headers[name] == last.headers[name]


async def test_an_unknown_upload_has_no_offset(api: Api) -> None:
    response = await head(api, UNKNOWN)

    assert response.status == 404
    assert "Upload-Offset" not in response.headers


async def test_metadata_come_back_as_they_were_given(api: Api) -> None:
    given = "is_confidential,filename d29ybGQucGRm,raw AAECAw==,empty "
    url = (await create(api, Upload_Length="5", Upload_Metadata=given)).headers["Location"]

    response = await head(api, url)

    assert response.headers["Upload-Metadata"] == given.strip()


async def test_the_digest_of_what_is_there_is_told_if_wanted(api: Api) -> None:
    url = await begin(api, len(DATA))
    await patch(api, url, 0, DATA[:1000])

    response = await head(api, url, Want_Repr_Digest="sha-256=1")

    assert response.headers["Upload-Offset"] == "1000"
    assert response.headers["Repr-Digest"] == sha256_field(DATA[:1000])


# --- PATCH -------------------------------------------------------------------------------------


async def test_a_wrong_offset_conflicts_and_changes_nothing(api: Api) -> None:
    url = await begin(api, 10)
    await patch(api, url, 0, b"hello")

    behind = await patch(api, url, 0, b"HELLO")
    ahead = await patch(api, url, 6, b"orld")

    assert (behind.status, ahead.status) == (409, 409)
    assert await code_of(behind) == "offset-mismatch"
    assert await offset_of(api, url) == 5
    await patch(api, url, 5, b"world")
    assert await stored(api) == b"helloworld"


@pytest.mark.parametrize("offset", ["", "-1", "+0", "0x0", "0.0", " ", "٣", "0, 0"])
async def test_an_offset_that_is_no_number_is_refused(api: Api, offset: str) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Upload_Offset=offset)

    assert response.status == 400
    assert await offset_of(api, url) == 0


async def test_a_missing_offset_is_refused(api: Api) -> None:
    url = await begin(api, 5)

    response = await ask(api, "PATCH", url, b"hello", Content_Type=OCTETS)

    assert response.status == 400


async def test_an_offset_beyond_all_numbers_conflicts(api: Api) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Upload_Offset="9" * 5000)

    assert response.status == 409


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/plain", ""])
async def test_another_content_type_is_refused(api: Api, kind: str) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Content_Type=kind)

    assert response.status == 415
    assert await offset_of(api, url) == 0


async def test_a_content_coding_is_refused(api: Api) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"hello", Content_Encoding="gzip")

    assert response.status == 415
    assert await offset_of(api, url) == 0


async def test_a_chunked_body_is_taken(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(DATA), 7000):
            yield DATA[at : at + 7000]

    url = await begin(api, len(DATA))

    response = await patch(api, url, 0, pieces())

    assert response.status == 204
    assert await stored(api) == DATA


async def test_an_empty_body_moves_nothing(api: Api) -> None:
    url = await begin(api, 5)

    response = await patch(api, url, 0, b"")

    assert (response.status, response.headers["Upload-Offset"]) == (204, "0")


async def test_more_bytes_than_the_length_are_refused_before_they_are_sent(api: Api) -> None:
    url = await begin(api, 5)

    async with half_sent(api.port, patch_head(url, 0, 6, "Expect: 100-continue")) as (reader, _):
        status = await status_of(reader)

    assert status == 413
    assert await offset_of(api, url) == 0


async def test_a_chunked_body_over_the_length_never_becomes_the_file(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"hello"
        yield b"world"

    url = await begin(api, 7)

    response = await patch(api, url, 0, pieces())

    assert response.status == 413
    assert await code_of(response) == "length-exceeded"
    assert await stored(api) is None


async def test_a_patch_is_told_to_continue(api: Api) -> None:
    url = await begin(api, 5)

    async with half_sent(api.port, patch_head(url, 0, 5, "Expect: 100-continue")) as (
        reader,
        writer,
    ):
        assert await status_of(reader) == 100
        await reader.readline()
        writer.write(b"hello")
        assert await status_of(reader) == 204

    assert await stored(api) == b"hello"


async def test_an_unknown_upload_cannot_be_gone_on_with(api: Api) -> None:
    response = await patch(api, UNKNOWN, 0, b"hello")

    assert response.status == 404
    assert "Upload-Offset" not in response.headers


async def test_a_finished_upload_answers_the_last_patch_again(api: Api) -> None:
    url = await begin(api, 5)
    last = await patch(api, url, 0, b"hello")

    again = await patch(api, url, 5)

    assert again.status == 204
    assert again.headers["Content-Location"] == last.headers["Content-Location"]
    assert again.headers["ETag"] == last.headers["ETag"]


async def test_a_finished_upload_takes_no_more_bytes(api: Api) -> None:
    url = await begin(api, 5)
    await patch(api, url, 0, b"hello")

    response = await patch(api, url, 5, b"more")

    assert response.status == 413
    assert await stored(api) == b"hello"


async def test_bytes_count_as_a_transfer(start_api: StartApi) -> None:
    api = await start_api(max_transfers=1)
    url = await begin(api, 5)
    api.services.traffic.transfers = 1

    response = await patch(api, url, 0, b"hello")
    api.services.traffic.transfers = 0

    assert response.status == 503
    assert response.headers["Retry-After"] == "1"


# --- X-HTTP-Method-Override --------------------------------------------------------------------


@pytest.mark.parametrize("actual", ["POST", "DELETE", "PATCH"])
async def test_the_override_is_the_method(api: Api, actual: str) -> None:
    url = await begin(api, 5)
    fields = {"Content_Type": OCTETS, "Upload_Offset": "0", "X_HTTP_Method_Override": "PATCH"}

    response = await ask(api, actual, url, b"hello", **fields)

    assert response.status == 204
    assert await stored(api) == b"hello"


async def test_an_upload_can_be_ended_by_override(api: Api) -> None:
    url = await begin(api, 5)

    response = await ask(api, "POST", url, X_HTTP_Method_Override="DELETE")

    assert response.status == 204
    assert (await head(api, url)).status in (404, 410)


async def test_an_upload_can_be_begun_by_override(api: Api) -> None:
    response = await ask(
        api, "GET", "/v1/uploads", Upload_Length="5", X_HTTP_Method_Override="POST"
    )

    assert response.status == 201


async def test_a_post_without_override_does_nothing_to_an_upload(api: Api) -> None:
    url = await begin(api, 5)

    response = await ask(api, "POST", url, b"hello", Content_Type=OCTETS, Upload_Offset="0")

    assert response.status == 405
    assert "PATCH" in response.headers["Allow"]
    assert await offset_of(api, url) == 0


async def test_an_override_does_not_get_around_the_check_of_the_origin(api: Api) -> None:
    url = await begin(api, 5)

    response = await ask(
        api,
        "GET",
        url,
        X_HTTP_Method_Override="DELETE",
        Origin="http://elsewhere.example",
    )

    assert response.status == 403
    assert await offset_of(api, url) == 0


# --- the listing -------------------------------------------------------------------------------


async def test_unfinished_uploads_of_a_key_are_listed(api: Api) -> None:
    url = await begin(api, 10, "a/b.bin")
    await patch(api, url, 0, b"hello")
    await begin(api, 10, "other.bin")

    response, _ = await api.call("GET", "/v1/uploads?key=a/b.bin")

    document = await response.json()
    (upload,) = document["uploads"]
    assert upload["url"] == url == f"/v1/uploads/{upload['id']}"
    assert (upload["offset"], upload["length"], upload["active"]) == (5, 10, False)
    assert (upload["key"], upload["kind"]) == ("a/b.bin", "whole")
    assert upload["metadata"] == metadata(filename="a/b.bin")


async def test_a_listing_needs_a_key(api: Api) -> None:
    response, _ = await api.call("GET", "/v1/uploads")

    assert response.status == 400


async def test_finished_uploads_are_not_listed(api: Api) -> None:
    await patch(api, await begin(api, 5), 0, b"hello")

    response, _ = await api.call("GET", "/v1/uploads?key=file.bin")

    assert (await response.json()) == {"uploads": []}


# --- begun otherwise ---------------------------------------------------------------------------


async def test_an_upload_begun_by_the_draft_is_finished_by_tus(api: Api) -> None:
    begun, _ = await api.call(
        "POST",
        "/v1/uploads",
        b"hello",
        Upload_Complete="?0",
        Content_Disposition='inline; filename="file.bin"',
    )
    url = begun.headers["Location"]
    before = await head(api, url)

    await patch(api, url, 5, b"world", Upload_Length="10")

    assert before.headers["Upload-Defer-Length"] == "1"
    assert await stored(api) == b"helloworld"


async def test_an_upload_begun_by_a_plain_put_is_finished_by_tus(start_api: StartApi) -> None:
    api = await start_api(resume_from="1KiB")
    line = f"PUT /v1/files/file.bin HTTP/1.1\r\nContent-Length: {len(DATA)}"
    async with half_sent(api.port, line, DATA[:5000]):
        await arrived(api, 5000)
    await let_go(api)
    (upload,) = await api.services.uploads.open_for("file.bin")
    url = f"/v1/uploads/{upload.id}"

    offset = await offset_of(api, url)
    await patch(api, url, offset, DATA[offset:])

    assert offset == 5000
    assert await stored(api) == DATA
