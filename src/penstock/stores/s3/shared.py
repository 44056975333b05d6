"""What the parts of one S3 store have in common."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Executor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from penstock.errors import BadKey
from penstock.stores.budget import Budget
from penstock.stores.interface import ChecksumBook
from penstock.stores.keys import MAX_KEY_BYTES, check_key
from penstock.stores.s3.abilities import Abilities
from penstock.stores.s3.calls import Calls
from penstock.stores.s3.options import Place, S3Options
from penstock.stores.s3.orphans import Orphans
from penstock.stores.s3.trouble import Broken, Refused, sorted_out
from penstock.stores.spool import Spool


@dataclass(frozen=True, slots=True)
class Shared:
    """``folder`` is where bytes wait that find no room in memory."""

    place: Place
    options: S3Options
    calls: Calls
    book: ChecksumBook
    pool: Executor
    budget: Budget
    orphans: Orphans
    folder: str
    abilities: Callable[[], Awaitable[Abilities]]
    turns: "Turns" = field(default_factory=lambda: Turns())

    def name_of(self, key: str) -> str:
        """The full name of the object at ``key``.

        :raises BadKey: the key cannot be, or with the prefix it is longer than S3 allows.
        """
        name = self.place.prefix + check_key(key)
        if len(name.encode()) > MAX_KEY_BYTES:
            raise BadKey(
                f"the key is too long: with the store's prefix at most {MAX_KEY_BYTES:,} bytes "
                "are allowed"
            )
        return name

    def spool(self) -> Spool:
        """An empty one."""
        return Spool(self.budget, self.folder, self.pool)


class Turns:
    """One at a time for each key, in this process."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def at(self, key: str) -> AsyncIterator[None]:
        """Wait until nobody else has the turn."""
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(key)
            if users > 1:
                self._locks[key] = lock, users - 1


@contextmanager
def for_caller(key: str) -> Iterator[None]:
    """Turns what S3 refuses into the errors that callers know."""
    try:
        yield
    except (Refused, Broken) as error:
        raise sorted_out(error, key) from error
