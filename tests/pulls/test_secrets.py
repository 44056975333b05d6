"""What gives access to a source appears in no log, no answer and no event of a pull."""

import asyncio
import base64
from typing import Any

import aiohttp

from tests.conftest import StartServer
from tests.faults import Source, cut, redirect, status
from tests.pulls.pulling import Far, PullJson, ask, ended

SECRET = "Sesame0pen"
FILM = bytes(range(256)) * 2000


def secretive(url: str) -> dict[str, Any]:
    """A URL with credentials wherever they may stand."""
    scheme, _, rest = url.partition("://")
    return {
        "url": f"{scheme}://user:{SECRET}@{rest}?token={SECRET}#{SECRET}",
        "headers": {"X-Key": SECRET, "Cookie": f"key={SECRET}"},
    }


def wishes(source: Source) -> list[dict[str, Any]]:
    """What goes well, and what goes wrong at every door on the way."""
    urls = [
        source.serve("/good", FILM, etag='"v1"'),
        source.serve("/missing", FILM, always=status(404, SECRET.encode())),
        source.serve("/breaking", FILM, etag='"v1"', faults=[cut(200_000), status(503)]),
        source.serve("/away", FILM, always=redirect(f"http://127.0.0.2/?token={SECRET}")),
        "http://127.0.0.2/film",
        "http://127.0.0.1:1/film",
        "ftp://127.0.0.1/film",
    ]
    good = secretive(urls[0])
    return [
        *map(secretive, urls),
        {**good, "headers": {"Authorization": f"Bearer {SECRET}"}},
        {**good, "headers": {"Range": SECRET}},
        {**good, "headers": {"X-Key": f"{SECRET}\r\nX: y"}},
        {**good, "sha256": SECRET},
    ]


async def told_of(far: Far, pull: PullJson) -> list[bytes]:
    """Everything that the server says of a pull that was accepted."""
    path = f"/v1/pulls/{pull['id']}"
    requests = [
        *[("GET", path), ("DELETE", path), ("GET", f"{path}/events")],
        *[("GET", "/v1/pulls"), ("POST", f"{path}/retry")],
    ]
    return [(await far.call(method, where))[1] for method, where in requests]


async def test_credentials_are_neither_logged_nor_told(
    start_server: StartServer, source: Source
) -> None:
    server = await asyncio.to_thread(
        start_server, remote_allow="127.0.0.1", remote_tries=2, log_level="debug"
    )
    told, states = [], set()
    async with aiohttp.ClientSession(server.url) as session:
        far = Far(session)
        for number, wish in enumerate(wishes(source)):
            code, answer = await ask(far, {**wish, "key": f"film{number}"})
            told.append(str(answer).encode())
            if code == 202:
                if ":1/" not in wish["url"]:  # that one is tried again for minutes
                    states.add((await ended(far, answer))["state"])
                told += await told_of(far, answer)
    assert await asyncio.to_thread(server.stop) == 0

    basic = base64.b64encode(f"user:{SECRET}".encode())
    assert {seen.headers["authorization"] for seen in source.requests} == {
        f"Basic {basic.decode()}"
    }
    assert states == {"done", "failed"}
    log = server.log.read_bytes()
    assert f"{source.url}/breaking".encode() in log
    for text in (log, *told):
        assert SECRET.encode() not in text
        assert basic not in text
