"""What Penstock remembers in an SQL database."""

from penstock.catalog.checksums import SqlChecksums
from penstock.catalog.database import open_database, sqlite_url
from penstock.catalog.selections import Selections

__all__ = ["Selections", "SqlChecksums", "open_database", "sqlite_url"]
