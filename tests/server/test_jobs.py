"""``/v1/jobs`` and ``/v1/lanes``: every job, whatever its kind, and the lanes they go in."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from penstock.jobs import Jobs
from tests.faults import Source, cut, faulty, stall, status, throttle
from tests.pulls.pulling import begin, ended, hasten, pulled, standing
from tests.server.conftest import Api, StartApi
from tests.server.test_pull_events import events_in

FILM = os.urandom(2_000_003)
V1 = '"v1"'
LANES = ["large", "pull", "small"]

JobJson = dict[str, Any]


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server that may fetch from this machine and gives a try up at once."""
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


@pytest.fixture
async def idle(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    """A server that leaves all work to others."""
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", worker=False)


async def told(api: Api, path: str) -> Any:
    return json.loads(await api.get(path))


async def change(api: Api, name: str, document: Any) -> tuple[int, Any]:
    """Ask for a lane to be paused or resumed."""
    response, body = await api.call(
        "PUT", f"/v1/lanes/{name}", json.dumps(document), Content_Type="application/json"
    )
    return response.status, json.loads(body)


async def made(jobs: Jobs, **options: Any) -> str:
    """A job that nobody here does; answers its id."""
    spec = {"prefix": "photos/2024/", "key": "exports/2024.zip"}
    job, _ = await jobs.enqueue("archive", spec, **options)
    await asyncio.sleep(0.002)  # ids sort by the millisecond
    return job.id


async def test_a_pull_is_a_job_that_tells_what_it_is_about(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)
    pull = await pulled(api, f"{url}?sig=secret", headers={"X-Key": "letmein"})

    job = await told(api, f"/v1/jobs/{pull['id']}")

    assert job == {
        **{name: pull[name] for name in ("id", "created", "started", "ended", "attempts")},
        "kind": "pull",
        "lane": "pull",
        "state": "done",
        "cancelling": False,
        "done": len(FILM),
        "total": len(FILM),
        "files_done": 0,
        "files_total": None,
        "rate": None,
        "eta": None,
        "next_try": None,
        "error": None,
        "title": f"{url} → film",
    }


async def test_a_title_is_made_for_each_kind(idle: Api) -> None:
    jobs = idle.services.jobs
    archive = await made(jobs)
    whole, _ = await jobs.enqueue("archive", {"prefix": "", "key": "all.zip"})
    unknown, _ = await jobs.enqueue("unheard-of", {"secret": "letmein"})

    titles = [job["title"] for job in (await told(idle, "/v1/jobs"))["jobs"]]

    assert sorted(titles) == ["/ → all.zip", "photos/2024/ → exports/2024.zip", "unheard-of"]
    assert {job["id"] for job in (await told(idle, "/v1/jobs"))["jobs"]} == {
        *(archive, whole.id, unknown.id)
    }


async def test_jobs_are_listed_in_pages_the_newest_first(idle: Api) -> None:
    ids = [await made(idle.services.jobs) for _ in range(5)]

    first = await told(idle, "/v1/jobs?limit=3")
    second = await told(idle, f"/v1/jobs?limit=3&after={first['next']}")

    assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert second["next"] is None


async def test_jobs_of_one_kind_or_state_are_listed(idle: Api, source: Source) -> None:
    waiting, gone = [await made(idle.services.jobs) for _ in range(2)]
    await idle.services.jobs.cancel(gone)
    pull = await begin(idle, source.serve("/film", FILM))

    async def listed(query: str) -> list[str]:
        return [job["id"] for job in (await told(idle, f"/v1/jobs?{query}"))["jobs"]]

    assert await listed("state=cancelled") == [gone]
    assert await listed("kind=pull") == [pull["id"]]
    assert await listed("kind=archive&state=waiting") == [waiting]
    assert await listed("state=failed") == []


@pytest.mark.parametrize(
    "query", ["state=lost", "state=", "kind=a%00b", "kind=", "after=%20", "limit=0"]
)
async def test_what_cannot_be_listed_is_refused(idle: Api, query: str) -> None:
    response, _ = await idle.call("GET", f"/v1/jobs?{query}")

    assert response.status == 400


async def test_jobs_of_every_owner_are_seen(idle: Api) -> None:
    identity = await made(idle.services.jobs, owner="ann")

    assert (await told(idle, f"/v1/jobs/{identity}"))["id"] == identity
    assert [job["id"] for job in (await told(idle, "/v1/jobs"))["jobs"]] == [identity]


async def test_the_log_tells_what_became_of_a_job(api: Api, source: Source) -> None:
    pull = await pulled(api, source.serve("/film", FILM, etag=V1))

    lines = (await told(api, f"/v1/jobs/{pull['id']}/log"))["lines"]

    assert [line["number"] for line in lines] == [1, 2, 3]
    assert (lines[0]["text"], lines[-1]["text"]) == ("attempt 1 begun", "done")
    assert all(line["at"].endswith("Z") for line in lines)


async def test_a_job_that_waits_is_cancelled_at_once_and_twice(idle: Api) -> None:
    identity = await made(idle.services.jobs)

    for _ in range(2):
        response, body = await idle.call("DELETE", f"/v1/jobs/{identity}")
        assert (response.status, json.loads(body)["state"]) == (200, "cancelled")


async def test_a_job_that_runs_is_cancelled_soon(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))
    await standing(api, pull, lambda now: now["received"] > 0)

    response, body = await api.call("DELETE", f"/v1/jobs/{pull['id']}")

    assert (response.status, json.loads(body)["cancelling"]) == (202, True)
    assert (await ended(api, pull))["state"] == "cancelled"


async def test_a_job_that_failed_is_tried_again(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    pull = await pulled(api, url)
    failed = await told(api, f"/v1/jobs/{pull['id']}")

    response, body = await api.call("POST", f"/v1/jobs/{pull['id']}/retry")
    done = await ended(api, pull)

    assert (failed["state"], failed["error"]["code"]) == ("failed", "source-failed")
    assert failed["error"].keys() == {"code", "detail"}
    assert (response.status, json.loads(body)["error"]) == (202, None)
    assert done["state"] == "done"


async def test_what_does_not_suit_a_job_is_a_conflict(api: Api, source: Source) -> None:
    done = await pulled(api, source.serve("/film", FILM, etag=V1))

    cancelled, _ = await api.call("DELETE", f"/v1/jobs/{done['id']}")
    retried, _ = await api.call("POST", f"/v1/jobs/{done['id']}/retry")

    assert (cancelled.status, retried.status) == (409, 409)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("HEAD", "/events"),
        ("GET", "/events"),
        ("GET", "/log"),
        ("DELETE", ""),
        ("POST", "/retry"),
    ],
)
async def test_a_job_that_nobody_knows_is_not_found(idle: Api, method: str, path: str) -> None:
    response, _ = await idle.call(method, f"/v1/jobs/nothing{path}")

    assert response.status == 404


async def test_a_job_tells_its_progress_and_its_end(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[throttle(800_000)]))

    events = events_in((await api.get(f"/v1/jobs/{pull['id']}/events")).decode())

    assert {one.name for one in events[:-1]} == {"progress"}
    done = [one.data["done"] for one in events]
    assert done == sorted(done)
    assert any(0 < count < len(FILM) for count in done)
    assert (events[-1].name, events[-1].data["state"]) == ("done", "done")


async def test_lanes_are_there_before_they_have_a_job(idle: Api) -> None:
    await made(idle.services.jobs, lane="large")

    lanes = (await told(idle, "/v1/lanes"))["lanes"]

    assert [lane["name"] for lane in lanes] == LANES
    assert lanes[0] == {
        **dict.fromkeys(("running", "done", "failed", "cancelled"), 0),
        "name": "large",
        "paused": False,
        "waiting": 1,
    }


async def test_a_paused_lane_holds_its_jobs_back_until_it_is_resumed(
    api: Api, source: Source
) -> None:
    status, lane = await change(api, "pull", {"paused": True})
    pull = await begin(api, source.serve("/film", FILM, etag=V1))
    held = await told(api, "/v1/lanes")

    assert (status, lane["paused"]) == (200, True)
    assert held["lanes"][1] == {**lane, "waiting": 1}
    assert source.requests == []

    status, lane = await change(api, "pull", {"paused": False})

    assert (status, lane["paused"]) == (200, False)
    assert (await ended(api, pull))["state"] == "done"


@pytest.mark.parametrize(
    ("name", "document", "code"),
    [
        ("nothing", {"paused": True}, 404),
        ("pull%00", {"paused": True}, 404),
        ("pull", {"paused": "yes"}, 400),
        ("pull", {}, 400),
        ("pull", [], 400),
        ("pull", {"paused": True, "why": "x" * 2000}, 413),
    ],
)
async def test_what_is_no_change_of_a_lane_is_refused(
    idle: Api, name: str, document: Any, code: int
) -> None:
    assert (await change(idle, name, document))[0] == code
    assert not any(lane["paused"] for lane in (await told(idle, "/v1/lanes"))["lanes"])


async def test_a_lane_is_changed_by_json_only(idle: Api) -> None:
    response, _ = await idle.call("PUT", "/v1/lanes/pull", '{"paused": true}')

    assert response.status == 415
