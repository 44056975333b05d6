"""Events go from the outbox to a receiver: signed, in order, until they are heard."""

import asyncio
import logging
import re
import time
from datetime import datetime

import pytest
from aiohttp import web
from sqlalchemy import Engine, create_engine, text

from penstock.catalog import GroupCommit, Outbox
from tests.hooks.conftest import StartCourier, emptied, record
from tests.hooks.hearing import (
    SECRET,
    Answer,
    Hearing,
    cut,
    endless,
    hearing,
    held,
    silent,
    with_headers,
)


async def test_an_event_is_told_signed_and_then_forgotten(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    start_courier()
    await record(engine, outbox, "a1")
    await receiver.count(1)
    await emptied(outbox)

    (heard,) = receiver.heard
    assert (heard.type, heard.data) == ("upload.created", {"name": "a1"})
    assert abs(datetime.fromisoformat(heard.timestamp).timestamp() - time.time()) < 60
    assert re.fullmatch(r"msg_[0-9a-f]{32}", heard.id)
    assert heard.headers["content-type"] == "application/json"
    assert heard.headers["user-agent"].startswith("penstock/")


async def test_an_event_of_this_process_is_told_without_waiting_for_the_next_poll(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    start_courier(poll=3600)
    for n in range(1, 4):
        await record(engine, outbox, f"a{n}")
        await receiver.count(n)

    assert receiver.names == ["a1", "a2", "a3"]


async def test_an_event_of_another_process_is_found(
    engine: Engine, receiver: Hearing, start_courier: StartCourier
) -> None:
    start_courier(poll=0.05)
    other = create_engine(engine.url)
    commits = GroupCommit(other)
    await record(other, Outbox(other, commits), "a1")

    await receiver.count(1)

    await commits.close()
    await asyncio.to_thread(other.dispose)


async def test_events_of_one_upload_wait_for_the_first_that_is_refused(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [500, 503, 404]
    await record(engine, outbox, "a1", "a2", "a3")
    start_courier()
    await emptied(outbox)

    assert receiver.names == ["a1", "a1", "a1", "a1", "a2", "a3"]
    assert len({heard.id for heard in receiver.heard}) == 3


async def test_other_uploads_do_not_wait(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    release = asyncio.Event()
    receiver.answers = [held(release)]
    await record(engine, outbox, "a1", "a2", "b1", "b2")
    start_courier()
    await receiver.count(3)

    assert receiver.names == ["a1", "b1", "b2"]
    release.set()
    await receiver.count(4)


async def test_only_so_many_are_told_at_once(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.02)
        return web.Response(status=200)

    receiver.every_answer = slow
    await record(engine, outbox, *(f"{subject}1" for subject in "abcdefghijklmnopqrst"))
    start_courier(parallel=3)
    await emptied(outbox)

    assert receiver.most_at_once == 3
    assert len(receiver.heard) == 20


async def test_a_receiver_that_is_gone_gets_no_second_try(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [410]
    await record(engine, outbox, "a1", "a2")
    start_courier()
    await emptied(outbox)

    assert receiver.names == ["a1", "a2"]
    assert await outbox.dead() == 1


async def test_what_is_refused_for_too_long_is_given_up_and_kept(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [500, 500, 500]
    await record(engine, outbox, "a1", "a2")
    start_courier(tries=3, lifetime=0)
    await emptied(outbox)

    assert receiver.names == ["a1", "a1", "a1", "a2"]
    assert await outbox.dead() == 1


async def test_a_young_event_is_not_given_up_however_often_it_fails(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [500] * 20
    await record(engine, outbox, "a1")
    start_courier(tries=3)
    await emptied(outbox)

    assert receiver.names == ["a1"] * 21
    assert await outbox.dead() == 0


async def test_a_redirect_is_not_followed(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    async with hearing() as elsewhere:
        receiver.answers = [with_headers(307, Location=elsewhere.url)]
        await record(engine, outbox, "a1")
        start_courier()
        await emptied(outbox)

        assert elsewhere.heard == []
    assert receiver.names == ["a1", "a1"]


@pytest.mark.parametrize("answer", [endless, cut, silent])
async def test_an_answer_without_an_end_holds_up_nothing(
    engine: Engine,
    outbox: Outbox,
    receiver: Hearing,
    start_courier: StartCourier,
    answer: Answer,
) -> None:
    receiver.answers = [answer]
    await record(engine, outbox, "a1", "a2")
    start_courier(timeout=0.5, margin=1000)
    await emptied(outbox)

    # The endless one has said 200 before.
    first = ["a1"] if answer is endless else ["a1", "a1"]
    assert receiver.names == [*first, "a2"]


async def test_a_receiver_that_asks_for_time_gets_it(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [with_headers(429, Retry_After="1")]
    await record(engine, outbox, "a1")
    started = time.monotonic()
    start_courier(longest_pause=60)
    await receiver.count(2)

    assert time.monotonic() - started >= 1


async def test_events_survive_a_receiver_that_is_away(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    async with hearing() as away:
        port = int(away.url.split(":")[2].split("/")[0])
    courier = start_courier(away.url)
    await record(engine, outbox, *(f"{subject}{n}" for n in (1, 2) for subject in "abcdefgh"))
    async with asyncio.timeout(60):
        while not courier.is_paused:
            await asyncio.sleep(0.02)

    async with hearing(port) as back:
        await emptied(outbox)

        names = back.names
        assert sorted(names) == sorted(f"{subject}{n}" for n in (1, 2) for subject in "abcdefgh")
        assert all(names.index(f"{s}1") < names.index(f"{s}2") for s in "abcdefgh")


async def test_a_receiver_that_is_down_is_spared(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.every_answer = 503
    await record(engine, outbox, *(f"{chr(n)}1" for n in range(0x4E00, 0x4E00 + 200)))
    courier = start_courier(parallel=4, doubt=5, first_rest=3600, longest_rest=3600)
    async with asyncio.timeout(60):
        while not courier.is_paused:
            await asyncio.sleep(0.02)
    before = len(receiver.heard)
    await record(engine, outbox, "a1")  # which wakes the courier
    await asyncio.sleep(0.5)

    # Those under way when it was noticed are all that come.
    assert before < 5 + 4 + 1
    assert len(receiver.heard) < 5 + 4 + 1


async def test_one_upload_that_is_always_refused_slows_nobody_down(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.every_answer = 500
    await record(engine, outbox, "a1")
    start_courier(first_rest=3600, longest_rest=3600)
    await receiver.count(20)
    receiver.every_answer = 204

    await record(engine, outbox, "b1")
    await emptied(outbox)

    assert receiver.names[-2:] in (["a1", "b1"], ["b1", "a1"])


async def test_after_a_long_time_down_what_is_old_is_given_up_without_a_try(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.every_answer = 503
    await record(engine, outbox, *(f"{subject}1" for subject in "abcdefghijklmnopqrst"))
    start_courier(parallel=1, tries=1000, lifetime=0, patience=0, longest_rest=0.01)
    await emptied(outbox)

    assert await outbox.dead() == 20
    assert len(receiver.heard) < 20


async def test_an_end_leaves_what_is_under_way_to_the_next(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    receiver.answers = [held(asyncio.Event())]
    await record(engine, outbox, "a1", "a2")
    courier = start_courier(farewell=0.1, margin=1000)
    await receiver.count(1)
    await courier.close()

    start_courier()
    await emptied(outbox)

    assert receiver.names == ["a1", "a1", "a2"]


async def test_an_end_lets_a_delivery_under_way_be_heard(
    engine: Engine, outbox: Outbox, receiver: Hearing, start_courier: StartCourier
) -> None:
    release = asyncio.Event()
    receiver.answers = [held(release)]
    await record(engine, outbox, "a1")
    courier = start_courier(farewell=60)
    await receiver.count(1)
    asyncio.get_running_loop().call_later(1, release.set)
    await courier.close()

    assert await outbox.waiting() == 0


async def test_delivery_goes_on_when_the_database_was_away(
    engine: Engine,
    outbox: Outbox,
    receiver: Hearing,
    start_courier: StartCourier,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def rename(old: str, new: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    await record(engine, outbox, "a1")
    await asyncio.to_thread(rename, "outbox", "away")
    start_courier(poll=0.05)
    async with asyncio.timeout(60):
        while "hooks cannot use the catalog" not in caplog.text:
            await asyncio.sleep(0.02)

    await asyncio.to_thread(rename, "away", "outbox")
    await receiver.count(1)


async def test_logs_tell_what_fails_but_no_secret(
    engine: Engine,
    outbox: Outbox,
    receiver: Hearing,
    start_courier: StartCourier,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.answers = [500, cut, 410, *[500] * 7]
    url = receiver.url.replace("//", "//user:pa55word@") + "?token=t0ken"
    await record(engine, outbox, *(f"{subject}1" for subject in "abcdefgh"))
    start_courier(url)
    await emptied(outbox)

    told = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "hook failed" in told
    assert "hook given up" in told
    assert "HTTP 500" in told
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "pa55word", "t0ken"):
        assert secret not in told
    assert receiver.heard[0].headers["authorization"].startswith("Basic ")
