"""One look over everything, from the folder of the data to the last ability of the store."""

import os
import shutil
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from penstock.catalog.looking import folder_of, look_at, shown
from penstock.cluster import ClusterOptions
from penstock.doctor.findings import Finding, Findings, broken, clock, ok, warning
from penstock.doctor.on_cluster import look_at_cluster
from penstock.doctor.on_s3 import look_at_s3
from penstock.errors import PenstockError
from penstock.stores.interface import Store
from penstock.stores.s3.store import S3Store
from penstock.threads import in_thread

_LITTLE = 1 << 30
"""Bytes of free space below which it is told."""


@dataclass(frozen=True, slots=True)
class Examination:
    """``store`` is opened by ``open_store`` (blocking), unless its folder is not there yet, or it
    is in a ``cluster``."""

    data: Path
    store: str
    catalog: str
    open_store: Callable[[], Store]
    cluster: ClusterOptions | None = None

    async def findings(self) -> Findings:
        """One after the other; what is wrong is among them, and raises nothing."""
        yield await in_thread(_folder, self.data)
        async with aclosing(_catalog(self.catalog, self.data)) as found:
            async for one in found:
                yield one
        async with aclosing(self._store()) as found:
            async for one in found:
                yield one

    async def _store(self) -> Findings:
        local = _local_folder(self.store)
        yield ok("store", self.store)
        if self.cluster is not None:
            async with aclosing(look_at_cluster(self.catalog, self.cluster)) as found:
                async for one in found:
                    yield one
            return
        if local is not None and not await in_thread(os.path.exists, local):
            yield await in_thread(_folder, local)
            return
        try:
            store = await in_thread(self.open_store)
        except (PenstockError, OSError) as error:
            yield broken("store can be opened", _text(error))
            return
        try:
            if isinstance(store, S3Store):
                async with aclosing(look_at_s3(store)) as found:
                    async for one in found:
                        yield one
                return
            yield await _written(store)
            if local is not None:
                yield await in_thread(_space, local)
        finally:
            await store.close()


async def _written(store: Store) -> Finding:
    name = "store can be written"
    try:
        await store.check()
    except (PenstockError, OSError) as error:
        return broken(name, _text(error))
    return ok(name, "a file was written, and removed again")


async def _catalog(url: str, data: Path) -> Findings:
    try:
        yield ok("catalog", shown(url))
        standing = await in_thread(look_at, url)
    except PenstockError as error:
        yield broken("catalog can be used", _text(error))
        return
    revision, newest = standing.revision, standing.newest
    if revision is None:
        folder = folder_of(url)
        made = folder is None or folder == data.absolute()  # of which there is a finding
        yield _new() if made else await in_thread(_new, folder)
    elif revision == newest:
        yield ok("catalog's schema", f"of this version ({newest})")
    elif revision < newest:
        yield warning("catalog's schema", f"{revision}; the next start brings it to {newest}")
    else:
        yield broken(
            "catalog's schema",
            f"{revision}, of a newer Penstock than this, which knows {newest}; install that",
        )
    if not url.startswith("sqlite"):
        yield clock("catalog's clock", standing.ahead, doubtful=5.0, fatal=float("inf"))


def _new(folder: Path | None = None) -> Finding:
    """The schema can be made; in ``folder``, which no start makes."""
    name = "catalog's schema"
    if folder is not None and not os.access(folder, os.W_OK | os.X_OK):
        return broken(name, f"{folder} is not there, or cannot be written by this user; make it")
    return ok(name, "it is empty, and made by the first start")


def _folder(path: Path) -> Finding:
    """The folder can be used, or made; and there is room."""
    there = path.absolute()
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    name = f"folder {path}"
    if not there.is_dir():
        return broken(name, f"{there} is no folder; remove it, or name another")
    if not os.access(there, os.W_OK | os.X_OK):
        return broken(name, f"{there} cannot be written by this user; change its owner or mode")
    found = _space(there)
    made = "" if there == path.absolute() else "; made by the first start"
    return Finding(name, found.state, f"{found.text}{made}")


def _space(path: Path) -> Finding:
    free = shutil.disk_usage(path).free
    text = f"{free / (1 << 30):,.1f} GiB are free"
    name = f"space in {path}"
    return warning(name, f"{text}; that is little") if free < _LITTLE else ok(name, text)


def _local_folder(url: str) -> Path | None:
    parts = urlsplit(url)
    here = parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path
    return Path(unquote(parts.path)) if here else None


def _text(error: Exception) -> str:
    if isinstance(error, PenstockError):
        return error.detail
    return getattr(error, "strerror", None) or str(error)
