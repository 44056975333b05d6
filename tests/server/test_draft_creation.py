"""Upload Creation of the IETF draft: at the file, and at ``/v1/uploads``."""

import asyncio
import os

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.drafting import (
    DATA,
    Answer,
    ask,
    begin,
    chunked,
    digest,
    kept,
    limits,
    look,
    patch,
    post,
    put,
    talk,
)


async def get(api: Api, key: str) -> bytes:
    return await api.get(f"/v1/files/{key}", Accept_Encoding="identity")


def facts(answer: Answer) -> dict[str, object]:
    """What answers about the same bytes agree in, wherever and whenever they were stored."""
    own = {"etag", "modified", "key", "url"}
    return {name: value for name, value in answer.document.items() if name not in own}


async def test_a_whole_file_is_answered_as_a_put_answers(api: Api) -> None:
    plain = await ask(api.port, "PUT", "/v1/files/plain", DATA, Content_Type="image/png")

    answer = await put(api.port, "new", DATA, Upload_Complete="?1", Content_Type="image/png")

    assert answer.status == plain.status == 201
    assert facts(answer) == facts(plain)
    assert answer.headers["Location"] == "/v1/files/new"
    assert answer.headers["ETag"] == answer.document["etag"]
    assert answer.headers["Upload-Complete"] == "?1"
    assert await get(api, "new") == DATA


async def test_replacing_is_answered_as_a_put_answers(api: Api) -> None:
    await api.put("a", b"old")

    answer = await put(api.port, "a", DATA, Upload_Complete="?1")

    assert answer.status == 200
    assert await get(api, "a") == DATA


async def test_a_first_part_is_answered_with_the_upload(api: Api) -> None:
    answer = await put(api.port, "a", DATA, Upload_Complete="?0", Upload_Length="300000")

    assert answer.status == 201
    assert answer.headers["Location"].startswith("/v1/uploads/")
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.offset == len(DATA)
    assert limits(answer)["max-size"] == api.services.uploads.limits.max_size
    assert 86_000 < limits(answer)["max-age"] <= 86_400
    assert answer.document["url"] == answer.headers["Location"]
    assert answer.document["offset"] == len(DATA)
    assert answer.document["active"] is False


async def test_the_file_is_not_there_before_the_upload_is_complete(api: Api) -> None:
    await begin(api.port, DATA, "a", Upload_Length=str(len(DATA)))

    response, _ = await api.call("GET", "/v1/files/a")

    assert response.status == 404


async def test_an_empty_part_only_makes_the_upload(api: Api) -> None:
    url = await begin(api.port)

    answer = await look(api.port, url)

    assert (answer.status, answer.offset) == (204, 0)


async def test_an_empty_file_is_a_file(api: Api) -> None:
    answer = await put(api.port, "empty", Upload_Complete="?1")

    assert answer.status == 201
    assert await get(api, "empty") == b""


async def test_every_upload_has_an_unguessable_url_of_its_own(api: Api) -> None:
    urls = {await begin(api.port, b"", "same") for _ in range(20)}

    assert len(urls) == 20
    assert all(len(url.rpartition("/")[2]) >= 22 for url in urls)  # 128 bits in Base64


async def test_a_body_of_unknown_length_is_taken(api: Api) -> None:
    answer = await put(
        api.port, "a", chunked(DATA), Upload_Complete="?1", Transfer_Encoding="chunked"
    )

    assert answer.status == 201
    assert await get(api, "a") == DATA


@pytest.mark.parametrize("value", ["1", "true", "?2", "yes"])
async def test_a_put_with_another_completeness_is_a_plain_put(api: Api, value: str) -> None:
    answer = await put(api.port, "a", DATA, Upload_Complete=value)

    assert answer.status == 201
    assert "Upload-Complete" not in answer.headers
    assert await get(api, "a") == DATA


async def test_the_length_is_recorded(api: Api) -> None:
    told = await begin(api.port, DATA, "a", Upload_Length="300000")
    untold = await begin(api.port, DATA, "b")
    ignored = await begin(api.port, DATA, "c", Upload_Length="many")

    assert (await look(api.port, told)).headers["Upload-Length"] == "300000"
    assert "Upload-Length" not in (await look(api.port, untold)).headers
    assert "Upload-Length" not in (await look(api.port, ignored)).headers


async def test_the_length_of_whole_content_is_recorded(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT", "/v1/files/a", DATA, Upload_Complete="?1", Content_Length="300000"
        )
        async with asyncio.timeout(30):
            while not (uploads := await api.services.uploads.open_for("a")):
                await asyncio.sleep(0.01)

    assert [upload.length for upload in uploads] == [300_000]


async def test_two_lengths_in_one_request_are_refused(api: Api) -> None:
    answer = await put(api.port, "a", DATA, Upload_Complete="?1", Upload_Length="1")

    assert answer.status == 400
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.document["type"] == (
        "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"
    )
    assert answer.document["title"] == "inconsistent length values for upload"
    assert await api.services.uploads.open_for("a") == []


async def test_content_longer_than_the_whole_is_refused(api: Api) -> None:
    answer = await put(api.port, "a", DATA, Upload_Complete="?0", Upload_Length="1")

    assert (answer.status, answer.document["code"]) == (413, "length-exceeded")
    assert await api.services.uploads.open_for("a") == []


async def test_whole_content_that_is_too_short_completes_nothing(api: Api) -> None:
    answer = await put(
        api.port,
        "a",
        chunked(DATA),
        Upload_Complete="?1",
        Upload_Length="300000",
        Transfer_Encoding="chunked",
    )

    assert (answer.status, answer.document["code"]) == (400, "body-incomplete")
    assert answer.headers["Upload-Complete"] == "?0"
    assert (await look(api.port, answer.headers["Content-Location"])).offset == len(DATA)


async def test_what_is_too_large_is_told_the_limits(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")

    at_once = await put(api.port, "a", bytes(1025), Upload_Complete="?1")
    announced = await put(api.port, "a", b"x", Upload_Complete="?0", Upload_Length="1025")
    plain = await put(api.port, "a", bytes(1025))

    assert [at_once.status, announced.status, plain.status] == [413, 413, 413]
    assert all(limits(a)["max-size"] == 1024 for a in (at_once, announced, plain))
    assert at_once.headers["Upload-Complete"] == "?0"


async def test_an_upload_that_grows_too_large_is_ended(start_api: StartApi) -> None:
    api = await start_api(max_body="1KiB")
    url = await begin(api.port, bytes(1000))

    answer = await patch(api.port, url, 1000, bytes(25))

    assert answer.status == 413
    assert limits(answer)["max-size"] == 1024
    assert (await look(api.port, url)).status == 413


async def test_a_content_coding_is_kept_out(api: Api) -> None:
    answer = await put(api.port, "a", DATA, Upload_Complete="?1", Content_Encoding="gzip")

    assert answer.status == 415
    assert answer.headers["Upload-Complete"] == "?0"


async def test_a_precondition_is_checked_before_the_body(api: Api) -> None:
    await api.put("a", b"old")
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            Upload_Complete="?1",
            Content_Length="100",
            If_None_Match="*",
            Expect="100-continue",
            Upload_Draft_Interop_Version="8",
        )
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.interim) == (412, [])
    assert answer.headers["Upload-Complete"] == "?1"  # the answer of the file, no use to resume


async def test_a_precondition_is_checked_again_in_the_end(api: Api) -> None:
    url = await begin(api.port, DATA, "a", If_None_Match="*")
    await api.put("a", b"somebody was quicker")

    answer = await patch(api.port, url, len(DATA), b"", "?1")

    assert answer.status == 412
    assert answer.headers["Upload-Complete"] == "?1"
    assert await get(api, "a") == b"somebody was quicker"


async def test_a_file_that_is_in_the_way_is_told_in_the_end(api: Api) -> None:
    url = await begin(api.port, DATA, "a/b")
    await api.put("a", b"x")

    answer = await patch(api.port, url, len(DATA), b"", "?1")

    assert (answer.status, answer.headers["Upload-Complete"]) == (409, "?1")


async def test_a_broken_creation_keeps_what_came_and_is_not_complete(api: Api) -> None:
    sent = os.urandom(4 << 20)
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            sent[: 3 << 20],
            Upload_Complete="?1",
            Content_Length=str(len(sent)),
            Upload_Draft_Interop_Version="8",
        )
        url = (await conversation.head()).headers["Location"]
        assert await eventually(lambda: kept(api, url) >= 2 << 20)

    answer = await look(api.port, url)

    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.offset >= 2 << 20
    assert (await patch(api.port, url, answer.offset, sent[answer.offset :], "?1")).status == 201
    assert await get(api, "a") == sent


async def test_a_stalled_creation_is_answered_and_keeps_what_came(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.5)
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT", "/v1/files/a", DATA, Upload_Complete="?1", Content_Length=str(2 * len(DATA))
        )
        answer = await conversation.answer("PUT")

    assert answer.status == 408
    assert answer.offset == len(DATA)
    assert answer.headers["Upload-Complete"] == "?0"
    assert (await look(api.port, answer.headers["Content-Location"])).offset == len(DATA)


async def test_the_name_is_given_in_the_content_disposition(api: Api) -> None:
    answer = await post(
        api.port,
        DATA,
        "",
        Upload_Complete="?1",
        Content_Disposition="inline; filename=\"x\"; filename*=UTF-8''a%2Fb%20%C3%BC.txt",
    )

    assert answer.status == 201
    assert answer.document["key"] == "a/b ü.txt"
    assert await get(api, "a/b%20%C3%BC.txt") == DATA


async def test_an_upload_without_a_name_is_refused(api: Api) -> None:
    answer = await post(api.port, DATA, "", Upload_Complete="?1")

    assert answer.status == 400
    assert "Content-Disposition" in answer.document["detail"]


@pytest.mark.parametrize("name", ["../x", "a/../b", "a//b", ".penstock/x", "a\tb"])
async def test_a_name_that_cannot_be_a_key_is_refused(api: Api, name: str) -> None:
    answer = await post(api.port, DATA, name, Upload_Complete="?1")

    assert answer.status == 400
    assert [info.key for info in (await api.services.store.list()).files] == []


async def test_a_post_that_says_nothing_of_completeness_is_told_what_to_send(api: Api) -> None:
    answer = await post(api.port, DATA)

    assert answer.status == 400
    assert "Upload-Complete" in answer.document["detail"]


async def test_the_type_of_the_file_is_that_of_the_creation(api: Api) -> None:
    url = await begin(api.port, b"<p>", "a", Content_Type="text/html")

    answer = await patch(api.port, url, 3, b"", "?1")

    assert answer.document["content_type"] == "text/html"


async def test_options_tell_methods_and_limits_wherever_an_upload_can_begin(api: Api) -> None:
    url = await begin(api.port)
    for path in ("/v1/files/any/key", "/v1/uploads", url):
        answer = await ask(api.port, "OPTIONS", path)

        assert answer.status in (200, 204)
        assert limits(answer) == {
            "max-size": api.services.uploads.limits.max_size,
            "max-age": 86_400,
        }
        assert "OPTIONS" in answer.headers["Allow"]
    assert "PUT" in (await ask(api.port, "OPTIONS", "/v1/files/a")).headers["Allow"]


async def test_the_limits_of_an_upload_are_those_that_options_told(api: Api) -> None:
    before = limits(await ask(api.port, "OPTIONS", "/v1/files/a"))
    url = await begin(api.port)

    after = limits(await look(api.port, url))

    assert after["max-size"] == before["max-size"]
    assert before["max-age"] - 60 < after["max-age"] <= before["max-age"]


async def test_too_many_uploads_are_told_to_come_back(start_api: StartApi) -> None:
    api = await start_api(max_uploads=1)
    await begin(api.port)

    answer = await put(api.port, "b", b"x", Upload_Complete="?0")

    assert answer.status == 503
    assert "Retry-After" in answer.headers
    assert answer.headers["Upload-Complete"] == "?0"


async def test_the_digest_of_the_whole_is_verified_in_the_end(api: Api) -> None:
    good = await begin(api.port, DATA, "good", Repr_Digest=digest(DATA + b"x"))
    bad = await begin(api.port, DATA, "bad", Repr_Digest=digest(DATA + b"y"))

    assert (await patch(api.port, good, len(DATA), b"x", "?1")).status == 201
    answer = await patch(api.port, bad, len(DATA), b"x", "?1")

    assert (answer.status, answer.document["code"]) == (400, "digest-mismatch")
    assert answer.headers["Upload-Complete"] == "?1"
    assert [info.key for info in (await api.services.store.list()).files] == ["good"]
