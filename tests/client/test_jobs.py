"""The client looks at all jobs of a server, whatever their kind, and holds lanes back."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from io import BytesIO

import pytest

from penstock.client import Client, JobInfo
from penstock.errors import BadRequest, NotFound, SourceFailed, WrongState
from tests.client.fetching import fetching_server
from tests.client.proxy import Proxy
from tests.faults import Source, cut, stall, status
from tests.serving import RunningServer

FILM = os.urandom(2_000_003)
V1 = '"v1"'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    yield from fetching_server(tmp_path_factory)


@pytest.fixture
async def paused(client: Client) -> AsyncIterator[None]:
    """No pull is begun during the test."""
    await client.jobs.pause("pull")
    yield
    await client.jobs.resume("pull")


async def finished(client: Client, identity: str) -> JobInfo:
    async with aclosing(client.jobs.watch(identity)) as stands:
        return [job async for job in stands][-1]


async def stalled(client: Client, source: Source, key: str) -> JobInfo:
    """A job of which a part is done, and no more will be."""
    url = source.serve(f"/{key}", FILM, etag=V1, faults=[stall(1_000_000)])
    pull = await client.pulls.begin(url, key)
    async with aclosing(client.jobs.watch(pull.id)) as stands:
        async for job in stands:
            if job.done >= 1_000_000:
                return job
    raise AssertionError("it ended")


async def test_a_job_is_looked_at_and_watched_to_its_end(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1)
    pull = await client.pulls.begin(f"{url}?sig=secret", "watched")

    done = await finished(client, pull.id)

    assert (done.kind, done.lane, done.state) == ("pull", "pull", "done")
    assert (done.title, done.done, done.total) == (f"{url} → watched", len(FILM), len(FILM))
    assert done.has_ended
    assert await client.jobs.get(pull.id) == done
    assert JobInfo.from_json(done.to_json()) == done


async def test_jobs_are_listed_newest_first_by_state_and_kind(
    client: Client, source: Source, paused: None
) -> None:
    url = source.serve("/film", b"x", etag=V1)
    made = [(await client.pulls.begin(url, f"listed/{number}")).id for number in range(3)]
    await client.jobs.cancel(made[0])

    async def listed(**wanted: str) -> list[str]:
        return [job.id async for job in client.jobs.list(**wanted)]

    assert (await listed())[:3] == made[::-1]
    assert await listed(state="waiting", kind="pull") == made[:0:-1]
    assert made[0] in await listed(state="cancelled")
    assert await listed(kind="archive") == []
    with pytest.raises(BadRequest):
        await listed(state="lost")
    for identity in made[1:]:
        await client.jobs.cancel(identity)


async def test_the_log_tells_what_became_of_a_job(client: Client, source: Source) -> None:
    pull = await client.pulls.begin(source.serve("/film", FILM, etag=V1), "logged")
    done = await finished(client, pull.id)

    lines = await client.jobs.log(pull.id)

    assert [line.number for line in lines] == [1, 2, 3]
    assert (lines[0].text, lines[-1].text) == ("attempt 1 begun", "done")
    assert done.created <= lines[0].at <= lines[-1].at


async def test_a_job_that_runs_is_cancelled(client: Client, source: Source) -> None:
    job = await stalled(client, source, "cancelled")

    asked = await client.jobs.cancel(job.id)

    assert asked.cancelling or asked.state == "cancelled"
    assert (await finished(client, job.id)).state == "cancelled"


async def test_a_job_that_failed_is_tried_again(client: Client, source: Source) -> None:
    url = source.serve("/film", FILM, etag=V1, faults=[cut(1_000_000), status(403)])
    failed = await finished(client, (await client.pulls.begin(url, "retried")).id)

    await client.jobs.retry(failed.id)

    assert isinstance(failed.error, SourceFailed)
    assert JobInfo.from_json(failed.to_json()).to_json() == failed.to_json()
    assert (await finished(client, failed.id)).state == "done"
    for late in (client.jobs.retry, client.jobs.cancel):
        with pytest.raises(WrongState):
            await late(failed.id)


async def test_a_watch_goes_on_over_broken_connections(
    shaky: Client, client: Client, proxy: Proxy, source: Source
) -> None:
    job = await stalled(client, source, "shaky")
    proxy.cut_answers = [300, 600, 600]  # in the head, and in the first event
    states: list[str] = []

    async with aclosing(shaky.jobs.watch(job.id)) as stands:
        async for now in stands:
            states.append(now.state)
            if len(states) == 1:
                await client.jobs.cancel(job.id)

    assert (states[0], states[-1]) == ("running", "cancelled")
    assert proxy.connections >= 4


async def test_a_paused_lane_holds_its_jobs_back(client: Client, source: Source) -> None:
    paused = await client.jobs.pause("pull")
    pull = await client.pulls.begin(source.serve("/film", b"x", etag=V1), "held")

    lanes = {lane.name: lane for lane in await client.jobs.lanes()}
    assert (paused.paused, lanes["pull"].paused) == (True, True)
    assert lanes["pull"].waiting >= 1
    assert (lanes["small"].paused, lanes["small"].to_json()["waiting"]) == (False, 0)

    assert not (await client.jobs.resume("pull")).paused
    assert (await finished(client, pull.id)).state == "done"


async def test_what_nobody_knows_is_not_found(client: Client) -> None:
    jobs = client.jobs
    for ask in (jobs.get, jobs.log, jobs.cancel, jobs.retry, jobs.pause, jobs.resume):
        with pytest.raises(NotFound):
            await ask("no/thing")
    with pytest.raises(NotFound):
        await finished(client, "nothing")


@pytest.mark.parametrize("identity", ["../files/kept", "a/b", "a?b", "a b", "a\r\nb", "ü"])
async def test_no_id_leads_elsewhere(client: Client, identity: str) -> None:
    await client.put(BytesIO(b"x"), "kept")

    for ask in (client.jobs.get, client.jobs.log, client.jobs.cancel, client.jobs.retry):
        with pytest.raises(NotFound):
            await ask(identity)

    assert (await client.stat("kept")).size == 1
