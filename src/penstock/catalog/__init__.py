"""What Penstock remembers in an SQL database."""

from penstock.catalog.checksums import SqlChecksums
from penstock.catalog.commits import GroupCommit
from penstock.catalog.database import open_database, sqlite_url
from penstock.catalog.ledger import Ledger
from penstock.catalog.outbox import Outbox
from penstock.catalog.selections import Selections

__all__ = [
    "GroupCommit",
    "Ledger",
    "Outbox",
    "Selections",
    "SqlChecksums",
    "open_database",
    "sqlite_url",
]
