"""Folders as many files: walked here, listed there, and named the same on both sides."""

import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from penstock.client.answers import FileInfo
from penstock.client.file_reader import Path
from penstock.client.following import follow
from penstock.client.get import download, get
from penstock.client.http import Http
from penstock.client.listing import delete, pages
from penstock.client.put import put
from penstock.client.several import Done, Meters, Several, each, few_at_once, settled
from penstock.errors import KeyConflict, NotFound, ServerUnavailable
from penstock.remote.urls import redacted
from penstock.stores.keys import check_key
from penstock.threads import use_in_thread


class Pair(NamedTuple):
    """One local file and its key; ``error`` if the folder it stands for cannot be read."""

    path: str
    key: str
    info: FileInfo | None = None
    error: OSError | None = None


def put_many(http: Http, pairs: Several[Pair], meters: Meters) -> AsyncGenerator[Done, None]:
    """Store each file at its key."""

    async def one(pair: Pair) -> Done:
        if pair.error is not None:
            raise pair.error
        stored = await put(http, pair.path, pair.key, meters(pair.key))
        return Done(pair.key, pair.path, stored.info, stored.skipped)

    return few_at_once(pairs, lambda pair: settled(pair.key, pair.path, partial(one, pair)))


def get_many(
    http: Http, pairs: Several[Pair], meters: Meters, *, following: bool = False
) -> AsyncGenerator[Done, None]:
    """Fetch each key to its file, perhaps while it arrives; folders are made as needed."""

    async def one(pair: Pair) -> Done:
        check_key(pair.key)  # above all no "..": the server is not trusted with our disk
        await use_in_thread(_make_folder, os.path.dirname(pair.path))
        if following:
            stored = await follow(http, pair.key, pair.path, meters(pair.key))
        else:
            stored = await get(http, pair.key, pair.path, meters(pair.key), known=pair.info)
        return Done(pair.key, pair.path, stored.info, stored.skipped)

    return few_at_once(pairs, lambda pair: settled(pair.key, pair.path, partial(one, pair)))


def download_many(
    http: Http,
    pairs: Several[Pair],
    headers: Mapping[str, str],
    sha256: str | None,
    meters: Meters,
) -> AsyncGenerator[Done, None]:
    """Fetch each URL, which stands in the place of the key, to its file."""

    async def one(pair: Pair, name: str) -> Done:
        await use_in_thread(_make_folder, os.path.dirname(pair.path))
        try:
            stored = await download(http, pair.key, pair.path, meters(name), headers, sha256)
        except ServerUnavailable as error:  # those of other servers may fare better
            return Done(name, pair.path, error=error)
        return Done(name, pair.path, stored.info, stored.skipped)

    def work(pair: Pair) -> Awaitable[Done]:
        name = redacted(pair.key)
        return settled(name, pair.path, partial(one, pair, name))

    return few_at_once(pairs, work)


def delete_many(http: Http, keys: Several[str]) -> AsyncGenerator[Done, None]:
    """Remove each key."""

    async def one(key: str) -> Done:
        await delete(http, key)
        return Done(key)

    return few_at_once(keys, lambda key: settled(key, "", partial(one, key)))


async def as_pairs(pairs: Several[tuple[Path, str]]) -> AsyncIterator[Pair]:
    """Pairs as a caller gives them."""
    async for path, key in each(pairs):
        yield Pair(os.fspath(path), key)


async def pairs_below(folder: Path, prefix: str) -> AsyncIterator[Pair]:
    """Every file below ``folder``, with the key that its place there gives it."""
    base = os.path.join(os.fspath(folder), "")
    folders = _walk(base)
    while (found := await use_in_thread(next, folders, None)) is not None:
        for path, error in found:
            yield Pair(path, prefix + path[len(base) :], error=error)


async def pairs_under(http: Http, prefix: str, folder: Path) -> AsyncIterator[Pair]:
    """Every file under ``prefix``, with its place below ``folder``, the prefix's parent.

    :raises NotFound: nothing has this prefix.
    """
    parent = prefix.rstrip("/").rpartition("/")[0]
    cut = len(parent) + 1 if parent else 0
    found = False
    async for page in pages(http, prefix, ""):
        for info in page.files:
            found = True
            yield Pair(os.path.join(os.fspath(folder), info.key[cut:]), info.key, info)
    if not found:
        raise NotFound(f"nothing is stored under {prefix!r}")


def _walk(base: str) -> Iterator[list[tuple[str, OSError | None]]]:
    """The files of each folder in turn, in the order of their names.

    Links to files count as files. Links to folders, and folders that cannot be read, come last:
    each ends as an error of its own instead of being left out in silence.
    """
    failed: list[tuple[str, OSError | None]] = []

    def note(error: OSError) -> None:
        failed.append((str(error.filename), error))

    def check(path: str) -> None:
        if os.path.islink(path):
            note(OSError(errno.ELOOP, "is a link to a folder and is not followed", path))

    for folder, folders, files in os.walk(base, onerror=note):
        folders.sort()
        yield [(os.path.join(folder, name), None) for name in sorted(files)]
        for name in folders:
            check(os.path.join(folder, name))
    yield failed


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path or ".", exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise KeyConflict(f"{error.filename} is a file where a folder is needed") from error
