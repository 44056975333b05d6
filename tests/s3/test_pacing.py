"""When is tried again, and how many requests go at once."""

import asyncio

from penstock.stores.budget import Budget
from penstock.stores.s3.pacing import Pace, Retries
from tests.eventually import eventually


def test_pauses_grow_and_end() -> None:
    retries = Retries(tries=4)

    pauses = [retries.pause(failures) for failures in (1, 2, 3, 4)]

    assert pauses[3] is None
    assert all(
        pause is not None and 0 <= pause <= 0.1 * 2**at for at, pause in enumerate(pauses[:3], 1)
    )


def test_when_all_fails_retries_end_before_the_tries_do() -> None:
    retries = Retries(tries=10)

    granted = sum(retries.pause(1) is not None for _ in range(1000))

    assert granted == 100


def test_successes_give_retries_back() -> None:
    retries = Retries(tries=10)
    while retries.pause(1) is not None:
        pass

    for _ in range(5):
        retries.succeeded()

    assert retries.pause(1) is not None
    assert retries.pause(1) is None


async def test_slow_down_halves_what_goes_at_once_one_time_for_all_that_are_under_way() -> None:
    pace = Pace()
    before = pace.bound

    async with pace.turn() as first, pace.turn() as second:
        pace.slow_down(first)
        pace.slow_down(second)

    assert pace.bound == before // 2


async def test_success_lets_it_grow_again() -> None:
    pace = Pace()
    before = pace.bound
    async with pace.turn() as turn:
        pace.slow_down(turn)

    for _ in range(before * before):
        pace.went_well()

    assert pace.bound == before


async def test_no_more_go_at_once_than_may_and_all_go_in_the_end() -> None:
    pace = Pace()
    for _ in range(10):
        async with pace.turn() as turn:
            pace.slow_down(turn)
    going, most = 0, 0

    async def work() -> None:
        nonlocal going, most
        async with pace.turn():
            going += 1
            most = max(most, going)
            await asyncio.sleep(0)
            going -= 1

    await asyncio.gather(*(work() for _ in range(50)))

    assert most == pace.bound == 1


async def test_who_leaves_while_waiting_takes_nobodys_turn() -> None:
    pace = Pace()
    for _ in range(10):
        async with pace.turn() as turn:
            pace.slow_down(turn)
    had: list[int] = []

    async def work(number: int) -> None:
        async with pace.turn():
            had.append(number)

    async with pace.turn():
        tasks = [asyncio.ensure_future(work(number)) for number in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
    tasks[1].cancel()

    assert await eventually(lambda: had == [2])
    async with pace.turn():
        pass


def test_room_in_memory_is_never_more_than_there_is() -> None:
    budget = Budget(10)

    assert budget.take(6)
    assert not budget.take(5)
    budget.give_back(6)
    assert budget.take(10)
