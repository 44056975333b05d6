"""Workers do jobs: to the end, again after failures, never after they were cancelled."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import pytest
from sqlalchemy import Column, Engine, MetaData, Table, Text, insert, select

from penstock.errors import BadRequest, PenstockError, SourceFailed
from penstock.jobs import Again, Final, Job, Jobs, Run, State
from tests.jobs.conftest import (
    Held,
    OpenJobs,
    StartWorker,
    answering,
    ended,
    queued,
    reached,
    set_columns,
    texts,
)

_MIB = 1 << 20


async def test_a_job_is_done_and_has_a_result(jobs: Jobs, start_worker: StartWorker) -> None:
    start_worker(answering({"sha256": "ü", "parts": [1]}))

    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.result, job.error) == (State.DONE, {"sha256": "ü", "parts": [1]}, None)
    assert (job.attempts, job.eta, job.wakes) == (1, None, None)
    assert job.started is not None
    assert job.ended is not None
    assert job.created <= job.started <= job.ended
    assert await texts(jobs, job) == ["attempt 1 begun", "done"]


async def test_jobs_that_were_queued_by_other_processes_are_found(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    start_worker(answering({}))
    elsewhere = open_jobs()

    assert (await ended(elsewhere, await queued(elsewhere))).state is State.DONE


async def test_every_lane_has_places_of_its_own(jobs: Jobs, start_worker: StartWorker) -> None:
    held = Held()
    start_worker(held, lanes={"small": 2, "large": 1})
    made = [await queued(jobs, lane=lane) for lane in ["large"] * 3 + ["small"] * 3]

    await held.begun(3)

    lanes = sorted(run.job.lane for run in held.runs)
    assert lanes == ["large", "small", "small"]
    held.release.set()
    assert {(await ended(jobs, job)).state for job in made} == {State.DONE}


async def test_jobs_begin_in_the_order_in_which_they_were_queued(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    made = [await queued(jobs) for _ in range(5)]
    held = Held()
    held.release.set()

    start_worker(held, lanes={"small": 1})
    await asyncio.gather(*(ended(jobs, job) for job in made))

    assert [run.job.id for run in held.runs] == [job.id for job in made]


async def test_a_worker_leaves_kinds_that_it_does_not_know(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    unknown, _ = await jobs.enqueue("unknown", {})
    start_worker(answering({}))

    await ended(jobs, await queued(jobs))

    assert (await jobs.get(unknown.id)).state is State.WAITING


async def test_progress_is_told_with_its_rate_and_the_time_left(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    release = asyncio.Event()

    async def handle(run: Run) -> Mapping[str, Any]:
        for step in range(1, 100):
            run.progress(step * _MIB, 100 * _MIB, files_done=step, files_total=100)
            await asyncio.sleep(0.005)
        await release.wait()
        return {}

    start_worker(handle)
    job = await reached(jobs, await queued(jobs), lambda job: job.done == 99 * _MIB)

    assert (job.total, job.files_done, job.files_total) == (100 * _MIB, 99, 100)
    assert job.rate is not None
    assert _MIB < job.rate <= 220 * _MIB
    assert job.eta == pytest.approx(_MIB / job.rate)
    release.set()
    assert (await ended(jobs, job)).rate is None


@pytest.mark.parametrize(
    "error",
    [SourceFailed("the source is away"), Again(BadRequest("the source is away"))],
    ids=["retryable", "again"],
)
async def test_a_failure_that_may_pass_is_tried_again_from_the_checkpoint(
    jobs: Jobs, start_worker: StartWorker, error: Exception
) -> None:
    begun: list[Any] = []

    async def handle(run: Run) -> Mapping[str, Any]:
        begun.append(run.checkpoint)
        await run.save({"part": len(begun)}, done=len(begun))
        if len(begun) < 3:
            raise error
        return {}

    start_worker(handle)
    job = await ended(jobs, await queued(jobs))

    assert job.state is State.DONE
    assert begun == [{}, {"part": 1}, {"part": 2}]
    assert job.attempts == 3
    assert [text.partition(";")[0] for text in await texts(jobs, job)] == [
        "attempt 1 begun",
        "failed: the source is away",
        "attempt 2 begun",
        "failed: the source is away",
        "attempt 3 begun",
        "done",
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadRequest("no such thing"), "bad-request"),
        (Final(SourceFailed("it answers 404")), "source-failed"),
        (RuntimeError("a secret"), "internal"),
        (asyncio.CancelledError(), "internal"),
    ],
    ids=["refused", "final", "bug", "cancelled-by-itself"],
)
async def test_a_failure_that_will_not_pass_ends_the_job(
    jobs: Jobs, start_worker: StartWorker, error: BaseException, code: str
) -> None:
    async def handle(run: Run) -> Mapping[str, Any]:
        raise error

    start_worker(handle)
    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.attempts) == (State.FAILED, 1)
    assert job.error is not None
    assert job.error["code"] == code
    assert "secret" not in job.error["detail"]


async def test_a_result_that_is_no_json_is_a_bug(jobs: Jobs, start_worker: StartWorker) -> None:
    start_worker(answering({"when": object()}))

    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.error and job.error["code"]) == (State.FAILED, "internal")


async def test_a_job_that_gets_no_further_is_given_up(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs = open_jobs(tries=3)

    async def handle(run: Run) -> Mapping[str, Any]:
        await run.save({"n": run.job.attempts}, done=5)
        raise SourceFailed("the source is away")

    start_worker(handle, jobs)
    job = await ended(jobs, await queued(jobs))

    # The first one got further than nothing.
    assert (job.state, job.attempts) == (State.FAILED, 4)
    assert job.error == {"code": "source-failed", "detail": "the source is away"}


async def test_a_job_that_gets_further_each_time_is_never_given_up(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs = open_jobs(tries=2, first_pause=0.0)

    async def handle(run: Run) -> Mapping[str, Any]:
        done = run.job.done + 1
        await run.save({"done": done}, done=done)
        if done < 10:
            raise SourceFailed("the source is away")
        return {}

    start_worker(handle, jobs)
    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.attempts, job.done) == (State.DONE, 10, 10)


@pytest.mark.parametrize("asked", [0.0, 30.0])
async def test_the_pause_before_another_attempt_heeds_what_the_source_asks_for(
    open_jobs: OpenJobs, start_worker: StartWorker, asked: float
) -> None:
    jobs = open_jobs(first_pause=10.0, longest_pause=60.0)

    async def handle(run: Run) -> Mapping[str, Any]:
        raise SourceFailed("busy", retry_after=asked)

    start_worker(handle, jobs)
    job = await reached(jobs, await queued(jobs), lambda job: job.error is not None)

    assert job.state is State.WAITING
    assert job.wakes is not None
    least = max(5.0, asked)
    assert least - 1 < job.wakes - (job.started or 0) < max(10.0, asked) + 5


async def test_who_retries_a_job_that_waits_need_not_wait(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs = open_jobs(first_pause=1000.0, longest_pause=1000.0)
    failures: list[PenstockError] = [SourceFailed("busy")]

    async def handle(run: Run) -> Mapping[str, Any]:
        if failures:
            raise failures.pop()
        return {}

    start_worker(handle, jobs)
    job = await reached(jobs, await queued(jobs), lambda job: job.error is not None)

    await jobs.retry(job.id)

    assert (await ended(jobs, job)).state is State.DONE


async def test_a_running_job_is_cancelled_from_any_process(
    jobs: Jobs, open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    held = Held()
    start_worker(held)
    job = await queued(jobs, key="k")
    await held.begun()

    asked = await open_jobs().cancel(job.id)

    assert (asked.state, asked.cancelling) == (State.RUNNING, True)
    gone = await ended(jobs, job)
    assert (gone.state, gone.cancelling, held.cancelled) == (State.CANCELLED, False, [True])
    assert (await texts(jobs, job))[-1] == "cancelled"
    _, is_new = await jobs.enqueue("test", {}, key="k")
    assert is_new


async def test_what_a_cancelled_job_left_is_removed(jobs: Jobs, start_worker: StartWorker) -> None:
    held, cleaned = Held({"upload": "u1"}), []

    async def clean(job: Job) -> None:
        assert held.cancelled == [True]
        cleaned.append(job.checkpoint)

    start_worker(held, cleanups={"test": clean})
    job = await queued(jobs)
    await held.begun()

    await jobs.cancel(job.id)

    assert (await ended(jobs, job)).checkpoint == {}
    assert cleaned == [{"upload": "u1"}]


async def test_what_a_job_left_is_removed_although_it_waits_for_another_attempt(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs, cleaned = open_jobs(first_pause=1000.0, longest_pause=1000.0), []

    async def handle(run: Run) -> Mapping[str, Any]:
        await run.save({"upload": "u1"})
        raise SourceFailed("busy")

    async def clean(job: Job) -> None:
        cleaned.append(job.checkpoint)

    start_worker(handle, jobs, cleanups={"test": clean})
    job = await reached(jobs, await queued(jobs), lambda job: job.error is not None)

    await jobs.cancel(job.id)

    assert (await ended(jobs, job)).state is State.CANCELLED
    assert cleaned == [{"upload": "u1"}]


async def test_what_is_to_be_ended_needs_no_place_in_its_lane(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs, busy = open_jobs(first_pause=1000.0, longest_pause=1000.0), Held()

    async def handle(run: Run) -> Mapping[str, Any]:
        if "breaks" not in run.job.spec:
            return await busy(run)
        await run.save({"upload": "u1"})
        raise SourceFailed("busy")

    start_worker(handle, jobs, lanes={"small": 1})
    waiting = await queued(jobs, spec={"breaks": True})
    await reached(jobs, waiting, lambda job: job.error is not None)
    await queued(jobs)
    await busy.begun()

    await jobs.cancel(waiting.id)

    assert (await ended(jobs, waiting)).state is State.CANCELLED
    assert busy.cancelled == []


async def test_a_handler_that_is_done_says_what_is_kept_of_the_spec(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    async def handle(run: Run) -> Mapping[str, Any]:
        run.retained = {"url": "https://example.org"}
        return {}

    start_worker(handle)
    spec = {"url": "https://example.org", "headers": {"Cookie": "a=b"}}
    job = await ended(jobs, await queued(jobs, spec=spec))

    assert job.spec == {"url": "https://example.org"}


async def test_a_cleanup_that_fails_does_not_keep_the_job(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    held = Held()

    async def clean(job: Job) -> None:
        raise RuntimeError("no such upload")

    start_worker(held, cleanups={"test": clean})
    job = await queued(jobs)
    await held.begun()

    await jobs.cancel(job.id)

    assert (await ended(jobs, job)).state is State.CANCELLED


async def test_a_job_that_is_done_before_it_hears_of_its_end_is_done(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    begun = asyncio.Event()

    async def stubborn(run: Run) -> Mapping[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"done": True}
        return {}

    start_worker(stubborn)
    job = await queued(jobs)
    await begun.wait()

    await jobs.cancel(job.id)

    now = await ended(jobs, job)
    assert (now.state, now.cancelling) == (State.DONE, False)


async def test_a_worker_that_closes_lets_another_go_on_at_once(
    jobs: Jobs, open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    first, second = Held({"part": 7}), Held()
    second.release.set()
    closing = start_worker(first, open_jobs())
    job = await queued(jobs)
    await first.begun()

    await closing.close()

    given = await jobs.get(job.id)
    assert (given.state, given.attempts, first.cancelled) == (State.WAITING, 0, [False])
    start_worker(second)
    done = await ended(jobs, job)
    assert (done.state, done.attempts) == (State.DONE, 1)
    assert second.runs[0].checkpoint == {"part": 7}
    assert "given back: its worker ends" in await texts(jobs, job)


async def test_what_a_handler_saves_while_its_worker_closes_counts(
    jobs: Jobs, start_worker: StartWorker
) -> None:
    begun = asyncio.Event()

    async def handle(run: Run) -> Mapping[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await run.save({"part": 8})
        return {}

    worker = start_worker(handle)
    job = await queued(jobs)
    await begun.wait()

    await worker.close()

    assert (await jobs.get(job.id)).checkpoint == {"part": 8}


async def test_another_change_is_made_together_with_the_checkpoint_or_not_at_all(
    engine: Engine, jobs: Jobs, start_worker: StartWorker
) -> None:
    parts = Table("test_parts", MetaData(), Column("name", Text))
    await asyncio.to_thread(parts.create, engine)

    async def handle(run: Run) -> Mapping[str, Any]:
        await run.save(
            {"part": 1}, also=lambda connection: connection.execute(insert(parts), {"name": "one"})
        )
        with pytest.raises(ZeroDivisionError):
            await run.save({"part": 2}, also=lambda connection: 1 // 0)
        return {}

    start_worker(handle)
    job = await ended(jobs, await queued(jobs))

    def names() -> list[str]:
        with engine.connect() as connection:
            return list(connection.scalars(select(parts.c.name)))

    assert await asyncio.to_thread(names) == ["one"]
    await asyncio.to_thread(parts.drop, engine)
    assert job.checkpoint == {"part": 1}


async def test_who_watches_sees_the_changes_and_the_end(
    jobs: Jobs, open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    release = asyncio.Event()

    async def handle(run: Run) -> Mapping[str, Any]:
        await run.save({}, done=1, total=2)
        await release.wait()
        return {"size": 2}

    seen: list[Job] = []
    job = await queued(jobs)
    async with asyncio.timeout(60), aclosing(open_jobs().watch(job.id)) as changes:
        async for now in changes:
            seen.append(now)
            if len(seen) == 1:
                start_worker(handle)
            if now.done == 1:
                release.set()

    assert seen[0].state is State.WAITING
    assert any(now.state is State.RUNNING and now.total == 2 for now in seen)
    assert (seen[-1].state, seen[-1].result) == (State.DONE, {"size": 2})
    revisions = [now.revision for now in seen]
    assert revisions == sorted(set(revisions))


async def test_who_watches_a_job_that_has_ended_sees_it_once(jobs: Jobs) -> None:
    job = await jobs.cancel((await queued(jobs)).id)

    assert [now async for now in jobs.watch(job.id)] == [job]


async def test_a_watch_ends_when_the_job_is_removed_or_the_queue_closes(
    engine: Engine, jobs: Jobs, open_jobs: OpenJobs
) -> None:
    first, second = await queued(jobs), await queued(jobs)
    other = open_jobs()

    seen: dict[str, list[State]] = {first.id: [], second.id: []}

    async def watch(source: Jobs, job: Job) -> None:
        async for now in source.watch(job.id):
            seen[job.id].append(now.state)

    watches = [
        asyncio.create_task(watch(jobs, first)),
        asyncio.create_task(watch(other, second)),
    ]
    await reached(jobs, first, lambda _: all(seen.values()))
    await set_columns(engine, first, ended=1.0, revision=0)
    await jobs.remove(first.id)
    await other.close()

    async with asyncio.timeout(60):
        await asyncio.gather(*watches)
    assert list(seen.values()) == [[State.WAITING], [State.WAITING]]
