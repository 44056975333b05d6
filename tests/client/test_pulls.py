"""The client has the server pull files, and watches it."""

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import aclosing

import pytest

from penstock.client import Client, PullInfo
from penstock.errors import (
    BadRequest,
    Cancelled,
    DigestMismatch,
    NotFound,
    PreconditionFailed,
    RemoteRefused,
    SourceFailed,
    WrongState,
)
from tests.client.fetching import fetching_server
from tests.client.proxy import Proxy
from tests.faults import Source, cut, stall, status, throttle
from tests.serving import RunningServer

FILM = os.urandom(2_000_003)
V1 = '"v1"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


async def stalled(client: Client, source: Source, key: str) -> PullInfo:
    """A pull of which a part has come, and no more does."""
    pull = await client.pulls.begin(
        source.serve(f"/{key}", FILM, etag=V1, faults=[stall(1_000_000)]), key
    )
    async with aclosing(client.pulls.watch(pull.id)) as stands:
        async for pull in stands:
            if pull.received >= 1_000_000:
                return pull
    raise AssertionError("it ended")


async def test_a_pull_is_waited_for(client: Client, source: Source) -> None:
    seen: list[tuple[int, int | None]] = []
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(2_000_000)])

    info = await client.pull(
        url, "waited/film", headers={"X-Key": "k"}, progress=lambda *told: seen.append(told)
    )

    assert (info.key, info.sha256) == ("waited/film", hashlib.sha256(FILM).hexdigest())
    assert seen[-1] == (len(FILM), len(FILM))
    assert any(0 < done < len(FILM) for done, _ in seen)
    assert source.requests[-1].headers["x-key"] == "k"
    assert (await client.stat("waited/film")).size == len(FILM)


@pytest.mark.parametrize(
    ("path", "more", "error"),
    [
        ("/missing", {}, SourceFailed),
        ("/film", {"sha256": "0" * 64}, DigestMismatch),
        ("/film", {"headers": {"Host": "x"}}, BadRequest),
    ],
)
async def test_what_goes_wrong_is_raised(
    client: Client, source: Source, path: str, more: dict[str, str], error: type[Exception]
) -> None:
    source.serve("/film", FILM, etag=V1)

    with pytest.raises(error):
        await client.pull(source.url + path, "wrong", **more)  # type: ignore[arg-type]


async def test_a_url_that_leads_inside_is_refused(client: Client) -> None:
    with pytest.raises(RemoteRefused, match="not a public address"):
        await client.pull("http://10.1.2.3/film", "inside")


async def test_nothing_is_replaced_that_must_not_be(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)
    await client.pull(url, "kept")

    with pytest.raises(PreconditionFailed):
        await client.pull(url, "kept", overwrite=False)


async def test_a_cancelled_pull_says_so(client: Client, source: Source) -> None:
    pull = await stalled(client, source, "cancelled")
    waiting = asyncio.create_task(client.pulls.finished(pull.id))

    cancelled = await client.pulls.cancel(pull.id)

    assert cancelled.state == "cancelled"
    with pytest.raises(Cancelled):
        (await waiting).stored()


async def test_who_stops_waiting_stops_nothing(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(1_000_000)])
    begun = await client.pulls.begin(url, "left")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.pull(url, "left"), 0.5)
    done = await client.pulls.finished(begun.id)

    assert done.state == "done"
    assert source.ranges == [None]


async def test_a_failed_pull_is_retried(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    failed = await client.pulls.finished((await client.pulls.begin(url, "retried")).id)

    await client.pulls.retry(failed.id)
    done = await client.pulls.finished(failed.id)

    assert isinstance(failed.error, SourceFailed)
    assert done.stored().size == len(FILM)
    with pytest.raises(WrongState):
        await client.pulls.retry(failed.id)
    with pytest.raises(WrongState):
        await client.pulls.cancel(failed.id)


async def test_a_watch_goes_on_over_broken_connections(
    shaky: Client, client: Client, proxy: Proxy, source: Source
) -> None:
    pull = await stalled(client, source, "watched")
    proxy.cut_answers = [300, 600, 600]  # in the head, and in the first event
    states: list[str] = []

    async with aclosing(shaky.pulls.watch(pull.id)) as stands:
        async for now in stands:
            states.append(now.state)
            if len(states) == 1:
                await client.pulls.cancel(pull.id)

    assert (states[0], states[-1]) == ("running", "cancelled")
    assert proxy.connections >= 4


async def test_pulls_are_listed_newest_first(client: Client, source: Source) -> None:
    url = source.serve("/film", b"x", etag=V1)
    made = [await client.pulls.begin(url, f"listed/{number}") for number in range(3)]

    found = [pull.id async for pull in client.pulls.list()]

    assert found[:3] == [pull.id for pull in reversed(made)]
    assert (await client.pulls.get(made[0].id)).key == "listed/0"


async def test_a_pull_that_nobody_knows_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await client.pulls.get("nothing")
    with pytest.raises(NotFound):
        await client.pulls.finished("nothing")
