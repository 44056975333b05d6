"""One look over everything, from the folder of the data to the last ability of the store."""

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from penstock.catalog.looking import folder_of, look_at, shown
from penstock.cluster import ClusterOptions
from penstock.doctor.findings import Finding, Findings, broken, clock, ok, warning
from penstock.doctor.on_catalog import look_into_catalog
from penstock.doctor.on_cluster import look_at_cluster
from penstock.doctor.on_host import look_at_clock, look_at_disk, look_at_extras, look_at_limits
from penstock.doctor.on_s3 import look_at_s3
from penstock.doctor.on_settings import look_at_access, look_at_names, look_at_public_url
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
    host: str = "127.0.0.1"
    access: bool = False
    public_url: str = ""
    max_transfers: int = 1
    variables: Collection[str] = frozenset()
    """Those of the environment that are options of commands."""

    async def findings(self) -> Findings:
        """One after the other; what is wrong is among them, and raises nothing."""
        for one in await in_thread(lambda: [*look_at_names(self.variables)]):
            yield one
        yield look_at_access(self.host, is_on=self.access, public_url=self.public_url)
        for one in look_at_public_url(self.public_url):
            yield one
        yield await in_thread(_folder, self.data)
        for one in await in_thread(look_at_disk, self.data):
            yield one
        for look in (self._catalog(), self._store()):
            async with aclosing(look) as found:
                async for one in found:
                    yield one
        yield await in_thread(partial(look_at_clock, matters=self._is_shared))
        yield look_at_limits(self.max_transfers)
        for one in await in_thread(look_at_extras):
            yield one

    @property
    def _is_shared(self) -> bool:
        """Whether other hosts hold their clocks against ours."""
        files = self.store.startswith(("s3:", "cluster:"))
        return files or not self.catalog.startswith("sqlite")

    async def _catalog(self) -> Findings:
        async with aclosing(_catalog(self.catalog, self.data, access=self.access)) as found:
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
                for one in await in_thread(look_at_disk, local):
                    yield one
        finally:
            await store.close()


async def _written(store: Store) -> Finding:
    name = "store can be written"
    try:
        await store.check()
    except (PenstockError, OSError) as error:
        return broken(name, _text(error))
    return ok(name, "a file was written, and removed again")


async def _catalog(url: str, data: Path, *, access: bool) -> Findings:
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
    if revision == newest:
        async with aclosing(look_into_catalog(url, access=access)) as found:
            async for one in found:
                yield one


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
