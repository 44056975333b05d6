"""Work on the cluster that one process does at a time, under a lease."""

from sqlalchemy import Connection, Engine, Update, or_, select, update

from penstock.catalog.clock import NOW
from penstock.catalog.commits import GroupCommit
from penstock.catalog.inserting import inserting
from penstock.catalog.schema import cluster_duties as duties
from penstock.threads import in_thread

_LONG_OVER = 0.0


class Duties:
    """The table of duties; leases are seconds by the database's clock."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def take(self, name: str, holder: str, lease: float) -> str | None:
        """Hold the duty, or hold it for longer; ``None`` if it is another's.

        Answers the state that was saved last, by whomever; an empty text if none ever was.
        """

        def change(connection: Connection) -> str | None:
            values = {"name": name, "holder": holder, "until": NOW + lease, "state": ""}
            taken = inserting(connection, duties, values).on_conflict_do_update(
                index_elements=["name"],
                set_={"holder": holder, "until": NOW + lease},
                where=or_(duties.c.holder == holder, duties.c.until <= NOW),
            )
            state: str | None = connection.scalar(taken.returning(duties.c.state))
            return state

        return await self._commits.run(change)

    async def save(self, name: str, holder: str, lease: float, state: str) -> bool:
        """Save where it stands and hold it for longer; ``False`` if it is another's by now."""
        saved = _of(name, holder).values(state=state, until=NOW + lease)
        return await self._commits.run(
            lambda connection: connection.execute(saved).rowcount == 1,
        )

    async def state(self, name: str) -> str:
        """What was saved last, by whomever; an empty text if nothing ever was."""

        def read() -> str:
            with self._engine.connect() as connection:
                query = select(duties.c.state).where(duties.c.name == name)
                return connection.scalar(query) or ""

        return await in_thread(read)

    async def release(self, name: str, holder: str) -> None:
        """Let anybody else take it at once; what was saved stays."""
        freed = _of(name, holder).values(holder="", until=_LONG_OVER)
        await self._commits.run(lambda connection: connection.execute(freed))


def _of(name: str, holder: str) -> Update:
    return update(duties).where(duties.c.name == name, duties.c.holder == holder)
