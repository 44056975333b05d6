"""The outbox: what is recorded is claimed once at a time, in order, and never lost."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from sqlalchemy import Engine, create_engine, text

from penstock.catalog import GroupCommit, Outbox
from penstock.catalog.outbox import FURTHEST, Letter

HOUR = 3600.0


@asynccontextmanager
async def outbox_on(engine: Engine) -> AsyncIterator[Outbox]:
    commits = GroupCommit(engine)
    yield Outbox(engine, commits)
    await commits.close()


@pytest.fixture
async def outbox(engine: Engine) -> AsyncIterator[Outbox]:
    async with outbox_on(engine) as made:
        yield made


async def record(engine: Engine, outbox: Outbox, *events: str) -> None:
    """Record events: ``a1`` is event 1 of subject a."""

    def work() -> None:
        with engine.begin() as connection:
            for name in events:
                outbox.record(connection, name[0], "test.happened", {"name": name})

    await asyncio.to_thread(work)


def names(letters: list[Letter]) -> list[str]:
    return [json.loads(letter.body)["data"]["name"] for letter in letters]


async def claim(outbox: Outbox, lease: float = 60.0) -> Letter:
    """The one event that can be claimed."""
    (letter,) = await outbox.claim(10, lease)
    return letter


async def test_what_is_recorded_can_be_claimed(engine: Engine, outbox: Outbox) -> None:
    def work() -> None:
        with engine.begin() as connection:
            outbox.record(connection, "u1", "upload.created", {"id": "u1", "key": "ü/\x00"})

    await asyncio.to_thread(work)

    letter = await claim(outbox)

    body = json.loads(letter.body)
    assert (letter.subject, letter.kind, letter.attempts) == ("u1", "upload.created", 1)
    assert body.pop("timestamp").endswith("Z")
    assert body == {"type": "upload.created", "data": {"id": "u1", "key": "ü/\x00"}}


async def test_what_is_rolled_back_is_never_told(engine: Engine, outbox: Outbox) -> None:
    def work() -> None:
        with engine.connect() as connection:
            outbox.record(connection, "u1", "upload.created", {})
            connection.rollback()

    await asyncio.to_thread(work)

    assert await outbox.claim(10, 60) == []
    assert await outbox.waiting() == 0


async def test_whoever_listens_is_told_when_it_is_committed(engine: Engine, outbox: Outbox) -> None:
    other = create_engine(engine.url)
    seen = []

    def look() -> None:
        with other.connect() as connection:
            seen.append(connection.scalar(text("SELECT count(*) FROM outbox")))

    outbox.on_record(look)
    await record(engine, outbox, "a1", "b1")
    await outbox.claim(10, 60)

    assert seen == [2]
    await asyncio.to_thread(other.dispose)


async def test_events_of_one_subject_come_one_after_the_other(
    engine: Engine, outbox: Outbox
) -> None:
    await record(engine, outbox, "a1", "a2", "b1", "a3", "b2")

    rounds = []
    while letters := await outbox.claim(10, 60):
        assert await outbox.claim(10, 60) == []
        rounds.append(names(letters))
        for letter in letters:
            assert await outbox.delivered(letter)

    assert rounds == [["a1", "b1"], ["a2", "b2"], ["a3"]]
    assert await outbox.waiting() == 0


async def test_no_more_is_claimed_than_asked_for(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, *(f"{subject}1" for subject in "abcdefgh"))

    assert names(await outbox.claim(3, 60)) == ["a1", "b1", "c1"]
    assert names(await outbox.claim(3, 60)) == ["d1", "e1", "f1"]


async def test_a_postponed_event_holds_back_its_followers(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, "a1", "a2")
    await outbox.postpone(await claim(outbox), 60, "no answer")
    await record(engine, outbox, "a3", "b1")

    assert names(await outbox.claim(10, 60)) == ["b1"]
    due = await outbox.next_due()
    assert due is not None
    assert 30 < due <= 60


async def test_a_postponed_event_is_tried_again_under_the_same_id(
    engine: Engine, outbox: Outbox
) -> None:
    await record(engine, outbox, "a1")
    first = await claim(outbox)
    await outbox.postpone(first, 0, "no answer")

    second = await claim(outbox)

    assert (second.id, second.body) == (first.id, first.body)
    assert second.attempts == 2


async def test_nothing_waits_in_an_empty_outbox(outbox: Outbox) -> None:
    assert await outbox.next_due() is None


async def test_a_lease_that_is_over_lets_another_claim(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, "a1")
    first = await claim(outbox, lease=-1)

    second = await claim(outbox)

    assert second.id == first.id
    assert await outbox.claim(10, 60) == []


@pytest.mark.parametrize("settle", ["delivered", "postpone", "bury"])
async def test_who_outlives_the_lease_changes_nothing(
    engine: Engine, outbox: Outbox, settle: str
) -> None:
    await record(engine, outbox, "a1", "a2")
    late = await claim(outbox, lease=-1)
    second = await claim(outbox)

    arguments = {"delivered": (), "postpone": (0, "late"), "bury": ("late",)}[settle]
    assert await getattr(outbox, settle)(late, *arguments) is False

    assert await outbox.claim(10, 60) == []
    assert await outbox.delivered(second) is True
    assert names([await claim(outbox)]) == ["a2"]


async def test_a_dead_letter_is_kept_counted_and_lets_the_next_follow(
    engine: Engine, outbox: Outbox
) -> None:
    await record(engine, outbox, "a1", "a2")

    assert await outbox.bury(await claim(outbox), "HTTP 410") is True

    assert (await outbox.dead(), await outbox.waiting()) == (1, 1)
    assert names([await claim(outbox)]) == ["a2"]


async def test_what_is_too_old_is_given_up_in_one_go(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, "a1", "a2", "b1")
    (under_way,) = await outbox.claim(1, 60)

    assert await outbox.bury_older(HOUR, "too old") == 0
    assert await outbox.bury_older(-1, "too old") == 3

    assert await outbox.claim(10, 60) == []
    assert await outbox.delivered(under_way) is True
    assert await outbox.dead() == 2


async def test_dead_letters_are_forgotten_when_they_are_old(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, "a1", "b1")
    (letter,) = await outbox.claim(1, 60)
    await outbox.bury(letter, "HTTP 410")

    assert await outbox.forget_dead(HOUR) == 0
    assert await outbox.forget_dead(-1) == 1

    assert (await outbox.dead(), await outbox.waiting()) == (0, 1)


async def test_a_clock_that_is_set_back_delays_nothing_for_long(
    engine: Engine, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(engine, outbox, "a1", "a2")
    await outbox.postpone(await claim(outbox), 600, "no answer")
    clock = SimpleNamespace(time=lambda: 1_000_000_000.0)
    monkeypatch.setattr("penstock.catalog.outbox.time", clock)
    await record(engine, outbox, "b1")

    assert names(await outbox.claim(10, 60)) == ["b1"]
    assert await outbox.next_due() == 0

    assert "a1" in names(await outbox.claim(10, 60))


async def test_no_pause_is_longer_than_the_clock_allows_for(engine: Engine, outbox: Outbox) -> None:
    await record(engine, outbox, "a1")
    await outbox.postpone(await claim(outbox), 100 * FURTHEST, "no answer")

    due = await outbox.next_due()

    assert due is not None
    assert FURTHEST - 60 < due <= FURTHEST


async def test_claimants_at_the_same_time_neither_share_nor_skip_nor_overtake(
    engine: Engine, outbox: Outbox
) -> None:
    events = [f"{subject}{n}" for n in range(5) for subject in "abcdefghij"]
    await record(engine, outbox, *events)
    delivered: dict[str, list[str]] = defaultdict(list)

    async def work(seed: int) -> None:
        dice, own = random.Random(seed), create_engine(engine.url)
        async with outbox_on(own) as box:
            while await box.waiting():
                for letter in await box.claim(3, 60):
                    if dice.random() < 0.3:
                        assert await box.postpone(letter, 0, "dice")
                    else:
                        delivered[letter.subject] += names([letter])
                        assert await box.delivered(letter)
        await asyncio.to_thread(own.dispose)

    await asyncio.gather(*(work(seed) for seed in range(6)))

    assert delivered == {subject: [f"{subject}{n}" for n in range(5)] for subject in "abcdefghij"}


async def test_what_is_put_off_is_not_looked_at_again(engine: Engine, outbox: Outbox) -> None:
    subjects = [chr(n) for n in range(0x4E00, 0x4E00 + 1000)]
    await record(engine, outbox, *(f"{subject}{n}" for n in (1, 2) for subject in subjects))
    letters = await outbox.claim(999, 60)
    for letter in letters[:20]:
        await outbox.postpone(letter, 60, "no answer")

    def due() -> int:
        with engine.connect() as connection:
            query = "SELECT count(*) FROM outbox WHERE due < (SELECT max(due) - 30 FROM outbox)"
            return int(connection.scalar(text(query)) or 0)

    # Neither what is claimed or put off, nor what comes behind it: only the last subject's two.
    assert await asyncio.to_thread(due) == 2
    assert len(await outbox.claim(100, 60)) == 1
