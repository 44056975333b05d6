"""Lanes of jobs in the catalog: what waits and runs in each, and which are paused."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Engine, exists, func, select

from penstock.catalog.clock import NOW
from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.queue import WAITING
from penstock.catalog.schema import jobs, lanes
from penstock.threads import in_thread


class LaneRow(NamedTuple):
    """Whether a lane is paused, and how many jobs it has in each state that any is in."""

    paused: bool
    counts: Mapping[str, int]


class Lanes:
    """The table of lanes, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def read(self) -> dict[str, LaneRow]:
        """Every lane that has a job or was ever paused."""
        counted = select(jobs.c.lane, jobs.c.state, func.count()).group_by(
            jobs.c.lane, jobs.c.state
        )

        def read() -> dict[str, LaneRow]:
            with self._engine.connect() as connection:
                told = connection.execute(select(lanes.c.name, lanes.c.paused))
                paused: dict[str, bool] = {row.name: row.paused for row in told}
                counts: dict[str, dict[str, int]] = {name: {} for name in paused}
                for lane, state, count in connection.execute(counted):
                    counts.setdefault(lane, {})[state] = count
            return {name: LaneRow(paused.get(name, False), of) for name, of in counts.items()}

        return await in_thread(read)

    async def oldest(self) -> dict[str, float]:
        """Of each lane in which jobs are due: how many seconds the first of them has waited."""
        query = (
            select(jobs.c.lane, NOW - func.min(jobs.c.due))
            .where(jobs.c.state == WAITING, jobs.c.due <= NOW)
            .group_by(jobs.c.lane)
        )

        def read() -> dict[str, float]:
            with self._engine.connect() as connection:
                return {lane: float(waited) for lane, waited in connection.execute(query)}

        return await in_thread(read)

    async def pause(self, name: str, paused: bool) -> None:
        """Pause the lane, or let it go on; durable on return."""

        def change(connection: Connection) -> None:
            row = inserting(connection, lanes, {"name": name, "paused": paused})
            connection.execute(
                row.on_conflict_do_update(index_elements=["name"], set_={"paused": paused})
            )

        await self._commits.run(change)


def is_paused(name: str) -> ColumnElement[bool]:
    """Whether the lane is paused, as a condition of a query."""
    return exists(select(lanes.c.name).where(lanes.c.name == name, lanes.c.paused))
