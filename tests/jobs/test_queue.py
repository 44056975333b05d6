"""The queue as those see it who ask for work."""

import asyncio
import threading
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine, event

from penstock.catalog.job_log import KEPT, LONGEST
from penstock.catalog.leases import Claim, Leases, Progress
from penstock.catalog.queue import JobRow
from penstock.errors import BadRequest, Busy, NotFound, TooLarge, WrongState
from penstock.jobs import Job, Jobs, State
from penstock.jobs.job import decoded
from tests.jobs.conftest import OpenJobs, queued, set_columns, texts

HOUR = 3600.0


async def claimed(leases: Leases, most: int = 1, lease: float = 60.0) -> list[Claim]:
    rows = await leases.claim("me", {"small": most, "large": most}, ["test"], lease)
    return [Claim(row.id, row.token) for row in rows]


async def test_a_job_is_what_was_asked_for(jobs: Jobs) -> None:
    spec = {"url": "https://example.org/ü\0", "parts": [1, 2]}

    job, is_new = await jobs.enqueue(
        "test", spec, key="k", owner="ann", lane="large", total=1 << 40
    )

    assert is_new
    assert await jobs.get(job.id, "ann") == job
    assert (job.kind, job.state, job.spec, job.lane) == ("test", State.WAITING, spec, "large")
    assert (job.total, job.done, job.attempts, job.checkpoint) == (1 << 40, 0, 0, {})


async def test_a_job_shows_no_secrets_of_its_spec(jobs: Jobs) -> None:
    job = await queued(jobs, spec={"headers": "Bearer 1234"})

    assert "1234" not in repr(job)


async def test_the_same_request_is_answered_by_the_same_job(jobs: Jobs) -> None:
    first = await queued(jobs, key="k")

    second, is_new = await jobs.enqueue("test", {"other": 1}, key="k")

    assert (second, is_new) == (first, False)


async def test_without_a_key_every_request_is_another(jobs: Jobs) -> None:
    assert (await queued(jobs)).id != (await queued(jobs)).id


async def test_a_key_is_its_owners_and_its_kinds_own(jobs: Jobs) -> None:
    await queued(jobs, key="k")
    await queued(jobs, key="k", owner="ann")

    _, is_new = await jobs.enqueue("other", {}, key="k")

    assert is_new


async def test_requests_in_the_same_moment_make_one_job(open_jobs: OpenJobs) -> None:
    processes = [open_jobs() for _ in range(4)]

    asked = [jobs.enqueue("test", {}, key=f"{n}") for n in range(5) for jobs in processes * 3]
    answers = await asyncio.gather(*asked)

    assert len({job.id for job, _ in answers}) == 5
    assert sum(is_new for _, is_new in answers) == 5


@pytest.mark.parametrize("state", ["failed", "cancelled"])
async def test_what_failed_does_not_answer_for_its_key(
    jobs: Jobs, leases: Leases, state: str
) -> None:
    first = await queued(jobs, key="k")
    (claim,) = await claimed(leases)
    await leases.end(claim, state, "ended")

    _, is_new = await jobs.enqueue("test", {}, key="k")

    assert is_new
    with pytest.raises(WrongState):
        await jobs.retry(first.id)


@pytest.mark.parametrize(("valid", "answers"), [(0.0, False), (HOUR, True)])
async def test_a_result_answers_as_long_as_it_is_valid(
    jobs: Jobs, leases: Leases, valid: float, answers: bool
) -> None:
    first = await queued(jobs, key="k", valid=valid)
    (claim,) = await claimed(leases)
    await leases.end(claim, State.DONE, "done", result="{}")

    second, is_new = await jobs.enqueue("test", {}, key="k")

    assert (second.id == first.id, not is_new) == (answers, answers)


async def test_a_done_job_leaves_its_key_even_if_the_clock_is_set_back(
    engine: Engine, jobs: Jobs, leases: Leases
) -> None:
    first = await queued(jobs, key="k")
    (claim,) = await claimed(leases)
    await leases.end(claim, State.DONE, "done")
    ended = (await jobs.get(first.id)).ended
    assert ended is not None
    await set_columns(engine, first, ended=ended + HOUR)

    _, is_new = await jobs.enqueue("test", {}, key="k")

    assert is_new


@pytest.mark.parametrize("state", [State.WAITING, State.RUNNING])
async def test_a_job_that_is_being_cancelled_does_not_answer_for_its_key(
    jobs: Jobs, leases: Leases, state: State
) -> None:
    first = await queued(jobs, key="k")
    (row,) = await leases.claim("me", {"small": 1}, ["test"], 60)
    claim = Claim(row.id, row.token)
    await leases.save(claim, "a", '{"part":3}', 60, Progress())
    if state is State.WAITING:
        await leases.postpone(claim, HOUR, "later", "{}")
    assert (await jobs.cancel(first.id)).cancelling

    second, is_new = await jobs.enqueue("test", {}, key="k")

    assert (is_new, second.id == first.id) == (True, False)
    same, is_new = await jobs.enqueue("test", {}, key="k")
    assert (same.id, is_new) == (second.id, False)


async def test_a_job_that_is_postponed_while_its_end_is_asked_for_is_ended_at_once(
    jobs: Jobs, leases: Leases
) -> None:
    job = await queued(jobs)
    (claim,) = await claimed(leases)
    await jobs.cancel(job.id)
    await leases.postpone(claim, HOUR, "later", "{}")

    (row,) = await leases.claim("me", {"small": 0}, ["test"], 60, 1)

    assert (row.id, row.cancelling) == (job.id, True)
    assert (await jobs.get(job.id)).wakes is None


@pytest.mark.parametrize("no_id", ["\0", "\udcff", "no id"])
async def test_what_can_be_no_id_is_not_asked_of_the_database(jobs: Jobs, no_id: str) -> None:
    with pytest.raises(NotFound):
        await jobs.get(no_id)
    with pytest.raises(BadRequest):
        await jobs.page(after=no_id)


async def test_pages_go_from_the_newest_to_the_oldest(jobs: Jobs) -> None:
    made = []
    for _ in range(5):
        made.append((await queued(jobs, owner="ann")).id)
        await asyncio.sleep(0.002)
    await queued(jobs, owner="bob")

    first = [job.id for job in await jobs.page(owner="ann", limit=2)]
    second = [job.id for job in await jobs.page(owner="ann", after=first[-1])]

    assert first + second == made[::-1]
    assert len(await jobs.page(kind="test", owner=None)) == 6
    assert await jobs.page(kind="other", owner=None) == []


async def test_a_page_is_read_from_json_beside_the_event_loop(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, threads = await queued(jobs, spec={"url": "https://example.org"}), set()

    def seen(row: JobRow) -> Job:
        threads.add(threading.current_thread())
        return decoded(row)

    monkeypatch.setattr("penstock.jobs.jobs.decoded", seen)

    assert await jobs.page() == [made]
    assert threads
    assert threading.current_thread() not in threads


async def test_nobody_sees_what_is_anothers(jobs: Jobs) -> None:
    job = await queued(jobs, owner="ann")

    for use in (jobs.get, jobs.cancel, jobs.retry, jobs.remove, jobs.log):
        for owner in ("", "bob"):
            with pytest.raises(NotFound):
                await use(job.id, owner)
    with pytest.raises(NotFound):
        await anext(jobs.watch(job.id, "bob"))
    assert (await jobs.get(job.id, None)).state is State.WAITING


async def test_there_may_be_only_so_many_unfinished_jobs(
    open_jobs: OpenJobs, leases: Leases
) -> None:
    jobs = open_jobs(most=2)
    await queued(jobs, key="a")
    await queued(jobs)

    with pytest.raises(Busy):
        await jobs.enqueue("test", {})

    _, is_new = await jobs.enqueue("test", {}, key="a")
    assert not is_new
    (claim,) = await claimed(leases)
    await leases.end(claim, State.DONE, "done")
    await queued(jobs)


async def test_a_spec_may_not_be_of_any_size(open_jobs: OpenJobs) -> None:
    with pytest.raises(TooLarge):
        await open_jobs(longest=100).enqueue("test", {"names": "x" * 100})


async def test_a_job_that_waits_is_cancelled_at_once(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)

    assert (await jobs.cancel(job.id)).state is State.CANCELLED

    assert await claimed(leases) == []
    with pytest.raises(WrongState):
        await jobs.cancel(job.id)
    assert await texts(jobs, job) == ["cancelled"]


async def test_a_job_that_was_cancelled_can_be_tried_again(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs, key="k")
    await jobs.cancel(job.id)

    assert (await jobs.retry(job.id)).state is State.WAITING

    assert [claim.id for claim in await claimed(leases)] == [job.id]
    with pytest.raises(WrongState):
        await jobs.retry(job.id)
    _, is_new = await jobs.enqueue("test", {}, key="k")
    assert not is_new


async def test_a_job_is_tried_again_from_its_checkpoint(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)
    (row,) = await leases.claim("me", {"small": 1}, ["test"], 60)
    claim = Claim(row.id, row.token)
    await leases.save(claim, "a", '{"part":3}', 60, Progress(done=3))
    await leases.end(claim, State.FAILED, "failed", error='{"code":"x"}')

    again = await jobs.retry(job.id)

    assert (again.checkpoint, again.done, again.error) == ({"part": 3}, 3, None)
    assert (again.attempts, again.ended) == (0, None)


async def test_a_job_that_has_ended_can_be_removed(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)
    with pytest.raises(WrongState):
        await jobs.remove(job.id)
    (claim,) = await claimed(leases)
    await leases.end(claim, State.DONE, "done")

    await jobs.remove(job.id)

    with pytest.raises(NotFound):
        await jobs.get(job.id)


async def test_ended_jobs_are_forgotten_when_they_are_old(
    engine: Engine, jobs: Jobs, leases: Leases
) -> None:
    made = [await queued(jobs, valid=valid) for valid in (0.0, 0.0, 60 * 24 * HOUR)]
    for claim in await claimed(leases, most=3):
        await leases.end(claim, State.DONE, "done")
    for job in (made[0], made[2]):
        ended = (await jobs.get(job.id)).ended
        assert ended is not None
        await set_columns(engine, job, ended=ended - 8 * 24 * HOUR)

    assert await jobs.sweep() == 1

    assert {job.id for job in await jobs.page()} == {made[1].id, made[2].id}


async def test_only_so_many_ended_jobs_are_kept(open_jobs: OpenJobs, leases: Leases) -> None:
    jobs = open_jobs(most_ended=3)
    for _ in range(10):
        await jobs.cancel((await queued(jobs)).id)
    waiting = await queued(jobs)

    assert await jobs.sweep() == 7

    left = await jobs.page()
    assert Counter(job.state for job in left) == {State.CANCELLED: 3, State.WAITING: 1}
    assert waiting in left


async def test_a_log_keeps_its_newest_lines(jobs: Jobs, leases: Leases) -> None:
    job = await queued(jobs)
    (claim,) = await claimed(leases)

    await asyncio.gather(*(leases.write(claim, f"line {n}") for n in range(KEPT + 9)))
    await leases.write(claim, "\0" + "x" * 9999)

    lines = await jobs.log(job.id)
    assert len(lines) == KEPT
    assert [line.number for line in lines] == list(range(12, KEPT + 12))
    assert lines[-1].text == "\ufffd" + "x" * (LONGEST - 1)


async def test_no_list_of_jobs_reads_all_of_them(jobs: Jobs, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL decides by what is in the table, which is empty here")
    asked: list[tuple[str, tuple[object, ...]]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    queue = jobs._queue
    event.listen(queue._engine, "before_cursor_execute", note)
    await queue.recent(100)
    for state, kind in ((State.FAILED, None), (None, "archive"), (State.RUNNING, "pull")):
        await jobs.page(kind, None, state=state, bare=True)
    event.remove(queue._engine, "before_cursor_execute", note)

    def plans() -> dict[str, list[str]]:
        with engine.connect() as connection:
            explained = {
                statement: connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
                for statement, values in asked
            }
            return {statement: [row[-1] for row in rows] for statement, rows in explained.items()}

    for statement, steps in (await asyncio.to_thread(plans)).items():
        if "WHERE" in statement:
            assert steps[0].startswith("SEARCH jobs USING"), statement
            assert "USE TEMP B-TREE FOR ORDER BY" not in steps, statement
