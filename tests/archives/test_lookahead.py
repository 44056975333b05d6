"""Reading sources ahead: in order, within bounds, and ended when the reader leaves."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing

import pytest

from penstock.archives.lookahead import LookAhead, Stretch
from tests.eventually import eventually

PIECE = 1000


class Sources:
    """Sources of ``pieces`` pieces each; remembers what is open and how much was read."""

    def __init__(self, pieces: int = 3, broken: int | None = None) -> None:
        self.pieces = pieces
        self.broken = broken
        self.open = 0
        self.most_open = 0
        self.given = 0

    async def read(self, stretch: Stretch) -> AsyncGenerator[bytes, None]:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            for number in range(self.pieces):
                await asyncio.sleep(0)
                if stretch.source == self.broken and number == 1:
                    raise OSError("broken")
                self.given += PIECE
                yield bytes([stretch.source]) * PIECE
        finally:
            self.open -= 1


def stretches(first: int, stop: int) -> Iterator[Stretch]:
    return (Stretch(index, 0, None) for index in range(first, stop))


async def whole(ahead: LookAhead, index: int) -> bytes:
    async with aclosing(ahead.read(Stretch(index, 0, None))) as pieces:
        return b"".join([data async for data in pieces])


@pytest.mark.parametrize("budget", [1, 2 * PIECE, 1 << 20])
@pytest.mark.parametrize("connections", [1, 2, 8])
async def test_sources_come_whole_and_in_order(connections: int, budget: int) -> None:
    sources = Sources()
    async with LookAhead(
        sources.read, stretches(1, 20), connections=connections, budget=budget
    ) as ahead:
        read = [await whole(ahead, index) for index in range(20)]

    assert read == [bytes([index]) * 3 * PIECE for index in range(20)]
    assert sources.most_open <= connections
    assert sources.open == 0


async def test_those_behind_are_opened_while_the_first_is_read() -> None:
    sources = Sources(pieces=100)
    async with (
        LookAhead(sources.read, stretches(1, 9), connections=3, budget=10 * PIECE) as ahead,
        aclosing(ahead.read(Stretch(0, 0, None))) as first,
    ):
        await anext(first)

        assert await eventually(lambda: sources.open == 3)


async def test_no_more_is_read_ahead_than_the_budget() -> None:
    sources = Sources(pieces=10_000)
    async with (
        LookAhead(sources.read, stretches(1, 9), connections=4, budget=20 * PIECE) as ahead,
        aclosing(ahead.read(Stretch(0, 0, None))) as first,
    ):
        await anext(first)
        for _ in range(1000):
            await asyncio.sleep(0)

        # The first may go on to 256 KiB of its own; each connection has one piece in hand.
        assert sources.given <= 20 * PIECE + (256 << 10) + 5 * PIECE


async def test_a_broken_source_fails_when_its_turn_comes() -> None:
    sources = Sources(broken=2)
    async with LookAhead(sources.read, stretches(1, 5), connections=4, budget=1 << 20) as ahead:
        read = [await whole(ahead, 0), await whole(ahead, 1)]
        with pytest.raises(OSError, match="broken"):
            await whole(ahead, 2)

    assert read == [bytes([index]) * 3 * PIECE for index in range(2)]


async def test_leaving_closes_every_source() -> None:
    sources = Sources(pieces=1000)
    async with LookAhead(sources.read, stretches(1, 9), connections=4, budget=1 << 20) as ahead:
        reading = ahead.read(Stretch(0, 0, None))
        await anext(reading)
        await reading.aclose()

    assert sources.open == 0


async def test_what_was_not_expected_is_read_all_the_same() -> None:
    sources = Sources(pieces=1000)
    async with LookAhead(sources.read, stretches(1, 9), connections=2, budget=PIECE) as ahead:
        await whole(ahead, 0)

        assert len(await whole(ahead, 7)) == 1000 * PIECE
