"""Lanes: what is in them, and how they are held back and let go."""

import asyncio
from contextlib import aclosing

import pytest

from penstock.catalog.leases import Claim, Leases, Progress
from penstock.errors import NotFound
from penstock.jobs import Jobs, Lane, State
from tests.jobs.conftest import (
    Held,
    OpenJobs,
    StartWorker,
    answering,
    ended,
    queued,
    reached,
)


async def claimed(leases: Leases, *lanes: str, lease: float = 60.0, ends: int = 0) -> list[str]:
    """The ids of the jobs that a worker with a place in each lane gets."""
    rows = await leases.claim("me", dict.fromkeys(lanes, 1), ["test"], lease, ends)
    return [row.id for row in rows]


async def test_jobs_are_counted_by_lane_and_state(jobs: Jobs, leases: Leases) -> None:
    for lane in ("small", "small", "other"):
        await queued(jobs, lane=lane)
    await jobs.cancel((await queued(jobs, lane="other")).id)
    await claimed(leases, "small")

    assert await jobs.lanes() == [
        Lane("large", paused=False),
        Lane("other", paused=False, waiting=1, cancelled=1),
        Lane("small", paused=False, waiting=1, running=1),
    ]


async def test_of_a_paused_lane_no_job_is_begun(jobs: Jobs, leases: Leases) -> None:
    held, other = await queued(jobs, lane="small"), await queued(jobs, lane="large")

    assert (await jobs.pause("small")).paused

    assert await claimed(leases, "small", "large") == [other.id]
    assert not (await jobs.resume("small")).paused
    assert await claimed(leases, "small", "large") == [held.id]


async def test_a_lane_stays_paused_for_everybody(jobs: Jobs, open_jobs: OpenJobs) -> None:
    await queued(jobs)
    for _ in range(2):
        await jobs.pause("small")

    elsewhere = open_jobs()

    assert [lane.paused for lane in await elsewhere.lanes()] == [False, True]
    assert await claimed(elsewhere.leases, "small") == []
    await elsewhere.resume("small")
    assert [lane.paused for lane in await jobs.lanes()] == [False, False]


@pytest.mark.parametrize("name", ["nothing", "", "\0", "\udcff"])
async def test_there_are_only_so_many_lanes(jobs: Jobs, name: str) -> None:
    with pytest.raises(NotFound):
        await jobs.pause(name)
    with pytest.raises(NotFound):
        await jobs.resume(name)


async def test_a_job_that_runs_goes_on_when_its_lane_is_paused(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    held = Held()
    start_worker(held)
    job = await queued(jobs)
    await held.begun()

    await jobs.pause("small")
    held.release.set()

    assert (await ended(jobs, job)).state is State.DONE


async def test_a_job_that_was_begun_goes_on_elsewhere_if_its_worker_dies(
    jobs: Jobs, leases: Leases
) -> None:
    job = await queued(jobs)
    assert await claimed(leases, "small", lease=-1) == [job.id]
    waiting = await queued(jobs)

    await jobs.pause("small")

    assert await claimed(leases, "small") == [job.id]
    assert (await jobs.get(waiting.id)).state is State.WAITING


async def test_a_job_that_is_to_be_tried_again_waits_for_its_lane(
    jobs: Jobs, leases: Leases
) -> None:
    job = await queued(jobs)
    (row,) = await leases.claim("me", {"small": 1}, ["test"], 60)
    await jobs.pause("small")
    await leases.postpone(Claim(row.id, row.token), -1.0, "later", "{}")

    assert await claimed(leases, "small") == []

    await jobs.resume("small")
    assert await claimed(leases, "small") == [job.id]


async def test_a_cancelled_job_of_a_paused_lane_is_ended(
    jobs: Jobs, leases: Leases, start_worker: StartWorker
) -> None:
    job, held = await queued(jobs), Held()
    (row,) = await leases.claim("me", {"small": 1}, ["test"], 60)
    claim = Claim(row.id, row.token)
    await leases.save(claim, "a", '{"part":3}', 60, Progress())
    await leases.postpone(claim, 3600.0, "later", "{}")
    await jobs.pause("small")

    assert (await jobs.cancel(job.id)).cancelling
    start_worker(held)

    assert (await ended(jobs, job)).state is State.CANCELLED
    assert held.runs == []


async def test_workers_everywhere_heed_a_pause_and_its_end(
    jobs: Jobs, open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    here = open_jobs()
    for on in (jobs, here):
        start_worker(answering({}), on)
    await here.pause("small")
    held = [await queued(jobs) for _ in range(5)]
    other = await queued(jobs, lane="large")
    await ended(jobs, other)

    assert {(await jobs.get(job.id)).attempts for job in held} == {0}

    await jobs.resume("small")
    for job in held:
        await reached(jobs, job, lambda now: now.state is State.DONE)


async def test_all_jobs_are_watched_at_once(jobs: Jobs, leases: Leases) -> None:
    first = await queued(jobs, owner="ann", spec={"url": "x"})
    (row,) = await leases.claim("me", {"small": 1}, ["test"], 60)
    await leases.save(Claim(row.id, row.token), "a", '{"part":3}', 60, Progress(done=3))

    async with asyncio.timeout(60), aclosing(jobs.watch_all()) as watch:
        changes = await anext(watch)
        assert changes.lanes == await jobs.lanes()
        # What may be large is not read.
        [job] = changes.jobs
        assert (job.id, job.spec, job.done, job.checkpoint) == (first.id, {"url": "x"}, 3, {})

        second = await queued(jobs)
        seen = [await anext(watch)]
        while seen[-1].lanes is None:
            seen.append(await anext(watch))
        assert seen[-1].lanes == await jobs.lanes()
        assert [job.id for changes in seen for job in changes.jobs] == [second.id]

        await leases.save(Claim(row.id, row.token), "b", "{}", 60, Progress(done=7))
        changes = await anext(watch)
        assert changes.lanes is None
        assert [(job.id, job.done) for job in changes.jobs] == [(first.id, 7)]


async def test_watching_goes_on_when_the_database_is_back(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, failed = jobs._overview._queue.recent, asyncio.Event()

    async def away(most: int) -> dict[str, int]:
        failed.set()
        raise ConnectionError("refused")

    async with asyncio.timeout(60), aclosing(jobs.watch_all()) as watch:
        await anext(watch)
        monkeypatch.setattr(jobs._overview._queue, "recent", away)
        await failed.wait()
        monkeypatch.setattr(jobs._overview._queue, "recent", read)

        job = await queued(jobs)

        changes = await anext(watch)
        assert [one.id for one in changes.jobs] == [job.id]
