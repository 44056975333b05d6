"""Duties: one process at a time, and the next goes on where the last stood."""

from sqlalchemy import update

from penstock.catalog.schema import cluster_duties
from tests.catalog.cluster.conftest import HOUR, Catalog


async def test_a_duty_is_of_one_until_it_lets_go(catalog: Catalog) -> None:
    duties = catalog.duties
    assert await duties.take("scrub", "a", HOUR) == ""
    assert await duties.take("scrub", "b", HOUR) is None
    assert await duties.save("scrub", "a", HOUR, "at 5")
    assert await duties.take("scrub", "a", HOUR) == "at 5"

    await duties.release("scrub", "b")
    assert await duties.take("scrub", "b", HOUR) is None
    await duties.release("scrub", "a")

    assert await duties.take("scrub", "b", HOUR) == "at 5"
    assert not await duties.save("scrub", "a", HOUR, "too late")
    assert await duties.take("repair", "a", HOUR) == ""


async def test_the_duty_of_who_fell_silent_is_free(catalog: Catalog) -> None:
    await catalog.duties.take("scrub", "a", HOUR)
    await catalog.duties.save("scrub", "a", HOUR, "at 5")

    await catalog.execute(update(cluster_duties).values(until=0.0))

    assert await catalog.duties.take("scrub", "b", HOUR) == "at 5"
    assert await catalog.duties.take("scrub", "a", HOUR) is None
