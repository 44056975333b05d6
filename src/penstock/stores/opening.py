"""From a store's URL to the store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from penstock.errors import BadRequest
from penstock.stores.interface import ChecksumBook, Store
from penstock.stores.local import LocalStore
from penstock.stores.memory import MemoryStore


def open_store(url: str, book: ChecksumBook, *, threads: int = 16, sha256: bool = True) -> Store:
    """Open ``file:///folder`` or ``memory://``.

    ``book`` remembers checksums for stores that cannot; ``threads`` bounds blocking writes.

    :raises BadRequest: the URL names no store we know.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return LocalStore(Path(unquote(parts.path)), book, threads=threads, sha256=sha256)
    if parts.scheme == "memory":
        return MemoryStore()
    raise BadRequest(f"unknown store {url!r}; use file:///folder or memory://")
