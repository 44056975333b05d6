"""Leases: who holds a job, for how long, and what becomes of those who hold it no more."""

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from penstock.catalog.leases import Claim, Leases, Progress, Standing
from penstock.catalog.queue import JobRow
from penstock.errors import Superseded
from penstock.jobs import Jobs, Run, State
from penstock.jobs.attempt import Attempt
from penstock.jobs.hold import Hold, Stop
from tests.jobs.conftest import (
    Held,
    OpenJobs,
    StartWorker,
    ended,
    queued,
    reached,
    set_columns,
    texts,
)

HOUR = 3600.0


async def claim(leases: Leases, lease: float = 60.0, most: int = 1) -> list[JobRow]:
    return await leases.claim("me", {"small": most}, ["test"], lease)


def named(row: JobRow) -> Claim:
    return Claim(row.id, row.token)


async def test_a_job_is_claimed_by_one_at_a_time(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)

    (row,) = await claim(leases)

    assert row.id == job.id
    assert await claim(leases) == []


async def test_claimants_at_the_same_time_share_nothing_and_leave_nothing(
    jobs: Jobs, open_jobs: OpenJobs
) -> None:
    made = {(await queued(jobs)).id for _ in range(40)}
    processes = [open_jobs().leases for _ in range(4)]

    async def work(leases: Leases, seed: int) -> list[str]:
        found, dice = [], random.Random(seed)
        while rows := await claim(leases, most=dice.randrange(1, 4)):
            found += [row.id for row in rows]
        return found

    found = await asyncio.gather(*(work(leases, n) for n, leases in enumerate(processes * 2)))

    claimed = sorted(one for of_one in found for one in of_one)
    assert claimed == sorted(made)


async def test_a_lease_that_is_over_lets_another_go_on(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)
    (first,) = await claim(leases)
    await leases.save(named(first), "a", '{"part":3}', -1, Progress(done=3))

    (second,) = await claim(leases)

    assert second.token > first.token
    assert (second.checkpoint, second.done, second.attempts) == ('{"part":3}', 3, 2)
    assert (await texts(jobs, job))[-1] == "attempt 2 begun (the worker before fell silent)"


async def test_a_lapsed_job_comes_before_those_that_have_waited_longer(
    jobs: Jobs, leases: Leases
) -> None:
    job = await queued(jobs)
    await claim(leases, lease=-1)
    await queued(jobs)

    (row,) = await claim(leases)

    assert row.id == job.id


async def test_who_renews_keeps_the_job(jobs: Jobs, leases: Leases) -> None:
    await queued(jobs)
    (row,) = await claim(leases, lease=-1)

    renewed = await leases.renew(named(row), 60, Progress(done=5))

    assert renewed is not None
    assert not renewed.keys() & {"spec", "checkpoint", "result"}  # they may be large
    assert await claim(leases) == []


@pytest.mark.parametrize("write", ["renew", "save", "write", "end", "postpone", "give_back"])
async def test_who_has_lost_the_job_changes_nothing(jobs: Jobs, leases: Leases, write: str) -> None:
    job = await queued(jobs)
    (late,) = await claim(leases, lease=-1)
    await claim(leases)
    before, said = await jobs.get(job.id), await texts(jobs, job)
    arguments: dict[str, tuple[Any, ...]] = {
        "renew": (60, Progress(done=5)),
        "save": ("late", '{"late":1}', 60, Progress(done=5), lambda _: pytest.fail("made")),
        "write": ("late",),
        "end": (State.DONE, "late"),
        "postpone": (1.0, "late", "{}"),
        "give_back": ("late",),
    }

    assert await getattr(leases, write)(named(late), *arguments[write]) is None

    assert await jobs.get(job.id) == before
    assert await texts(jobs, job) == said


async def test_a_write_that_is_made_again_is_made_once(jobs: Jobs, leases: Leases) -> None:
    """As after a commit whose answer was lost together with the connection."""
    job = await queued(jobs)
    (row,) = await claim(leases)
    made: list[int] = []

    for _ in range(2):
        saved = await leases.save(
            named(row), "a", '{"part":1}', 60, Progress(), also=lambda _: made.append(1)
        )
        assert saved is not None
    for _ in range(2):
        assert await leases.end(named(row), State.DONE, "done", result="{}") is not None

    assert made == [1]
    assert await texts(jobs, job) == ["attempt 1 begun", "done"]


async def test_a_handler_that_lost_its_job_is_cancelled_and_saves_nothing_more(
    engine: Engine, jobs: Jobs, leases: Leases, start_worker: StartWorker
) -> None:
    refused: list[Exception] = []
    begun = asyncio.Event()

    async def handle(run: Run) -> Mapping[str, Any]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            try:
                await run.save({"late": True})
            except Superseded as error:
                refused.append(error)
        return {}

    worker = start_worker(handle)
    job = await queued(jobs)
    await begun.wait()
    await set_columns(engine, job, due=1.0, lane="elsewhere")

    (row,) = await leases.claim("another", {"elsewhere": 1}, ["test"], 60)

    async with asyncio.timeout(60):
        while worker.running:
            await asyncio.sleep(0.02)
    assert len(refused) == 1
    now = await jobs.get(job.id)
    assert (now.state, now.token, now.checkpoint) == (State.RUNNING, row.token, {})


async def test_a_handler_is_stopped_before_its_lease_ends_if_the_database_is_away(
    open_jobs: OpenJobs, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = open_jobs(lease=5.0)
    held = Held()
    worker = start_worker(held, jobs)
    job = await queued(jobs)
    await held.begun()

    async def away(*_: object) -> None:
        raise OperationalError("", {}, ConnectionError("refused"))

    monkeypatch.setattr(jobs.leases, "standings", away)
    monkeypatch.setattr(jobs.leases, "claim", away)
    async with asyncio.timeout(60):
        while worker.running:
            await asyncio.sleep(0.01)

    # Nobody else could claim it meanwhile: its lease is not over.
    assert held.cancelled == [False]
    assert await claim(open_jobs().leases) == []
    monkeypatch.undo()
    held.release.set()
    assert (await ended(jobs, job)).attempts == 2


async def test_a_worker_closes_although_the_database_is_away(
    open_jobs: OpenJobs, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a job ended while its worker was about to renew its lease."""
    jobs = open_jobs()
    looked, let_go = asyncio.Event(), asyncio.Event()
    standings = jobs.leases.standings

    async def slow(identities: set[str]) -> Mapping[str, Standing]:
        found = await standings(identities)
        looked.set()
        await let_go.wait()
        return found

    async def away(*_: object) -> None:
        raise OperationalError("", {}, ConnectionError("refused"))

    async def handle(run: Run) -> Mapping[str, Any]:
        await looked.wait()
        run.progress(5)
        return {}

    monkeypatch.setattr(jobs.leases, "standings", slow)
    monkeypatch.setattr(jobs.leases, "renew", away)
    worker = start_worker(handle, jobs)
    await ended(jobs, await queued(jobs))
    async with asyncio.timeout(60):
        while worker.running:
            await asyncio.sleep(0.01)
    let_go.set()

    await asyncio.wait_for(worker.close(), 30)


async def test_a_save_waits_for_a_database_that_comes_back(
    jobs: Jobs, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OperationalError("", {}, ConnectionError("refused")) for _ in range(3)]
    save = jobs.leases.save

    async def shaky(*arguments: Any) -> JobRow | None:
        if failures:
            raise failures.pop()
        return await save(*arguments)

    monkeypatch.setattr(jobs.leases, "save", shaky)

    async def handle(run: Run) -> Mapping[str, Any]:
        await run.save({"part": 1})
        return {}

    start_worker(handle)
    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.attempts, job.checkpoint) == (State.DONE, 1, {"part": 1})


async def test_what_is_saved_after_a_save_that_was_cancelled_counts(
    jobs: Jobs, start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a handler that is cancelled while it saves, and saves once more before it ends."""
    save = jobs.leases.save

    async def late(*arguments: Any) -> JobRow | None:
        row = await save(*arguments)
        await asyncio.sleep(0)  # where the cancellation comes
        return row

    monkeypatch.setattr(jobs.leases, "save", late)

    async def handle(run: Run) -> Mapping[str, Any]:
        saving = asyncio.create_task(run.save({"part": 1}))
        await reached(jobs, run.job, lambda job: job.checkpoint == {"part": 1} or saving.done())
        saving.cancel()
        await run.save({"part": 2})
        return {}

    start_worker(handle)
    job = await ended(jobs, await queued(jobs))

    assert (job.state, job.checkpoint) == (State.DONE, {"part": 2})


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
async def test_a_transaction_that_nobody_goes_on_with_is_ended(engine: Engine) -> None:
    """Or the jobs in it would stay locked for as long as their worker is frozen."""

    def look() -> object:
        with engine.connect() as connection:
            connection.rollback()
            return connection.scalar(text("SHOW idle_in_transaction_session_timeout"))

    assert await asyncio.to_thread(look) == "10s"


async def test_the_handler_of_a_lost_job_ends_before_the_same_worker_begins_it_again(
    engine: Engine, jobs: Jobs, start_worker: StartWorker
) -> None:
    at_once, most = 0, 0
    leave = asyncio.Event()
    runs: list[int] = []

    async def slow_to_end(run: Run) -> Mapping[str, Any]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        runs.append(run.job.token)
        try:
            if len(runs) > 1:
                return {}
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await leave.wait()
            raise
        finally:
            at_once -= 1
        return {}

    start_worker(slow_to_end)
    job = await queued(jobs)
    await reached(jobs, job, lambda job: bool(runs))
    await set_columns(engine, job, due=1.0)
    await reached(jobs, job, lambda job: job.token > runs[0])
    leave.set()

    assert (await ended(jobs, job)).state is State.DONE
    assert (len(runs), most) == (2, 1)


@pytest.mark.parametrize(
    ("reason", "state"), [(Stop.LOST, State.RUNNING), (Stop.CLOSING, State.WAITING)]
)
async def test_a_job_that_is_to_be_let_go_before_it_begins_is_not_begun(
    jobs: Jobs, leases: Leases, reason: Stop, state: State
) -> None:
    """As one that had to wait until the handler of an earlier attempt had ended."""
    job, held = await queued(jobs), Held()
    (row,) = await claim(leases)
    hold = Hold(row, jobs.limits, asyncio.get_running_loop().time())
    hold.stop(reason)

    await Attempt(hold, leases, jobs.limits, held, None).work()

    hold.release()
    assert held.runs == []
    assert (await jobs.get(job.id)).state is state


async def test_a_job_whose_workers_die_again_and_again_is_given_up(
    open_jobs: OpenJobs, start_worker: StartWorker
) -> None:
    jobs = open_jobs(tries=3)
    job = await queued(jobs)
    for _ in range(3):
        await claim(jobs.leases, lease=-1)
    held = Held()

    start_worker(held, jobs)

    now = await ended(jobs, job)
    assert now.state is State.FAILED
    assert now.error is not None
    assert "died" in now.error["detail"]
    assert held.runs == []


async def test_a_clock_that_is_set_back_delays_nothing_for_long(
    engine: Engine, jobs: Jobs, leases: Leases
) -> None:
    running, waiting = await queued(jobs), await queued(jobs, lane="large")
    await leases.claim("dead", {"small": 1}, ["test"], 60)
    now = (await jobs.get(running.id)).started
    assert now is not None
    for job in (running, waiting):
        await set_columns(engine, job, due=now + 9 * HOUR)

    assert await leases.mend(-5, -5) == 2

    assert await leases.mend(15, 300) == 0
    claimed = await leases.claim("me", {"small": 1, "large": 1}, ["test"], 60)
    assert {row.id for row in claimed} == {running.id, waiting.id}
