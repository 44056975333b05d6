"""Who looks after a cluster, when, and how it ends."""

import asyncio
import logging

import pytest

from penstock.catalog.cluster import Doomed
from penstock.cluster import upkeep as module
from penstock.cluster.upkeep import DUTY
from tests.cluster.conftest import StartCluster
from tests.cluster.keeping import keeper, put_some, until
from tests.eventually import eventually
from tests.s3.files import get


async def test_one_process_at_a_time_has_the_duty(start_cluster: StartCluster, url: str) -> None:
    cluster = await start_cluster(1, url=url)
    one, other = keeper(cluster), keeper(cluster)

    assert await one.run_once()
    assert not await other.run_once()

    await one.close()
    assert await other.run_once()


async def test_what_is_to_be_done_is_done_without_being_asked_for(
    start_cluster: StartCluster,
) -> None:
    cluster = await start_cluster(4)
    (data,) = (await put_some(cluster, "a")).values()
    upkeep = keeper(cluster)
    upkeep.start()
    await cluster.die(0)

    async def repaired() -> bool:
        return all(len(nodes - {0}) == 2 for nodes in await cluster.copies("a"))

    upkeep.nudge()
    await until(repaired)

    await upkeep.close()
    assert await get(cluster.store, "a") == data


async def test_who_lost_the_duty_stops(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW", 0.05)
    monkeypatch.setattr(module, "_WATCH", 0.05)
    cluster = await start_cluster(2, upkeep_rate=100)  # the scrub takes hours
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    working = asyncio.create_task(upkeep.run_once())
    assert await eventually(lambda: upkeep.has_duty, 60)

    async def stolen() -> bool:
        await cluster.catalog.duties.release(DUTY, upkeep.holder)
        return await cluster.catalog.duties.take(DUTY, "other", 60) is not None

    await until(stolen)

    async with asyncio.timeout(60):
        assert not await working


async def test_another_takes_over_when_one_ends(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RENEW", 0.1)
    cluster = await start_cluster(4)
    one, other = keeper(cluster), keeper(cluster)
    one.start()
    assert await eventually(lambda: one.has_duty, 60)
    other.start()
    await put_some(cluster, "a")

    await one.close()
    await cluster.die(0)

    async def repaired() -> bool:
        return all(len(nodes - {0}) == 2 for nodes in await cluster.copies("a"))

    await until(repaired)
    assert other.status()["repaired"] > 0
    await other.close()


async def test_what_one_process_found_all_of_them_tell(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(module, "_RENEW", 0.1)
    cluster = await start_cluster(2, url=url, replicas=1)
    await put_some(cluster, *"abcdefgh")
    copies = [await cluster.copies(key) for key in "abcdefgh"]
    parts = sum(nodes == {0} for one in copies for nodes in one)
    await cluster.die(0)
    looking, asked = keeper(cluster), keeper(cluster)
    looking.start()
    looking.nudge()
    lost = {"short": parts, "lost": parts}
    assert parts

    async def told() -> bool:
        return await asked.found() == lost

    await until(told)
    assert await looking.found() == lost
    await looking.close()
    assert await asked.found() == lost  # until somebody looks again


async def test_what_another_version_left_is_passed_over(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(1)
    duties, asked = cluster.catalog.duties, keeper(cluster)
    assert await asked.found() == {"short": 0, "lost": 0}

    await duties.take(DUTY, "other", 60)
    for state in ("{", "[]", '{"scrubs": 1, "short": "2", "lost": -1}'):
        await duties.save(DUTY, "other", 60, state)
        assert await asked.found() == {"short": 0, "lost": 0}


async def test_it_ends_at_once_whatever_it_does(start_cluster: StartCluster) -> None:
    cluster = await start_cluster(2, upkeep_rate=100)  # the scrub takes hours
    await put_some(cluster, "a")
    upkeep = keeper(cluster)
    upkeep.start()
    assert await eventually(lambda: upkeep.has_duty, 60)

    async with asyncio.timeout(30):
        await upkeep.close()

    assert await cluster.catalog.duties.take(DUTY, "other", 60) is not None


async def test_it_goes_on_after_an_error(
    start_cluster: StartCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "_AFTER_ERROR", 0.01)
    cluster = await start_cluster(grace=0)
    await put_some(cluster, "a")
    removals = cluster.catalog.removals
    claim, errors = removals.claim, [OSError("the database is away")]

    async def failing(most: int, lease: float) -> list[Doomed]:
        if errors:
            raise errors.pop()
        return await claim(most, lease)

    monkeypatch.setattr(removals, "claim", failing)
    upkeep = keeper(cluster)
    await cluster.store.delete("a")

    with caplog.at_level(logging.WARNING, "penstock.cluster"):
        upkeep.start()

        async def removed() -> bool:
            return await removals.count() == 0

        await until(removed)

    await upkeep.close()
    assert "removing files failed; it is tried again" in caplog.messages


async def test_nodes_that_nobody_could_hear_are_given_time_to_speak(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK", 0.05)
    cluster = await start_cluster(4)
    await put_some(cluster, "a")
    for number in range(4):
        await cluster.silence(number, 1000)
    upkeep = keeper(cluster, quiet=3600)
    upkeep.start()
    assert await eventually(lambda: upkeep.has_duty, 60)

    for number in (0, 1):  # the others are late
        cluster.nodes[number].speaks = True
    await cluster.hear()

    async def scrubbed() -> bool:
        return all([(await cluster.node(number)).scrubbed is not None for number in (0, 1)])

    upkeep.nudge()
    await until(scrubbed)
    assert upkeep.status()["repaired"] == 0
    await upkeep.close()


async def test_nodes_are_given_time_to_speak_when_the_duty_was_lost(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_RENEW", "_WATCH", "_LOOK"):
        monkeypatch.setattr(module, name, 0.05)
    cluster = await start_cluster(4)
    await put_some(cluster, "a")
    duties = cluster.catalog.duties
    upkeep = keeper(cluster, quiet=3600)
    upkeep.start()
    upkeep._quiet_until = 0.0  # as if it had begun long ago
    assert await eventually(lambda: upkeep.has_duty, 60)

    async def stolen() -> bool:
        await duties.release(DUTY, upkeep.holder)
        return await duties.take(DUTY, "other", 60) is not None

    await until(stolen)
    assert await eventually(lambda: not upkeep.has_duty, 60)
    await cluster.die(0)
    await duties.release(DUTY, "other")
    assert await eventually(lambda: upkeep.has_duty, 60)

    async def scrubbed() -> bool:
        return all([(await cluster.node(number)).scrubbed is not None for number in (1, 2, 3)])

    upkeep.nudge()
    await until(scrubbed)
    assert upkeep.status()["repaired"] == 0
    await upkeep.close()
