"""Offset Retrieval and Upload Cancellation of the IETF draft."""

import asyncio

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.drafting import DATA, ask, begin, digest, limits, look, patch, talk


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_the_state_of_an_upload_is_told(api: Api, method: str) -> None:
    url = await begin(api.port, DATA, Upload_Length="300000")

    answer = await ask(api.port, method, url)

    assert answer.status == 204
    assert answer.offset == len(DATA)
    assert answer.headers["Upload-Complete"] == "?0"
    assert answer.headers["Upload-Length"] == "300000"
    assert limits(answer)["max-size"] == api.services.uploads.limits.max_size
    assert answer.headers["Cache-Control"] == "no-store"


async def test_all_bytes_are_not_yet_a_complete_upload(api: Api) -> None:
    url = await begin(api.port, DATA, "a", Upload_Length=str(len(DATA)))

    answer = await look(api.port, url)

    assert answer.offset == int(answer.headers["Upload-Length"])
    assert answer.headers["Upload-Complete"] == "?0"
    response, _ = await api.call("GET", "/v1/files/a")
    assert response.status == 404


async def test_a_complete_upload_says_so_with_its_length(api: Api) -> None:
    url = await begin(api.port, DATA)
    await patch(api.port, url, len(DATA), b"", "?1")

    answer = await look(api.port, url)

    assert answer.status == 204
    assert answer.headers["Upload-Complete"] == "?1"
    assert answer.headers["Upload-Length"] == answer.headers["Upload-Offset"] == str(len(DATA))


async def test_an_upload_that_failed_is_never_told_as_a_success(api: Api) -> None:
    url = await begin(api.port, DATA, Repr_Digest=digest(b"other"))
    failed = await patch(api.port, url, len(DATA), b"", "?1")

    answer = await look(api.port, url)

    assert answer.status == failed.status == 400
    assert answer.headers["Upload-Complete"] == "?1"


async def test_an_unknown_upload_is_not_found(api: Api) -> None:
    answer = await look(api.port, "/v1/uploads/AAAAAAAAAAAAAAAAAAAAAAAA")

    assert answer.status == 404
    assert "Upload-Offset" not in answer.headers


async def test_the_digest_of_what_came_is_told_if_asked_for(api: Api) -> None:
    url = await begin(api.port, DATA)

    asked = await look(api.port, url, Want_Repr_Digest="sha-256=1")
    unasked = await look(api.port, url)

    assert asked.headers["Repr-Digest"] == digest(DATA)
    assert "Repr-Digest" not in unasked.headers


async def test_the_digest_of_a_complete_upload_is_that_of_the_file(api: Api) -> None:
    url = await begin(api.port, DATA)
    await patch(api.port, url, len(DATA), b"end", "?1")

    answer = await look(api.port, url, Want_Repr_Digest="sha-256=1")

    assert answer.headers["Repr-Digest"] == digest(DATA + b"end")


async def test_asking_ends_the_request_that_still_sends_and_its_offset_counts(api: Api) -> None:
    url = await begin(api.port, DATA, "a")
    async with talk(api.port) as stalled:
        await stalled.begin(
            "PATCH",
            url,
            DATA,
            Content_Type="application/partial-upload",
            Content_Length="1000000",
            Upload_Offset=str(len(DATA)),
            Upload_Complete="?0",
        )
        assert await eventually(lambda: api.services.traffic.transfers == 1)

        answer = await look(api.port, url)
        ended = await stalled.answer("PATCH")

    assert ended.status == 423
    assert len(DATA) <= answer.offset <= 2 * len(DATA)
    rest = (DATA + DATA)[answer.offset :]
    assert (await patch(api.port, url, answer.offset, rest, "?1")).status == 201
    assert await api.get("/v1/files/a") == DATA + DATA


async def test_asking_a_stalled_upload_does_not_wait_for_its_timeout(api: Api) -> None:
    url = await begin(api.port)
    async with talk(api.port) as stalled:
        await stalled.begin(
            "PATCH",
            url,
            DATA,
            Content_Type="application/partial-upload",
            Content_Length="1000000",
            Upload_Offset="0",
            Upload_Complete="?0",
        )
        assert await eventually(lambda: api.services.traffic.transfers == 1)

        async with asyncio.timeout(10):  # it may stall for sixty
            answer = await look(api.port, url)

    assert answer.status == 204


async def test_a_cancelled_upload_is_gone(api: Api) -> None:
    url = await begin(api.port, DATA)

    answer = await ask(api.port, "DELETE", url)

    assert answer.status == 204
    assert (await look(api.port, url)).status in (404, 410)
    assert (await patch(api.port, url, len(DATA), b"x")).status in (404, 410)
    incoming = api.services.settings.data / "files/.penstock/uploads"
    assert not incoming.exists() or list(incoming.iterdir()) == []


async def test_cancelling_ends_the_request_that_still_sends(api: Api) -> None:
    url = await begin(api.port)
    async with talk(api.port) as stalled:
        await stalled.begin(
            "PATCH",
            url,
            DATA,
            Content_Type="application/partial-upload",
            Content_Length="1000000",
            Upload_Offset="0",
            Upload_Complete="?1",
        )
        assert await eventually(lambda: api.services.traffic.transfers == 1)

        answer = await ask(api.port, "DELETE", url)
        ended = await stalled.answer("PATCH")

    assert answer.status == 204
    assert ended.status == 423
    assert (await look(api.port, url)).status in (404, 410)


async def test_cancelling_a_complete_upload_leaves_the_file(api: Api) -> None:
    url = await begin(api.port, DATA, "a")
    await patch(api.port, url, len(DATA), b"", "?1")

    answer = await ask(api.port, "DELETE", url)

    assert answer.status == 204
    assert await api.get("/v1/files/a") == DATA


async def test_no_answer_of_an_upload_redirects(api: Api) -> None:
    url = await begin(api.port)

    answers = [await ask(api.port, method, url) for method in ("HEAD", "GET", "DELETE")]

    assert [answer.status for answer in answers] == [204, 204, 204]


async def test_an_upload_expires_after_its_last_byte(start_api: StartApi) -> None:
    api = await start_api(upload_expiry=100.0)
    url = await begin(api.port, DATA)
    before = (await api.services.uploads.look(url.rpartition("/")[2])).expires

    await asyncio.sleep(0.01)
    await patch(api.port, url, len(DATA), b"x")

    assert (await api.services.uploads.look(url.rpartition("/")[2])).expires > before
    assert limits(await look(api.port, url))["max-age"] <= 100
