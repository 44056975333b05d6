"""What gives access to a source appears in no log and in no answer."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import StartServer
from tests.faults import Fault, Source, cut, faulty, redirect, status
from tests.server.asking import Spec, get, python
from tests.serving import RunningServer

SECRET = "Sesame0pen"
FILM = random.Random(1).randbytes(400_000)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        made.serve("/good", FILM, etag='"v1"')
        made.serve("/missing", FILM, always=status(404, SECRET.encode()))
        made.serve("/failing", FILM, always=status(503, Retry_After="0"))
        made.serve("/breaking", FILM, head_faults=[Fault()], always=cut(200_000))
        made.serve("/private", FILM, always=redirect(f"http://127.0.0.2/?token={SECRET}"))
        made.serve("/nowhere", FILM, always=redirect(f"ftp://user:{SECRET}@127.0.0.1/film"))
        yield made


def secretive(url: str) -> dict[str, Any]:
    """A URL with credentials wherever they may stand."""
    scheme, _, rest = url.partition("://")
    return {
        "url": f"{scheme}://user:{SECRET}@{rest}?token={SECRET}#{SECRET}",
        "headers": {"X-Key": SECRET, "Cookie": f"key={SECRET}"},
    }


def members(source: Source) -> dict[str, dict[str, Any]]:
    """What goes well, and what goes wrong at every door on the way."""
    served = {path: secretive(source.url + path) for path in source.files}
    good = served["/good"]
    return {
        **served,
        "nobody listens": secretive("http://127.0.0.1:1/film"),
        "private": secretive("http://127.0.0.2/film"),
        "unknown scheme": secretive("ftp://127.0.0.1/film"),
        "no host": {"url": f"http://user:{SECRET}@/film?token={SECRET}"},
        "no URL": {"url": f"http://user:{SECRET}@[::1/film"},
        "credentials twice": {**good, "headers": {"Authorization": f"Bearer {SECRET}"}},
        "a header of ours": {**good, "headers": {"Range": SECRET}},
        "a header that is none": {**good, "headers": {"X-Key": f"{SECRET}\r\nX: y"}},
    }


async def answers(server: RunningServer, member: dict[str, Any]) -> list[bytes]:
    """What comes of asking for it in every way."""
    specs: list[Spec] = [{"urls": [member]}, {"urls": [member], "on_error": "report"}]
    came = [
        await python(server.url + path, spec) for path in ("/v1/zip", "/v1/zips") for spec in specs
    ]
    came.append(await get(f"{server.url}/v1/zip?url={quote(member['url'])}"))
    return [answer.body for answer in came]


async def test_credentials_are_neither_logged_nor_answered(
    start_server: StartServer, source: Source
) -> None:
    server = start_server(remote_allow="127.0.0.1", remote_tries=2, log_level="debug")
    asked = members(source).values()
    told = chain(*await asyncio.gather(*(answers(server, member) for member in asked)))
    assert server.stop() == 0
    log = server.log.read_bytes()

    basic = base64.b64encode(f"user:{SECRET}".encode())
    assert {seen.headers["authorization"] for seen in source.requests} == {
        f"Basic {basic.decode()}"
    }
    for path in ("/failing", "/breaking"):
        assert f"{source.url}{path}".encode() in log
    for text in (log, *told):
        assert SECRET.encode() not in text
        assert basic not in text
