"""``104 Upload Resumption Supported``: only to who asks, and never of bytes that may be lost."""

import asyncio
import http.client

import pytest

from tests.server.conftest import Api
from tests.server.drafting import DATA, OCTETS, Talk, begin, limits, look, patch, put, talk

MIB = 1 << 20


@pytest.mark.parametrize("version", ["3", "5", "6", "8"])
async def test_a_creation_tells_where_the_upload_is(api: Api, version: str) -> None:
    mark = {"Upload_Incomplete": "?1"} if version == "3" else {"Upload_Complete": "?0"}

    answer = await put(api.port, "a", DATA, Upload_Draft_Interop_Version=version, **mark)

    (interim,) = answer.interim
    assert interim.status == 104
    assert interim.headers["Upload-Draft-Interop-Version"] == version
    assert interim.headers["Location"] == answer.headers["Location"]
    assert "max-size" in limits(interim)
    assert "Upload-Offset" not in interim.headers


async def test_a_whole_creation_tells_where_the_upload_is(api: Api) -> None:
    answer = await put(api.port, "a", DATA, Upload_Draft_Interop_Version="8", Upload_Complete="?1")

    assert [head.status for head in answer.interim] == [104]
    assert answer.interim[0].headers["Location"].startswith("/v1/uploads/")
    assert answer.headers["Location"] == "/v1/files/a"


@pytest.mark.parametrize("version", [None, "", "1", "4", "7", "9", "8.5", "eight"])
async def test_without_a_known_version_nothing_comes_before_the_answer(
    api: Api, version: str | None
) -> None:
    fields = {} if version is None else {"Upload_Draft_Interop_Version": version}

    created = await put(api.port, "a", DATA, Upload_Complete="?0", **fields)
    appended = await patch(api.port, created.headers["Location"], len(DATA), DATA, **fields)

    assert created.status == 201
    assert appended.status in (201, 204)
    assert created.interim == appended.interim == []


async def test_a_client_that_takes_any_interim_response_for_the_answer_gets_the_answer(
    api: Api,
) -> None:
    def upload() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
        connection.request("PUT", "/v1/files/a", DATA, {"Upload-Complete": "?1"})
        status = connection.getresponse().status
        connection.close()
        return status

    assert await asyncio.to_thread(upload) == 201


async def test_http_1_0_has_no_interim_responses(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            DATA,
            http="1.0",
            Content_Length=str(len(DATA)),
            Upload_Complete="?1",
            Upload_Draft_Interop_Version="8",
        )
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.interim) == (201, [])


async def test_100_continue_is_sent_as_well(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            Content_Length=str(len(DATA)),
            Expect="100-continue",
            Upload_Complete="?1",
            Upload_Draft_Interop_Version="8",
        )
        heads = [await conversation.head(), await conversation.head()]
        await conversation.send(DATA)
        answer = await conversation.answer("PUT")

    assert sorted(head.status for head in heads) == [100, 104]
    assert answer.status == 201


async def progress(conversation: Talk) -> int:
    """Send 1 MiB at a time until the server tells an offset; answers it."""
    told = asyncio.create_task(conversation.head())
    sent = 0
    while not told.done():
        await conversation.send(bytes(MIB))
        sent += MIB
        await asyncio.sleep(0.1)
    head = await told
    assert head.status == 104
    assert head.headers["Upload-Draft-Interop-Version"] == "8"
    assert "Location" not in head.headers
    assert 0 < int(head.headers["Upload-Offset"]) <= sent
    return int(head.headers["Upload-Offset"])


async def test_an_append_tells_how_much_is_durable(api: Api) -> None:
    url = await begin(api.port)
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PATCH",
            url,
            Content_Type=OCTETS,
            Content_Length=str(1 << 40),
            Upload_Offset="0",
            Upload_Complete="?0",
            Upload_Draft_Interop_Version="8",
        )
        told = await progress(conversation)
        (upload,) = await api.services.uploads.open_for("file.bin")

    assert upload.offset >= told
    assert (await look(api.port, url)).offset >= told


async def test_a_creation_tells_how_much_is_durable(api: Api) -> None:
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PUT",
            "/v1/files/a",
            Content_Length=str(1 << 30),
            Upload_Complete="?1",
            Upload_Draft_Interop_Version="8",
        )
        url = (await conversation.head()).headers["Location"]
        told = await progress(conversation)

    assert (await look(api.port, url)).offset >= told


async def test_bytes_under_an_announced_digest_are_not_acknowledged_early(api: Api) -> None:
    url = await begin(api.port)
    field = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PATCH",
            url,
            Content_Type=OCTETS,
            Content_Length=str(40 * MIB),
            Content_Digest=field,
            Upload_Offset="0",
            Upload_Complete="?0",
            Upload_Draft_Interop_Version="8",
        )
        for _ in range(40):
            await conversation.send(bytes(MIB))
            await asyncio.sleep(0.07)
        answer = await conversation.answer("PATCH")

    assert (answer.status, answer.interim) == (400, [])
    assert (await look(api.port, url)).offset == 0


async def test_a_client_that_does_not_read_is_not_waited_for(api: Api) -> None:
    url = await begin(api.port, b"", "a")
    async with talk(api.port) as conversation:
        await conversation.begin(
            "PATCH",
            url,
            Content_Type=OCTETS,
            Content_Length=str(64 * MIB),
            Upload_Offset="0",
            Upload_Complete="?1",
            Upload_Draft_Interop_Version="8",
        )
        for _ in range(64):
            await conversation.send(bytes(MIB))
        answer = await conversation.answer("PATCH")

    assert answer.status == 201
    assert all(head.status == 104 for head in answer.interim)


async def test_plain_puts_get_no_interim_response_whatever_their_size(api: Api) -> None:
    answer = await put(api.port, "a", bytes(9 * MIB))

    assert (answer.status, answer.interim) == (201, [])
