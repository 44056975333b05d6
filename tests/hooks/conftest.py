"""An outbox on each kind of database, a receiver, and couriers between them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from sqlalchemy import Engine

from penstock.catalog import GroupCommit, Outbox
from penstock.hooks import Courier, HookLimits, Receiver
from tests.catalog.conftest import engine, postgres, url
from tests.hooks.hearing import SECRET, Hearing, hearing

__all__ = ["engine", "postgres", "url"]

QUICK = HookLimits(
    timeout=20, margin=20, poll=30, first_pause=0.01, longest_pause=0.02, first_rest=0.01
)

Record = Callable[..., None]
StartCourier = Callable[..., Courier]


@pytest.fixture
async def outbox(engine: Engine) -> AsyncIterator[Outbox]:
    commits = GroupCommit(engine)
    yield Outbox(engine, commits)
    await commits.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Hearing]:
    async with hearing() as made:
        yield made


@pytest.fixture
async def start_courier(outbox: Outbox, receiver: Hearing) -> AsyncIterator[StartCourier]:
    """Start couriers from the outbox to the receiver, with limits of one's own."""
    started: list[Courier] = []

    def start(url: str = "", outbox: Outbox = outbox, **limits: float) -> Courier:
        target = Receiver.of(url or receiver.url, SECRET)
        courier = Courier(outbox, target, replace(QUICK, **limits))  # type: ignore[arg-type]
        courier.start()
        started.append(courier)
        return courier

    yield start
    await asyncio.gather(*(courier.close() for courier in started))


async def record(engine: Engine, outbox: Outbox, *events: str) -> None:
    """Record events, each in a transaction of its own: ``a1`` is event 1 of upload a."""

    def work() -> None:
        for name in events:
            with engine.begin() as connection:
                outbox.record(connection, name[0], "upload.created", {"name": name})

    await asyncio.to_thread(work)


async def emptied(outbox: Outbox, timeout: float = 60) -> None:
    """Wait until nothing waits for delivery."""
    async with asyncio.timeout(timeout):
        while await outbox.waiting():
            await asyncio.sleep(0.02)
