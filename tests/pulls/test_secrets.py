"""What gives access to a source appears in no log, no answer and no event of a pull."""

import asyncio
import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

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


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """Where the server of a test keeps its own."""
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "catalog.sqlite"


async def test_a_catalog_that_refuses_a_pull_does_not_put_it_into_the_log(
    start_server: StartServer, catalog: Path
) -> None:
    server = await asyncio.to_thread(start_server, catalog=f"sqlite:///{catalog}")
    refusing = "CREATE TRIGGER no BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'no'); END"

    def refuse() -> None:
        with closing(sqlite3.connect(catalog)) as connection:
            connection.execute(refusing)

    await asyncio.to_thread(refuse)
    async with aiohttp.ClientSession(server.url) as session:
        wish = {**secretive("https://example.org/film"), "key": "film"}
        code, answer = await ask(Far(session), wish)
    assert await asyncio.to_thread(server.stop) == 0

    assert (code, SECRET in str(answer)) == (500, False)
    log = server.log.read_text()
    assert "IntegrityError" in log
    assert SECRET not in log


async def test_the_catalog_is_its_owners_alone_and_forgets_the_secrets_of_what_is_done(
    start_server: StartServer, source: Source, catalog: Path
) -> None:
    url = source.serve("/film", FILM, etag='"v1"')
    server = await asyncio.to_thread(
        start_server, catalog=f"sqlite:///{catalog}", remote_allow="127.0.0.1"
    )
    async with aiohttp.ClientSession(server.url) as session:
        _, pull = await ask(Far(session), {**secretive(url), "key": "film"})
        done = await ended(Far(session), pull)
        modes = {file.name: file.stat().st_mode & 0o777 for file in catalog.parent.glob("cat*")}

    def specs() -> list[str]:
        with closing(sqlite3.connect(catalog)) as connection:
            return [spec for (spec,) in connection.execute("SELECT spec FROM jobs")]

    (spec,) = await asyncio.to_thread(specs)
    assert (done["state"], done["url"]) == ("done", url)
    assert url in spec
    assert SECRET not in spec
    names = [f"catalog.sqlite{end}" for end in ("", "-shm", "-wal")]
    assert modes == dict.fromkeys(names, 0o600)
