"""``/v1/jobs/events``: all lanes and the recent jobs, for as long as somebody listens."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from penstock.errors import ServerUnavailable
from penstock.jobs import overview
from tests.eventually import eventually
from tests.faults import Source, faulty, throttle
from tests.pulls.pulling import begin, hasten
from tests.server.conftest import Api, StartApi
from tests.server.entering import PASSWORD, basic, bearer, guarded, status_of, token_for
from tests.server.test_pull_events import Told, events_in

FILM = os.urandom(2_000_003)
PATH = "/v1/jobs/events"


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", worker=False)


async def heard(stream: aiohttp.ClientResponse) -> AsyncIterator[Told]:
    """The events as they come."""
    text = b""
    while data := await stream.content.readany():
        *complete, text = (text + data).split(b"\n\n")
        for block in complete:
            for told in events_in(block.decode() + "\n\n"):
                yield told


async def until(events: AsyncIterator[Told], name: str, **holds: Any) -> Told:
    """The next event of that name of which this holds."""
    async with asyncio.timeout(30):
        async for told in events:
            if told.name == name and holds.items() <= told.data.items():
                return told
    raise AssertionError("the events ended")


def pull_lane(told: Told) -> dict[str, Any]:
    lanes: list[dict[str, Any]] = told.data["lanes"]
    return next(lane for lane in lanes if lane["name"] == "pull")


async def both(events: AsyncIterator[Told], *, lane: dict[str, Any], job: dict[str, Any]) -> None:
    """Wait until these are told of the lane of pulls and of a job: either may be seen first."""
    missing = {"lanes": lane, "job": job}
    async with asyncio.timeout(30):
        async for told in events:
            holds = pull_lane(told) if told.name == "lanes" else told.data
            if missing.get(told.name, {"": ""}).items() <= holds.items():
                del missing[told.name]
            if not missing:
                return
    raise AssertionError("the events ended")


async def test_first_comes_everything_as_it_stands(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM))

    async with api.session.get(PATH) as stream:
        events = heard(stream)
        lanes, job = await anext(events), await anext(events)

    assert stream.content_type == "text/event-stream"
    assert (lanes.name, pull_lane(lanes)["waiting"]) == ("lanes", 1)
    assert (job.name, job.data["id"]) == ("job", pull["id"])
    assert job.data == json.loads(await api.get(f"/v1/jobs/{pull['id']}"))


async def test_then_comes_what_changes(api: Api, source: Source) -> None:
    async with api.session.get(PATH) as stream:
        events = heard(stream)
        assert pull_lane(await until(events, "lanes"))["waiting"] == 0

        pull = await begin(api, source.serve("/film", FILM))
        await both(events, lane={"waiting": 1}, job={"id": pull["id"], "state": "waiting"})

        await api.call("DELETE", f"/v1/jobs/{pull['id']}")
        await both(events, lane={"cancelled": 1}, job={"id": pull["id"], "state": "cancelled"})

        await api.services.jobs.pause("pull")
        assert pull_lane(await until(events, "lanes"))["paused"]


async def test_a_job_that_runs_tells_how_far_it_is(
    start_api: StartApi, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    api = await start_api(remote_allow="127.0.0.1")
    async with api.session.get(PATH) as stream:
        events = heard(stream)
        pull = await begin(
            api, source.serve("/film", FILM, etag='"v1"', faults=[throttle(1_000_000)])
        )

        seen = [await until(events, "job", id=pull["id"])]
        while seen[-1].data["ended"] is None:
            seen.append(await until(events, "job", id=pull["id"]))

    done = [told.data["done"] for told in seen]
    assert done == sorted(done)
    assert any(0 < count < len(FILM) for count in done)
    assert seen[-1].data["state"] == "done"


async def test_many_listeners_ask_the_catalog_as_one(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = api.services.jobs
    looks, watched = 0, jobs._overview._queue.recent

    async def counted(most: int) -> dict[str, int]:
        nonlocal looks
        looks += 1
        return await watched(most)

    monkeypatch.setattr(jobs._overview._queue, "recent", counted)
    streams = [await api.session.get(PATH) for _ in range(20)]
    try:
        started = asyncio.get_running_loop().time()
        before = looks
        pull = await begin(api, source.serve("/film", FILM))
        await asyncio.gather(*(until(heard(one), "job", id=pull["id"]) for one in streams))
        passed = asyncio.get_running_loop().time() - started
    finally:
        for one in streams:
            one.close()

    assert looks - before <= passed / jobs.limits.poll + 1


async def test_when_nobody_listens_the_catalog_is_left_alone_until_somebody_does(
    api: Api, source: Source
) -> None:
    view = api.services.jobs._overview
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
        for _ in range(3):
            async with session.get(PATH) as stream:
                assert (await anext(heard(stream))).name == "lanes"
            assert await eventually(lambda: not view._watching, 20)
        assert await eventually(lambda: view._looking is not None and view._looking.done(), 20)

    pull = await begin(api, source.serve("/film", FILM))
    async with api.session.get(PATH) as stream:
        await until(heard(stream), "job", id=pull["id"])


async def test_only_recent_jobs_are_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MOST", 3)
    made = []
    for _ in range(6):
        job, _ = await api.services.jobs.enqueue("archive", {"prefix": "a/", "key": "a.zip"})
        made.append(job.id)
        await asyncio.sleep(0.002)
    await api.services.jobs.cancel(made[0])

    async with api.session.get(PATH) as stream:
        events = heard(stream)
        await until(events, "lanes")
        told = {(await anext(events)).data["id"] for _ in range(4)}

    assert told == {made[0], *made[3:]}


async def test_head_tells_of_events_without_sending_any(api: Api) -> None:
    response, body = await api.call("HEAD", PATH)

    assert (response.status, body) == (200, b"")
    assert response.headers["Content-Type"] == "text/event-stream"


async def test_a_server_that_closes_ends_the_stream(api: Api) -> None:
    async with api.session.get(PATH) as stream:
        events = heard(stream)
        assert (await anext(events)).name == "lanes"

        await api.services.jobs.close()

        async with asyncio.timeout(30):
            assert [told async for told in events if told.name != ":"] == []
    late, _ = await api.call("GET", PATH)
    assert (late.status, late.headers["Retry-After"]) == (503, "5")


async def test_who_may_not_be_let_in_now_hears_the_end(start_api: StartApi) -> None:
    api = await guarded(start_api)
    async with api.session.get(PATH, headers=basic("admin", PASSWORD)) as stream:
        events = heard(stream)
        assert (await anext(events)).name == "lanes"

        await _guess_too_often(api)
        await api.services.jobs.pause("pull")

        # It is ended, not cut: that would be an error here.
        async with asyncio.timeout(30):
            assert [told async for told in events] == []


async def _guess_too_often(api: Api) -> None:
    """Have so many tries wait that no more are heard for a while."""

    async def guess() -> int:
        return await status_of(api, "GET", "/v1/files", basic("admin", "wrong"))

    async with asyncio.timeout(60):
        guesses = [asyncio.create_task(guess()) for _ in range(30)]
        for answer in asyncio.as_completed(guesses):
            if await answer == 429:
                break
    for left in guesses:
        left.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def test_a_catalog_that_is_away_ends_the_stream(
    start_api: StartApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await guarded(start_api)
    async with api.session.get(PATH, headers=bearer(await token_for(api, "archive"))) as stream:
        events = heard(stream)
        assert (await anext(events)).name == "lanes"

        async def away(*_: object) -> None:
            raise ServerUnavailable("the catalog does not answer")

        monkeypatch.setattr(api.services.access, "grant_of", away)
        await api.services.jobs.pause("pull")

        async with asyncio.timeout(30):
            assert [told async for told in events] == []
