"""The checksum book of a node: many changes at once, and a full disk told for what it is."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Engine, bindparam, delete, insert
from sqlalchemy.exc import OperationalError

from penstock.catalog import SqlChecksums
from penstock.catalog.schema import checksums
from penstock.errors import StorageFull
from penstock.stores.interface import NOTHING_KNOWN

_DROP = delete(checksums).where(checksums.c.key == bindparam("of"))
_ADD = insert(checksums)


class Book(SqlChecksums):
    """As :class:`SqlChecksums`, on the same disk as the files."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._database = engine

    def put_all(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        """Remember versions (key, etag, CRC-32), one of each key, and drop those before them.

        :raises StorageFull: there is no space left for it.
        """
        if not crc32s:
            return
        rows = [
            {"key": key, "etag": etag, **NOTHING_KNOWN._replace(crc32=crc32)._asdict()}
            for key, etag, crc32 in crc32s
        ]
        with _full_disk(), self._database.begin() as connection:
            connection.execute(_DROP, [{"of": key} for key, _, _ in crc32s])
            connection.execute(_ADD, rows)

    def forget_all(self, keys: Sequence[str]) -> None:
        """Drop every version of the keys, all at once.

        :raises StorageFull: there is no space left for that.
        """
        if not keys:
            return
        with _full_disk(), self._database.begin() as connection:
            connection.execute(_DROP, [{"of": key} for key in keys])


@contextmanager
def _full_disk() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull("the node has no space left; nothing was stored") from error
        raise
