"""A real ``EventSource`` watches a pull: events, coming back by itself, and the end."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.client.fetching import fetching_server
from tests.faults import Source, faulty, stall, throttle
from tests.pages.line import Line
from tests.pages.visiting import Visit
from tests.pulls.pulling import Far, PullJson, begin, standing
from tests.serving import RunningServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

FILM = bytes(range(256)) * 8000

_WATCH = """
(path) => new Promise((resolve) => {
  const told = window.told = [];
  let opened = 0;
  const source = new EventSource(path);
  source.onopen = () => { opened += 1; };
  for (const name of ["progress", "done", "failed", "cancelled", "message"]) {
    source.addEventListener(name, (event) => {
      told.push([name, event.lastEventId, JSON.parse(event.data).state]);
    });
  }
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) resolve({told, opened});
  };
})
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


@pytest_asyncio.fixture(loop_scope="module")
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


async def watched(visit: Visit, pull: PullJson) -> dict[str, Any]:
    """What an ``EventSource`` on the page tells until it is told not to come back."""
    told: dict[str, Any] = await visit.page.evaluate(_WATCH, f"/v1/pulls/{pull['id']}/events")
    return told


@pytest_asyncio.fixture(loop_scope="module")
async def far_server(server: RunningServer) -> AsyncIterator[Far]:
    async with aiohttp.ClientSession(server.url) as session:
        yield Far(session)


async def test_an_event_source_hears_of_progress_and_of_the_end_once(
    visit: Visit, far_server: Far, source: Source
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[throttle(1_000_000)])
    await visit.go()

    heard = await watched(visit, await begin(far_server, url))

    names = [name for name, _, _ in heard["told"]]
    assert set(names[:-1]) == {"progress"}
    assert (names[-1], heard["told"][-1][2]) == ("done", "done")
    # It came back once, as it must, and was told by 204 that there is nothing more.
    assert heard["opened"] == 1


async def test_an_event_source_comes_back_after_a_broken_connection(
    far: Visit, line: Line, far_server: Far, source: Source
) -> None:
    url = source.serve("/film", FILM, etag='"v1"', faults=[stall(1_000_000)])
    await far.go()
    pull = await begin(far_server, url)
    watching = asyncio.create_task(watched(far, pull))
    await standing(far_server, pull, lambda now: now["received"] >= 1_000_000)
    await far.page.wait_for_function("window.told.some(([, , state]) => state === 'running')")

    line.cut()
    await far_server.call("DELETE", f"/v1/pulls/{pull['id']}")
    line.release()
    heard = await watching

    names = [name for name, _, _ in heard["told"]]
    assert (names[0], names[-1], names.count("cancelled")) == ("progress", "cancelled", 1)
    assert heard["opened"] == 2
