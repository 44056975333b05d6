"""The checksum book on the catalog's database."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice

from sqlalchemy import Engine, bindparam, delete, insert, select, true

from penstock.catalog.inserting import inserting
from penstock.catalog.schema import checksums
from penstock.stores.interface import NOTHING_KNOWN, Facts

_REMEMBERED = 2048
_KEYS_PER_QUERY = 500

# The columns of the facts, in the order of their fields.
_FACTS = [checksums.c[name] for name in Facts._fields]

Version = tuple[str, str]


class SqlChecksums:
    """Implements :class:`penstock.stores.interface.ChecksumBook`.

    The last two thousand versions looked up are kept in memory (some 400 bytes each): facts of a
    version never change, so a hit cannot be stale. That nothing is known is remembered too: what
    another process finds out about the version is then missed until it falls out of memory, which
    costs a digest in the answer and nothing else.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._recent: OrderedDict[Version, Facts] = OrderedDict()
        self._lock = threading.Lock()

    def peek(self, key: str, etag: str) -> Facts | None:
        with self._lock:
            if (facts := self._recent.get((key, etag))) is not None:
                self._recent.move_to_end((key, etag))
            return facts

    def get(self, key: str, etag: str) -> Facts:
        if (facts := self.peek(key, etag)) is not None:
            return facts
        query = select(*_FACTS).where(checksums.c.key == key, checksums.c.etag == etag)
        with self._engine.connect() as connection:
            row = connection.execute(query).first()
        return self._remember((key, etag), NOTHING_KNOWN if row is None else Facts(*row))

    def get_many(self, versions: Iterable[Version]) -> dict[str, Facts]:
        found: dict[str, Facts] = {}
        rest = iter(versions)
        with self._engine.connect() as connection:
            while wanted := dict(islice(rest, _KEYS_PER_QUERY)):
                query = select(checksums.c.key, checksums.c.etag, *_FACTS).where(
                    checksums.c.key.in_(list(wanted))
                )
                # Straight from the driver: the types need no converting, and making a row object
                # per file costs more than the query.
                for key, etag, *facts in connection.execute(query).cursor.fetchall():
                    if wanted[key] == etag:
                        found[key] = Facts(*facts)
        return found

    def put(self, key: str, etag: str, facts: Facts, *, replaces: str | None = None) -> None:
        stale = true() if replaces is None else checksums.c.etag != replaces
        row = {
            "key": key,
            "etag": etag,
            **facts._asdict(),
        }
        with self._engine.begin() as connection:
            connection.execute(delete(checksums).where(checksums.c.key == key, stale))
            connection.execute(insert(checksums), row)
        self._remember((key, etag), facts)

    def put_crc32s(self, crc32s: Sequence[tuple[str, str, int]]) -> None:
        if not crc32s:
            return
        versions = [{"of": key, "version": etag} for key, etag, _ in crc32s]
        rows = [
            {"key": key, "etag": etag, **NOTHING_KNOWN._replace(crc32=value)._asdict()}
            for key, etag, value in crc32s
        ]
        stale = checksums.c.key == bindparam("of"), checksums.c.etag != bindparam("version")
        with self._engine.begin() as connection:
            connection.execute(delete(checksums).where(*stale), versions)
            # What else is known of a version stays, whoever writes it down meanwhile.
            adding = inserting(connection, checksums, {})
            adding = adding.on_conflict_do_update(
                index_elements=["key", "etag"], set_={"crc32": adding.excluded.crc32}
            )
            connection.execute(adding, rows)
        with self._lock:
            for key, etag, _ in crc32s:
                self._recent.pop((key, etag), None)

    def forget(self, key: str) -> None:
        with self._engine.begin() as connection:
            connection.execute(delete(checksums).where(checksums.c.key == key))

    def _remember(self, version: Version, facts: Facts) -> Facts:
        with self._lock:
            self._recent[version] = facts
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
        return facts
