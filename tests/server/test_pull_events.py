"""The events of a pull: Server-Sent Events as WHATWG HTML §9.2 has them."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import aiohttp
import pytest

from penstock.server import events
from tests.eventually import eventually
from tests.faults import Source, cut, faulty, stall, status, throttle
from tests.pulls.pulling import begin, hasten, pulled, standing
from tests.server.conftest import Api, StartApi

FILM = os.urandom(2_000_003)
V1 = '"v1"'


class Told(NamedTuple):
    """One event, or a comment if ``name`` is a colon."""

    name: str
    id: str
    data: dict[str, Any]


def events_in(text: str) -> list[Told]:
    """The events of a stream, written down by the letter of the standard."""
    told = []
    assert text.endswith("\n\n")
    for block in text.removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            told.append(Told(":", "", {}))
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.keys() <= {"id", "event", "data", "retry"}
        told.append(Told(fields["event"], fields["id"], json.loads(fields["data"])))
    return told


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=1)


async def curl(api: Api, pull_id: str, *words: str) -> str:
    """What ``curl`` prints of a stream that ends by itself."""
    program = shutil.which("curl")
    if program is None:
        pytest.skip("curl is not installed")
    url = f"http://127.0.0.1:{api.port}/v1/pulls/{pull_id}"
    process = await asyncio.create_subprocess_exec(
        *(program, "-sSN", "-m", "60", *words, url), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


async def test_curl_sees_progress_and_the_end(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[throttle(800_000)])
    pull = await begin(api, url)

    told = events_in(await curl(api, pull["id"], "-H", "Accept: text/event-stream"))

    assert {one.name for one in told[:-1]} == {"progress"}
    assert len(told) >= 3
    assert all(one.data["id"] == pull["id"] for one in told)
    received = [one.data["received"] for one in told]
    assert received == sorted(received)
    assert any(0 < count < len(FILM) for count in received)
    assert told[-1].name == "done"
    assert told[-1].data["file"]["size"] == len(FILM)


@pytest.mark.parametrize(("fault", "end"), [(status(404), "failed"), (stall(1000), "cancelled")])
async def test_the_last_event_says_how_it_ended(
    api: Api, source: Source, fault: Any, end: str
) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[fault]))
    listening = asyncio.create_task(api.get(f"/v1/pulls/{pull['id']}/events"))
    if end == "cancelled":
        await standing(api, pull, lambda now: now["received"] > 0)
        await api.call("DELETE", f"/v1/pulls/{pull['id']}")

    told = events_in((await listening).decode())

    assert [one.name for one in told].count(end) == 1
    assert (told[-1].name, told[-1].data["state"]) == (end, end)


async def test_of_a_pull_that_has_ended_there_is_one_event(api: Api, source: Source) -> None:
    done = await pulled(api, source.serve("/film", FILM, etag=V1))

    response, body = await api.call("GET", f"/v1/pulls/{done['id']}/events")

    assert [one.name for one in events_in(body.decode())] == ["done"]
    assert response.headers["Content-Type"] == "text/event-stream"
    assert "no-cache" in response.headers["Cache-Control"]


async def test_who_comes_back_after_the_end_is_told_not_to(api: Api, source: Source) -> None:
    done = await pulled(api, source.serve("/film", FILM, etag=V1))
    path = f"/v1/pulls/{done['id']}/events"
    [last] = events_in((await api.get(path)).decode())

    again, body = await api.call("GET", path, Last_Event_ID=last.id)
    earlier, _ = await api.call("GET", path, Last_Event_ID="0")
    nonsense, _ = await api.call("GET", path, Last_Event_ID="no number, 'or' 1=1")

    assert (again.status, body) == (204, b"")
    assert (earlier.status, nonsense.status) == (200, 200)


async def test_a_pull_that_is_retried_is_watched_again(api: Api, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    failed = await pulled(api, url)
    path = f"/v1/pulls/{failed['id']}/events"
    [last] = events_in((await api.get(path)).decode())
    await api.call("POST", f"/v1/pulls/{failed['id']}/retry")

    response, body = await api.call("GET", path, Last_Event_ID=last.id)

    assert response.status == 200
    assert events_in(body.decode())[-1].name == "done"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/event-stream", "text/event-stream"),
        ("application/json;q=0.5, Text/Event-Stream; q=0.9", "text/event-stream"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/event-stream;q=0", "application/json"),
    ],
)
async def test_accept_chooses_between_events_and_json(
    api: Api, source: Source, accept: str, kind: str
) -> None:
    done = await pulled(api, source.serve("/film", b"x", etag=V1))

    response, _ = await api.call("GET", f"/v1/pulls/{done['id']}", Accept=accept)

    assert (response.content_type, response.headers["Vary"]) == (kind, "Accept")


async def test_head_tells_of_events_without_sending_any(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))

    response, body = await api.call("HEAD", f"/v1/pulls/{pull['id']}/events")

    assert (response.status, body) == (200, b"")
    assert response.headers["Content-Type"] == "text/event-stream"


async def test_comments_keep_a_silent_stream_alive(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.1)
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))
    async with asyncio.timeout(30), api.session.get(f"/v1/pulls/{pull['id']}/events") as stream:
        text = b""
        while text.count(b"\n:") < 3:
            text += await stream.content.readany()
        await api.call("DELETE", f"/v1/pulls/{pull['id']}")
        told = events_in((text + await stream.content.read()).decode())

    assert [one.name for one in told].count(":") >= 3
    assert told[-1].name == "cancelled"


async def test_a_listener_that_leaves_is_forgotten(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}") as session:
        responses = [await session.get(f"/v1/pulls/{pull['id']}/events") for _ in range(5)]
        for response in responses:
            assert await response.content.readline()
        streams = api.services.jobs._watchers._watchers
        before = len(streams[pull["id"]])
        for response in responses:
            response.close()

        assert before == 5
        assert await eventually(lambda: not streams, 20)


async def test_no_more_may_listen_than_can_be_served(
    api: Api, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST", 1)
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))
    path = f"/v1/pulls/{pull['id']}/events"
    async with api.session.get(path) as first:
        assert await first.content.readline()

        refused, _ = await api.call("GET", path)
        as_json, _ = await api.call("GET", f"/v1/pulls/{pull['id']}")

    assert (refused.status, refused.headers["Retry-After"], as_json.status) == (503, "5", 200)


async def test_many_listeners_hear_the_same(api: Api, source: Source) -> None:
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[throttle(1_500_000)]))

    heard = await asyncio.gather(*(api.get(f"/v1/pulls/{pull['id']}/events") for _ in range(30)))

    assert {events_in(one.decode())[-1].name for one in heard} == {"done"}


async def test_a_server_that_closes_ends_the_streams(start_api: StartApi, source: Source) -> None:
    api = await start_api(remote_allow="127.0.0.1")
    pull = await begin(api, source.serve("/film", FILM, etag=V1, faults=[stall(1000)]))
    listening = asyncio.create_task(api.get(f"/v1/pulls/{pull['id']}/events"))
    await standing(api, pull, lambda now: now["received"] > 0)

    await api.services.worker.close()
    await api.services.jobs.close()
    told = events_in((await asyncio.wait_for(listening, 30)).decode())

    assert told[-1].name == "progress"
    late, _ = await api.call("GET", f"/v1/pulls/{pull['id']}/events")
    assert (late.status, late.headers["Retry-After"]) == (503, "5")
