"""Upload Append of the IETF draft."""

import asyncio
import os

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.drafting import (
    DATA,
    OCTETS,
    ask,
    begin,
    chunked,
    digest,
    files_of,
    kept,
    limits,
    look,
    patch,
    put,
    talk,
)

HALF = len(DATA) // 2


async def test_a_part_that_is_not_the_last_is_acknowledged(api: Api) -> None:
    url = await begin(api.port)

    answer = await patch(api.port, url, 0, DATA)

    assert answer.status == 204
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.offset == len(DATA)
    assert limits(answer)["max-size"] == api.services.uploads.limits.max_size


async def test_the_last_part_is_answered_as_the_put_would_have_been(api: Api) -> None:
    url = await begin(api.port, DATA[:HALF], "a b", Content_Type="image/png")

    answer = await patch(api.port, url, HALF, DATA[HALF:], "?1")

    assert answer.status == 201
    assert answer.headers["Upload-Complete"] == "?1"
    assert answer.headers["Location"] == "/v1/files/a%20b"
    assert answer.headers["ETag"] == answer.document["etag"]
    assert answer.document["content_type"] == "image/png"
    assert await api.get("/v1/files/a%20b") == DATA


async def test_an_upload_that_replaces_a_file_says_so_in_the_end(api: Api) -> None:
    await api.put("a", b"old")
    url = await begin(api.port, DATA, "a")

    answer = await patch(api.port, url, len(DATA), b"", "?1")

    assert answer.status == 200


async def test_an_empty_part_completes_what_is_there(api: Api) -> None:
    url = await begin(api.port, DATA, "a")

    answer = await patch(api.port, url, len(DATA), b"", "?1")

    assert (answer.status, answer.headers["Upload-Complete"]) == (201, "?1")
    assert await api.get("/v1/files/a") == DATA


async def test_an_empty_part_without_any_length_completes_what_is_there(api: Api) -> None:
    url = await begin(api.port, DATA, "a")
    async with talk(api.port) as conversation:
        fields = {"Upload_Offset": str(len(DATA)), "Upload_Complete": "?1"}
        await conversation.begin("PATCH", url, Content_Type=OCTETS, **fields)
        answer = await conversation.answer("PATCH")

    assert answer.status == 201
    assert await api.get("/v1/files/a") == DATA


async def test_parts_of_unknown_length_are_taken(api: Api) -> None:
    url = await begin(api.port, b"", "a")
    await patch(api.port, url, 0, chunked(DATA), Transfer_Encoding="chunked")

    await patch(api.port, url, len(DATA), chunked(DATA), "?1", Transfer_Encoding="chunked")

    assert await api.get("/v1/files/a") == DATA + DATA


@pytest.mark.parametrize("offset", [0, 1, HALF - 1, HALF + 1, 10**14])
async def test_another_offset_is_refused_with_the_right_one(api: Api, offset: int) -> None:
    url = await begin(api.port, DATA[:HALF])

    answer = await patch(api.port, url, offset, DATA[HALF:], "?1")

    assert answer.status == 409
    assert answer.offset == HALF
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.document["type"] == (
        "https://iana.org/assignments/http-problem-types#mismatching-upload-offset"
    )
    assert answer.document["expected-offset"] == HALF
    assert answer.document["provided-offset"] == offset
    assert (await look(api.port, url)).offset == HALF


async def test_a_part_without_an_offset_is_refused(api: Api) -> None:
    url = await begin(api.port)

    answer = await ask(api.port, "PATCH", url, DATA, Content_Type=OCTETS, Upload_Complete="?0")
    unclear = await patch(api.port, url, 0, DATA, Upload_Offset="zero")

    assert (answer.status, unclear.status) == (400, 400)
    assert "Upload-Offset" in answer.document["detail"]
    assert (await look(api.port, url)).offset == 0


async def test_a_part_that_does_not_say_whether_it_is_the_last_is_refused(api: Api) -> None:
    url = await begin(api.port)

    absent = await ask(api.port, "PATCH", url, DATA, Content_Type=OCTETS, Upload_Offset="0")
    unclear = await patch(api.port, url, 0, DATA, "yes")

    assert (absent.status, unclear.status) == (400, 400)
    assert (await look(api.port, url)).offset == 0


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", "text/plain"])
async def test_another_media_type_is_refused(api: Api, media_type: str) -> None:
    url = await begin(api.port)

    answer = await patch(api.port, url, 0, DATA, Content_Type=media_type)

    assert answer.status == 415
    assert answer.headers["Accept-Patch"] == OCTETS
    assert (await look(api.port, url)).offset == 0


async def test_a_content_coding_is_kept_out(api: Api) -> None:
    url = await begin(api.port)

    assert (await patch(api.port, url, 0, DATA, Content_Encoding="gzip")).status == 415


async def test_the_length_may_come_with_any_part_and_then_stays(api: Api) -> None:
    url = await begin(api.port)
    await patch(api.port, url, 0, DATA, Upload_Length="300000")

    again = await patch(api.port, url, len(DATA), b"x", Upload_Length="300000")
    other = await patch(api.port, url, len(DATA) + 1, b"x", Upload_Length="300001")

    assert again.status == 204
    assert other.status == 400
    assert other.headers["Upload-Complete"] == "?0"
    assert other.document["type"] == (
        "https://iana.org/assignments/http-problem-types#inconsistent-upload-length"
    )
    assert (await look(api.port, url)).headers["Upload-Length"] == "300000"


@pytest.mark.parametrize("length", ["10", "5"])
async def test_the_last_part_must_end_where_the_length_says(api: Api, length: str) -> None:
    url = await begin(api.port, b"1234", Upload_Length=length)

    answer = await patch(api.port, url, 4, b"56", "?1")

    assert (answer.status, answer.document["code"]) == (400, "inconsistent-length")
    assert (await look(api.port, url)).offset == 4


async def test_a_length_below_what_is_there_is_refused(api: Api) -> None:
    url = await begin(api.port, DATA)

    answer = await patch(api.port, url, len(DATA), b"", Upload_Length="5")

    assert (answer.status, answer.document["code"]) == (400, "inconsistent-length")


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_more_bytes_than_the_length_end_the_upload(api: Api, framing: str) -> None:
    url = await begin(api.port, b"1234", "a", Upload_Length="6")

    if framing == "length":
        answer = await patch(api.port, url, 4, b"567")
    else:
        answer = await patch(api.port, url, 4, chunked(b"567"), Transfer_Encoding="chunked")

    assert (answer.status, answer.document["code"]) == (413, "length-exceeded")
    assert (await look(api.port, url)).status == 413
    assert (await patch(api.port, url, 4, b"56", "?1")).status == 413
    response, _ = await api.call("GET", "/v1/files/a")
    assert response.status == 404


async def test_a_broken_append_keeps_what_came_and_is_not_complete(api: Api) -> None:
    url = await begin(api.port, DATA, "a")
    sent = os.urandom(3 << 20)
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PATCH",
            url,
            sent,
            Content_Type=OCTETS,
            Content_Length=str(4 << 20),
            Upload_Offset=str(len(DATA)),
            Upload_Complete="?1",
        )
        assert await eventually(lambda: kept(api, url) >= 2 << 20)

    answer = await look(api.port, url, Want_Repr_Digest="sha-256=1")

    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.offset >= 2 << 20
    assert answer.headers["Repr-Digest"] == digest((DATA + sent)[: answer.offset])


async def test_a_stalled_append_is_answered_and_keeps_what_came(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=0.5)
    url = await begin(api.port)
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PATCH",
            url,
            chunked(DATA, ended=False),
            Content_Type=OCTETS,
            Transfer_Encoding="chunked",
            Upload_Offset="0",
            Upload_Complete="?1",
        )
        answer = await conversation.answer("PATCH")

    assert answer.status == 408
    assert answer.offset == len(DATA)
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.headers["Content-Location"] == url


async def test_a_newer_append_ends_an_older_one(api: Api) -> None:
    url = await begin(api.port, b"", "a")
    async with talk(api.port) as stalled:
        await stalled.begin(
            "PATCH",
            url,
            DATA,
            Content_Type=OCTETS,
            Content_Length="1000000",
            Upload_Offset="0",
            Upload_Complete="?0",
        )
        assert await eventually(lambda: api.services.traffic.transfers == 1)
        offset = (await look(api.port, url)).offset

        answer = await patch(api.port, url, offset, DATA[offset:] + b"end", "?1")
        ended = await stalled.answer("PATCH")
        await stalled.send(b"late bytes that must never count")

    assert (answer.status, ended.status) == (201, 423)
    assert await api.get("/v1/files/a") == DATA + b"end"


async def test_many_appends_at_once_never_mix(api: Api) -> None:
    url = await begin(api.port, b"", "a")
    parts = [bytes([number]) * 200_000 for number in range(8)]

    answers = await asyncio.gather(*(patch(api.port, url, 0, part, "?1") for part in parts))

    state = await look(api.port, url, Want_Repr_Digest="sha-256=1")
    (sent,) = [p for p in parts if digest(p[: state.offset]) == state.headers["Repr-Digest"]]
    assert {answer.status for answer in answers} <= {201, 400, 409, 423}
    rest = await patch(api.port, url, state.offset, sent[state.offset :], "?1")
    assert rest.status == 201
    assert await api.get("/v1/files/a") == sent


async def test_a_lost_final_answer_is_given_again(api: Api) -> None:
    url = await begin(api.port, DATA, "a", Content_Type="image/png")
    final = await patch(api.port, url, len(DATA), b"end", "?1")

    offset = (await look(api.port, url)).offset
    again = await patch(api.port, url, offset, b"", "?1")

    assert again.status == final.status == 201
    assert again.body == final.body
    for name in ("ETag", "Location", "Upload-Complete", "Repr-Digest"):
        assert again.headers[name] == final.headers[name]


async def test_a_lost_final_answer_stays_what_it_was(api: Api) -> None:
    await api.put("a", b"old")
    url = await begin(api.port, DATA, "a")
    final = await patch(api.port, url, len(DATA), b"", "?1")
    await api.put("a", b"newer")

    again = await patch(api.port, url, len(DATA), b"", "?1")

    assert again.status == final.status == 200
    assert again.document["sha256"] == final.document["sha256"]
    assert await api.get("/v1/files/a") == b"newer"


async def test_a_lost_failure_is_told_again(api: Api) -> None:
    url = await begin(api.port, DATA, "a", Repr_Digest=digest(b"other"))
    final = await patch(api.port, url, len(DATA), b"", "?1")

    again = await patch(api.port, url, len(DATA), b"", "?1")

    assert again.status == final.status == 400
    assert again.document["code"] == "digest-mismatch"
    assert again.headers["Upload-Complete"] == "?1"


@pytest.mark.parametrize(
    ("data", "complete", "framing"),
    [(b"more", "?1", "length"), (b"more", "?1", "chunks"), (b"", "?0", "length")],
)
async def test_a_complete_upload_takes_nothing_more(
    api: Api, data: bytes, complete: str, framing: str
) -> None:
    url = await begin(api.port, DATA, "a")
    await patch(api.port, url, len(DATA), b"", "?1")

    if framing == "length":
        answer = await patch(api.port, url, len(DATA), data, complete)
    else:
        answer = await patch(
            api.port, url, len(DATA), chunked(data), complete, Transfer_Encoding="chunked"
        )

    assert answer.status == 400
    assert answer.headers["Upload-Complete"] == "?0"
    assert await api.get("/v1/files/a") == DATA


async def test_a_complete_upload_tells_its_offset_to_who_sends_the_end_again(api: Api) -> None:
    url = await begin(api.port, DATA)
    await patch(api.port, url, len(DATA), b"end", "?1")

    answer = await patch(api.port, url, len(DATA), b"end", "?1")

    assert answer.status == 409
    assert answer.offset == len(DATA) + 3
    assert answer.headers["Upload-Complete"] == "?0"


async def test_an_upload_whose_bytes_are_lost_takes_no_more(api: Api) -> None:
    url = await begin(api.port, DATA)
    (path,) = files_of(api, url)
    os.truncate(path, 100)

    answers = [
        await look(api.port, url),
        await patch(api.port, url, len(DATA), b"end", "?1"),
        await patch(api.port, url, 100, DATA[100:], "?1"),
    ]

    assert [answer.status for answer in answers] == [410, 410, 410]


async def test_content_that_is_not_what_was_announced_is_not_appended(api: Api) -> None:
    url = await begin(api.port, DATA[:HALF], "a")

    bad = await patch(api.port, url, HALF, DATA[HALF:], "?1", Content_Digest=digest(b"other"))
    between = await look(api.port, url, Want_Repr_Digest="sha-256=1")
    good = await patch(api.port, url, HALF, DATA[HALF:], "?1", Content_Digest=digest(DATA[HALF:]))

    assert (bad.status, bad.document["code"]) == (400, "digest-mismatch")
    assert bad.headers["Upload-Complete"] == "?0"
    assert between.offset == HALF
    assert between.headers["Repr-Digest"] == digest(DATA[:HALF])
    assert good.status == 201
    assert await api.get("/v1/files/a") == DATA


async def test_a_first_part_that_is_not_what_was_announced_is_not_kept(api: Api) -> None:
    fields = {"Upload_Complete": "?0", "Content_Digest": digest(b"other")}

    answer = await put(api.port, "a", DATA, **fields)

    assert answer.status == 400
    assert answer.headers["Upload-Complete"] == "?0"
    assert (await look(api.port, answer.headers["Content-Location"])).offset == 0


async def test_a_whole_file_that_is_not_what_was_announced_is_not_stored(api: Api) -> None:
    for field in ("Content_Digest", "Repr_Digest"):
        answer = await put(api.port, "a", DATA, Upload_Complete="?1", **{field: digest(b"other")})

        assert (answer.status, answer.document["code"]) == (400, "digest-mismatch")
        assert answer.headers["Upload-Complete"] == "?1"
    response, _ = await api.call("GET", "/v1/files/a")
    assert response.status == 404


async def test_the_digest_goes_along_if_it_is_asked_for(api: Api) -> None:
    wanted = {"Want_Repr_Digest": "sha-256=1"}
    created = await put(api.port, "a", DATA[:HALF], Upload_Complete="?0", **wanted)
    url = created.headers["Location"]
    appended = await patch(api.port, url, HALF, DATA[HALF:], **wanted)

    final = await patch(api.port, url, len(DATA), b"end", "?1")

    assert created.headers["Repr-Digest"] == digest(DATA[:HALF])
    assert appended.headers["Repr-Digest"] == digest(DATA)
    assert final.headers["Repr-Digest"] == digest(DATA + b"end")
