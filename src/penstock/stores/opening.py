"""From a store's URL to the store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from penstock.errors import BadRequest
from penstock.stores.interface import ChecksumBook, Store
from penstock.stores.local import LocalStore
from penstock.stores.memory import MemoryStore
from penstock.stores.s3.options import S3Options


def open_store(
    url: str,
    book: ChecksumBook,
    *,
    threads: int = 16,
    sha256: bool = True,
    s3: S3Options | None = None,
    spool: Path | None = None,
) -> Store:
    """Open ``file:///folder``, ``s3://bucket[/prefix]`` or ``memory://``.

    ``book`` remembers checksums for stores that cannot; ``threads`` bounds blocking writes.
    ``s3`` is how S3 is used, and ``spool`` a folder for what is on its way there.

    :raises BadRequest: the URL names no store we know.
    :raises MissingExtra: the store needs an extra that is not installed.
    """
    if url.startswith("s3://"):
        from penstock.stores.s3.store import S3Store  # costs a start what only S3 needs

        folder = str(spool) if spool is not None else ""
        return S3Store(url, book, s3, threads=threads, sha256=sha256, folder=folder)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return LocalStore(Path(unquote(parts.path)), book, threads=threads, sha256=sha256)
    if parts.scheme == "memory":
        return MemoryStore()
    raise BadRequest(
        f"unknown store {url!r}; use file:///folder, s3://bucket, cluster:// or memory://"
    )
