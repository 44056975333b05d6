"""Long bodies, which a worker thread reads from the connection itself."""

import asyncio
import hashlib
import io
import json
import os

import pytest

from tests.eventually import eventually
from tests.server.conftest import Api, StartApi
from tests.server.drafting import Talk, look, talk

DATA = os.urandom(24 << 20)
DIGEST = hashlib.sha256(DATA).hexdigest()


async def begin(conversation: Talk, data: bytes = b"") -> None:
    """A PUT of ``DATA`` of which ``data`` is sent at once."""
    size = str(len(DATA))
    await conversation.begin("PUT", "/v1/files/a", data, Content_Length=size)


async def url_of_upload(api: Api) -> str:
    """Where the unfinished upload is, when it is there."""
    while True:
        _, body = await api.call("GET", "/v1/uploads?key=a")
        for upload in json.loads(body)["uploads"]:
            return str(upload["url"])


async def test_a_long_body_is_stored_and_the_connection_closed(api: Api) -> None:
    async with talk(api.port) as conversation:
        await begin(conversation, DATA)
        answer = await conversation.answer("PUT")

    assert (answer.status, answer.document["sha256"]) == (201, DIGEST)
    assert answer.headers["Connection"] == "close"


async def test_a_long_body_that_comes_piece_by_piece_is_stored(api: Api) -> None:
    async with talk(api.port) as conversation:
        await begin(conversation)
        for at in range(0, len(DATA), 3_000_000):
            await conversation.send(DATA[at : at + 3_000_000])
            await asyncio.sleep(0.02)
        answer = await conversation.answer("PUT")

    assert answer.document["sha256"] == DIGEST


async def test_what_came_before_the_client_left_is_kept(api: Api) -> None:
    async with talk(api.port) as conversation:
        await begin(conversation, DATA[:-1])
        url = await url_of_upload(api)
        assert await eventually(lambda: api.services.traffic.transfers == 1)

    # Reset by the client, the kernel may drop what was not read yet.
    assert await eventually(lambda: api.services.traffic.transfers == 0)
    assert 0 < (await look(api.port, url)).offset < len(DATA)


async def test_a_long_body_that_stalls_is_ended_and_kept(start_api: StartApi) -> None:
    api = await start_api(stall_timeout=1.0)
    async with talk(api.port) as conversation:
        await begin(conversation, DATA[:-1])
        answer = await conversation.answer("PUT")

    assert answer.status == 408
    assert answer.offset == len(DATA) - 1


async def test_a_resume_ends_a_silent_request(api: Api) -> None:
    async with talk(api.port) as conversation:
        await begin(conversation, DATA[:-1])
        url = await url_of_upload(api)

        async with asyncio.timeout(10):
            asked = await look(api.port, url)
            answer = await conversation.answer("PUT")

    assert (asked.status, answer.status) == (204, 423)
    assert (await look(api.port, url)).offset >= asked.offset


@pytest.mark.parametrize("clients", [6])
async def test_many_at_once_do_not_mix(api: Api, clients: int) -> None:
    bodies = [os.urandom(1000) * 24_000 for _ in range(clients)]

    async def put(number: int) -> str:
        response, _ = await api.call("PUT", f"/v1/files/{number}", io.BytesIO(bodies[number]))
        return str((await response.json())["sha256"])

    digests = await asyncio.gather(*map(put, range(clients)))

    assert digests == [hashlib.sha256(body).hexdigest() for body in bodies]
