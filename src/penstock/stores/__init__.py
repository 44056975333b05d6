"""Where files live."""

from penstock.stores.interface import (
    ALWAYS,
    NOTHING_KNOWN,
    Checksum,
    ChecksumBook,
    Condition,
    Facts,
    FileInfo,
    LocalFiles,
    Page,
    Store,
    Writer,
)
from penstock.stores.local import LocalStore
from penstock.stores.memory import MemoryStore
from penstock.stores.opening import open_store

__all__ = [
    "ALWAYS",
    "NOTHING_KNOWN",
    "Checksum",
    "ChecksumBook",
    "Condition",
    "Facts",
    "FileInfo",
    "LocalFiles",
    "LocalStore",
    "MemoryStore",
    "Page",
    "Store",
    "Writer",
    "open_store",
]
