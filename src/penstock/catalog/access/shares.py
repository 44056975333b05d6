"""Share links in the catalog: what each gives, and how much of that has been used.

A share lives until it expires, and no longer than the token that made it: that is asked whenever it
is used, so nothing has to be swept in time.
"""

from dataclasses import asdict, dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    Update,
    and_,
    cast,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)

from penstock.catalog.clock import NOW
from penstock.catalog.commits import GroupCommit
from penstock.catalog.ids import may_be_id
from penstock.catalog.schema import shares, tokens
from penstock.threads import in_thread

_TOKEN = "token:"  # noqa: S105 - how the actor of a token begins
_FACTOR = 2


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One share link; times are seconds since 1970, ``None`` for never."""

    id: str
    kind: str
    """``download`` or ``upload``."""
    title: str
    spec: str
    """JSON: the selection, or the folder that files are put into."""
    maker: str
    prefix: str
    created: float
    expires: float | None
    most: int | None
    """Downloads, or files that may be put."""
    count: int
    taken: int
    """Bytes sent to requests that left the first byte out, or of the files that were put."""
    most_bytes: int | None
    """Bytes of the largest file that may be put."""
    password: bytes | None

    @property
    def left(self) -> int | None:
        """Downloads, or files, that are left; ``None``: as many as wanted."""
        return None if self.most is None else max(0, self.most - self.count)


class SqlShares:
    """The table of shares, one object for each engine; ``commits`` is the catalog's."""

    def __init__(self, engine: Engine, commits: GroupCommit) -> None:
        self._engine = engine
        self._commits = commits

    async def add(self, row: ShareRow) -> None:
        """Keep a share, and forget those that have ended; durable on return."""
        values = asdict(row)
        values["bytes"] = values.pop("taken")

        def change(connection: Connection) -> None:
            connection.execute(delete(shares).where(not_(_lives())))
            connection.execute(insert(shares), values)

        await self._commits.run(change)

    async def get(self, identity: str) -> ShareRow | None:
        """The share, if it lives."""

        def read() -> ShareRow | None:
            query = select(shares).where(shares.c.id == identity, _lives())
            with self._engine.connect() as connection:
                row = connection.execute(query).one_or_none()
            return None if row is None else ShareRow(*row)

        return await in_thread(read)

    async def page(
        self, maker: str | None, after: tuple[float, str] | None, limit: int
    ) -> list[ShareRow]:
        """At most ``limit`` of those that live, the newest first, behind the one that was made at
        that time with that id; ``maker`` is whose, ``None``: everybody's."""
        query = select(shares).where(_lives())
        if maker is not None:
            query = query.where(shares.c.maker == maker)
        if after is not None:
            query = query.where(tuple_(shares.c.created, shares.c.id) < tuple_(*after))
        query = query.order_by(shares.c.created.desc(), shares.c.id.desc()).limit(limit)

        def read() -> list[ShareRow]:
            with self._engine.connect() as connection:
                return [ShareRow(*row) for row in connection.execute(query)]

        return await in_thread(read)

    async def remove(self, identity: str, maker: str | None) -> bool:
        """End a share, if ``maker`` made it (``None``: whoever did); whether there was one."""
        if not may_be_id(identity):
            return False
        query = delete(shares).where(shares.c.id == identity)
        if maker is not None:
            query = query.where(shares.c.maker == maker)
        return await self._commits.run(lambda connection: connection.execute(query).rowcount == 1)

    async def count(self, identity: str) -> bool:
        """Count a download; whether one was left."""
        return await self._change(
            update(shares)
            .where(shares.c.id == identity, _lives(), _has_left())
            .values(count=shares.c.count + 1)
        )

    async def take(self, identity: str, amount: int, size: int) -> bool:
        """Count bytes of requests that left the first one out; whether they were left.

        ``size`` is that of what is shared, in bytes: of each download that was counted so many may
        be had once more, since what a broken connection had under way is sent again.
        """
        together = shares.c.bytes + amount
        # PostgreSQL multiplies in the type of its operands, and a count is no int8.
        explained = cast(shares.c.count, BigInteger) * (_FACTOR * size)
        return await self._change(
            update(shares)
            .where(
                shares.c.id == identity,
                _lives(),
                or_(shares.c.most.is_(None), together <= explained),
            )
            .values(bytes=together)
        )

    async def place(self, identity: str, length: int) -> bool:
        """Count a file of ``length`` bytes that is about to be put; whether it may be."""
        return await self._change(
            update(shares)
            .where(
                shares.c.id == identity,
                _lives(),
                _has_left(),
                or_(shares.c.most_bytes.is_(None), shares.c.most_bytes >= length),
            )
            .values(count=shares.c.count + 1, bytes=shares.c.bytes + length)
        )

    async def give_back(self, identity: str, length: int) -> None:
        """Count a file no more: nothing was stored of it."""
        await self._change(
            update(shares)
            .where(shares.c.id == identity, shares.c.count > 0)
            .values(count=shares.c.count - 1, bytes=shares.c.bytes - length)
        )

    async def _change(self, query: Update) -> bool:
        return await self._commits.run(lambda connection: connection.execute(query).rowcount == 1)


def _has_left() -> ColumnElement[bool]:
    return or_(shares.c.most.is_(None), shares.c.count < shares.c.most)


def _lives() -> ColumnElement[bool]:
    """Whether neither the share nor the token that made it has expired or been removed."""
    token = (
        select(tokens.c.id)
        .where(
            tokens.c.id == func.substr(shares.c.maker, len(_TOKEN) + 1),
            or_(tokens.c.expires.is_(None), tokens.c.expires > NOW),
        )
        .correlate(shares)
        .exists()
    )
    return and_(
        or_(shares.c.expires.is_(None), shares.c.expires > NOW),
        or_(not_(shares.c.maker.startswith(_TOKEN)), token),
    )
