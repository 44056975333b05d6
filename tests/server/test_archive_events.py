"""The events of an archive: Server-Sent Events as those of a pull."""

import asyncio

import pytest

from tests.server.archiving import Gate, archived, begin, hasten
from tests.server.conftest import Api, StartApi
from tests.server.test_pull_events import events_in


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    api = await start_api()
    await api.put("docs/a", b"a" * 2_000_000)
    await api.put("docs/b", b"b" * 2_000_000)
    return api


async def test_progress_is_told_and_then_the_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch, api.services.store, "docs/b")
    archive = await begin(api, "docs")
    path = f"/v1/archives/{archive['id']}"
    accept = {"Accept": "text/event-stream"}
    async with asyncio.timeout(30), api.session.get(path, headers=accept) as stream:
        text = b""
        while b'"files_done": 1' not in text:
            text += await stream.content.readany()
        gate.open()
        told = events_in((text + await stream.content.read()).decode())

    assert {one.name for one in told[:-1]} == {"progress"}
    assert all(one.data["id"] == archive["id"] for one in told)
    done = [one.data["done"] for one in told]
    assert done == sorted(done)
    assert (1, 2) in {(one.data["files_done"], one.data["files"]) for one in told}
    assert told[-1].name == "done"
    assert told[-1].data["archive"]["size"] == told[-1].data["size"]


async def test_the_last_event_of_a_cancelled_archive_says_so(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch, api.services.store, "docs/b")
    archive = await begin(api, "docs")
    listening = asyncio.create_task(api.get(f"/v1/archives/{archive['id']}/events"))
    await gate.wait()
    await api.call("DELETE", f"/v1/archives/{archive['id']}")

    told = events_in((await listening).decode())

    assert (told[-1].name, told[-1].data["state"]) == ("cancelled", "cancelled")


async def test_who_comes_back_after_the_end_is_told_not_to(api: Api) -> None:
    done = await archived(api, "docs")
    path = f"/v1/archives/{done['id']}/events"

    first, body = await api.call("GET", path)
    [last] = events_in(body.decode())
    again, _ = await api.call("GET", path, Last_Event_ID=last.id)
    head, nothing = await api.call("HEAD", path)

    assert (first.status, last.name, last.data["link"]) == (200, "done", done["link"])
    assert again.status == 204
    assert (head.status, nothing) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("text/event-stream", "text/event-stream"), ("*/*", "application/json")],
)
async def test_accept_chooses_between_events_and_json(api: Api, accept: str, kind: str) -> None:
    done = await archived(api, "docs")

    response, _ = await api.call("GET", f"/v1/archives/{done['id']}", Accept=accept)

    assert (response.content_type, response.headers["Vary"]) == (kind, "Accept")
