"""``penstock pull`` and ``penstock pulls``: what a person and a script see."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cli.running import Cli, Ran, kinds
from tests.client.fetching import fetching_server
from tests.faults import Source, cut, faulty, stall, status
from tests.serving import RunningServer

FILM = os.urandom(2_000_003)
V1 = '"v1"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


async def run(penstock: Cli, *arguments: str) -> Ran:
    """Run a command while the source, which lives in the test's loop, goes on."""
    return await asyncio.to_thread(penstock, *arguments)


async def content(penstock: Cli, key: str) -> bytes:
    return (await run(penstock, "get", key, "-o", "-")).out


async def detached(penstock: Cli, url: str, key: str) -> str:
    """The id of a pull that nobody waits for."""
    ran = await run(penstock, "pull", url, key, "--detach", "--json")
    assert ran.code == 0
    return str(ran.messages[0]["id"])


async def test_a_file_is_pulled_to_its_key(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)

    ran = await run(penstock, "pull", url, "films/one", "--header", "X-Key: letmein")

    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == ["films/one  1.9 MiB"]
    assert await content(penstock, "films/one") == FILM
    assert {seen.headers["x-key"] for seen in source.requests} == {"letmein"}


@pytest.mark.parametrize(
    ("arguments", "key"), [([], "the film.mkv"), (["into/"], "into/the film.mkv")]
)
async def test_without_a_key_the_url_names_the_file(
    penstock: Cli, source: Source, arguments: list[str], key: str
) -> None:
    url = source.serve("/a/the%20film.mkv", b"x", etag=V1)

    ran = await run(penstock, "pull", f"{url}?sig=secret", *arguments)

    assert ran.lines == [f"{key}  1 B"]
    assert await content(penstock, key) == b"x"


async def test_json_tells_the_pull_and_what_became_of_it(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)

    ran = await run(penstock, "pull", f"{url}?sig=secret", "json", "--json")

    begun, done, summary = ran.messages
    assert kinds(ran.messages) == ["pull", "pull", "summary"]
    assert (begun["url"], begun["file"]) == (url, None)
    assert done["id"] == begun["id"]
    assert done["file"]["sha256"] == hashlib.sha256(FILM).hexdigest()
    assert (summary["bytes"], summary["exit_code"]) == (len(FILM), 0)


@pytest.mark.parametrize(
    ("path", "more", "code", "told"),
    [
        ("/missing?sig=secret", [], 5, "/missing cannot be read: HTTP 404"),
        ("/film", ["--sha256", "0" * 64], 7, "SHA-256"),
    ],
)
async def test_what_goes_wrong_is_told(
    penstock: Cli, source: Source, path: str, more: list[str], code: int, told: str
) -> None:
    source.serve("/film", FILM, etag=V1)

    ran = await run(penstock, "pull", source.url + path, "wrong", *more)

    assert ran.code == code
    assert ran.err.startswith("penstock: error: ")
    assert told in ran.err
    assert "secret" not in ran.err


async def test_nothing_is_replaced_that_must_not_be(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", b"new", etag=V1)
    await asyncio.to_thread(penstock, "put", "-", "--to", "kept", stdin=b"old")

    ran = await run(penstock, "pull", url, "kept", "--no-overwrite")

    assert ran.code == 6
    assert await content(penstock, "kept") == b"old"


def test_a_url_that_leads_inside_is_refused(penstock: Cli) -> None:
    ran = penstock("pull", "http://user:secret@10.0.0.1/x?sig=secret")

    assert ran.code == 6
    assert "http://10.0.0.1/x is not a public address" in ran.err
    assert "secret" not in ran.err


async def test_an_interrupted_command_leaves_the_pull_to_the_server(
    penstock: Cli, source: Source
) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[stall(1_000_000)])
    process = penstock.start(
        *("pull", url, "left", "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    identity = json.loads(await asyncio.to_thread(process.stdout.readline))["id"]
    await source.until(lambda: source.sent >= 1_000_000)

    process.send_signal(signal.SIGINT)
    out, _ = await asyncio.to_thread(process.communicate, timeout=30)
    shown = await run(penstock, "pulls", identity)
    cancelled = await run(penstock, "pulls", identity, "--cancel")

    assert process.returncode == 130
    goes_on, interrupted, _ = map(json.loads, out.splitlines()[-3:])
    assert (goes_on["id"], goes_on["ended"]) == (identity, None)
    assert interrupted["code"] == "interrupted"
    assert shown.lines[0].startswith(f"{identity}  running  ")
    assert cancelled.lines == [f"{identity}  cancelled  left"]
    assert (await run(penstock, "get", "left", "-o", "-")).code == 4


async def test_an_interrupted_command_tells_where_to_look(penstock: Cli, source: Source) -> None:
    down = status(503, Retry_After="200")
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), down])
    process = penstock.start("pull", url, "look", stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert b"the server tries again at" in await asyncio.to_thread(process.stderr.readline)

    process.send_signal(signal.SIGINT)
    _, error = await asyncio.to_thread(process.communicate, timeout=30)

    hint, interrupted = error.decode().splitlines()
    identity = hint.split("penstock pulls ")[1].split()[0]
    assert hint.startswith("penstock: the server goes on; ")
    assert interrupted == "penstock: error: interrupted"
    assert (await run(penstock, "pulls", identity, "--cancel")).code == 0


async def test_a_source_in_trouble_is_told_while_it_is_waited_for(
    penstock: Cli, source: Source
) -> None:
    down = status(503, Retry_After="1")
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), down])

    ran = await run(penstock, "pull", url, "trouble")

    assert (ran.code, ran.lines) == (0, ["trouble  1.9 MiB"])
    assert "/film cannot be read: HTTP 503; the server tries again at" in ran.err
    assert await content(penstock, "trouble") == FILM


async def test_a_pull_is_detached_watched_and_listed(penstock: Cli, source: Source) -> None:
    identity = await detached(penstock, source.serve("/film", FILM, etag=V1), "detached")

    watched = await run(penstock, "pulls", identity, "--watch")
    listed = await run(penstock, "pulls")

    assert watched.lines == ["detached  1.9 MiB"]
    assert listed.lines[0] == f"{identity}  done  1.9 MiB  detached"


async def test_a_failed_pull_is_retried(penstock: Cli, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    identity = await detached(penstock, url, "retried")
    failed = await run(penstock, "pulls", identity, "--watch")

    retried = await run(penstock, "pulls", identity, "--retry")
    watched = await run(penstock, "pulls", identity, "--watch")

    assert (failed.code, retried.code, watched.code) == (5, 0, 0)
    assert await content(penstock, "retried") == FILM


@pytest.mark.parametrize(
    "arguments",
    [
        ["pull"],
        ["pull", "https://example.org/"],
        ["pull", "https://example.org/x", "--sha256", "secret"],
        ["pull", "https://example.org/x", "--header", "secret"],
        ["pull", "https://example.org/x", "--header", "X-Key: secret\n"],
        ["pull", "https://example.org/x", "--header", "X-Key: secret€"],
        ["pull", "ftp://example.org/secret", "x"],
        ["pulls", "--cancel"],
    ],
)
def test_usage_is_2_and_tells_no_secret(penstock: Cli, arguments: list[str]) -> None:
    ran = penstock(*arguments)

    assert ran.code == 2
    assert "secret" not in ran.err


def test_a_pull_that_nobody_knows_is_not_found(penstock: Cli) -> None:
    assert penstock("pulls", "nothing").code == 4
