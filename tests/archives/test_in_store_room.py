"""Room in memory that is shared by all who read ahead for one archive."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from penstock.archives.in_store.room import Room

TOTAL = 100


async def waiting(room: Room, size: int) -> "asyncio.Task[None]":
    """Somebody who waits for room."""
    task = asyncio.create_task(room.take(size))
    await asyncio.sleep(0)
    return task


async def test_what_does_not_fit_waits_until_it_does() -> None:
    room = Room(TOTAL)
    await room.take(60)
    second = await waiting(room, 60)
    before = second.done()

    room.give_back(60)
    await second

    assert (before, room.peak) == (False, 60)


async def test_who_asks_first_is_given_first() -> None:
    room = Room(TOTAL)
    await room.take(60)
    large = await waiting(room, 90)

    assert not room.take_at_once(10)
    room.give_back(60)
    await large
    assert room.take_at_once(10)


async def test_more_than_there_is_fits_when_all_is_free() -> None:
    room = Room(TOTAL)

    assert room.take_at_once(TOTAL * 3)
    assert not room.take_at_once(1)
    room.give_back(TOTAL * 3)
    assert room.take_at_once(1)


async def test_who_leaves_the_queue_lets_the_next_in() -> None:
    room = Room(TOTAL)
    await room.take(60)
    large, small = await waiting(room, 90), await waiting(room, 30)

    large.cancel()
    await asyncio.wait([large])
    await asyncio.wait_for(small, 5)

    assert room.peak == 90


async def test_who_is_cancelled_as_the_turn_comes_gives_it_back() -> None:
    room = Room(TOTAL)
    await room.take(TOTAL)
    task = await waiting(room, TOTAL)

    room.give_back(TOTAL)
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert room.take_at_once(TOTAL)


@given(st.lists(st.tuples(st.integers(1, 150), st.booleans()), min_size=1, max_size=30))
def test_there_is_never_too_much_and_nobody_is_forgotten(asked: list[tuple[int, bool]]) -> None:
    async def play() -> None:
        room, held = Room(TOTAL), []

        async def hold(size: int) -> None:
            await room.take(size)
            held.append(size)
            assert sum(held) <= TOTAL or len(held) == 1
            await asyncio.sleep(0)
            held.remove(size)
            room.give_back(size)

        tasks = [asyncio.create_task(hold(size)) for size, _ in asked]
        await asyncio.sleep(0)
        for task, (_, leaves) in zip(tasks, asked, strict=True):
            if leaves and not task.done() and not held:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert room.take_at_once(TOTAL)

    asyncio.run(play())
