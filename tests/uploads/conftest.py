"""Uploads over real stores and a real catalog, as one server process has them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from penstock.catalog import GroupCommit, Ledger, SqlChecksums, open_database, sqlite_url
from penstock.stores import Store, open_store
from penstock.uploads import Folder, UploadLimits, Uploads

Start = Callable[..., Awaitable["House"]]


@dataclass
class House:
    """The uploads of one process, and the store they end in."""

    uploads: Uploads
    store: Store

    async def stored(self, key: str) -> bytes:
        return b"".join([data async for data in self.store.read(key)])


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Start what a server process has, on one folder and one catalog; again for a second one."""
    async with AsyncExitStack() as stack:

        def open_house(store_url: str = "", catalog: str = "", **limits: Any) -> House:
            engine = open_database(catalog or sqlite_url(tmp_path / "catalog.sqlite"))
            stack.callback(engine.dispose)
            book = SqlChecksums(engine)
            store = open_store(store_url or (tmp_path / "files").as_uri(), book)
            stack.push_async_callback(store.close)
            folder = Folder.at(tmp_path / "uploads")
            commits = GroupCommit(engine)
            stack.push_async_callback(commits.close)
            uploads = Uploads(store, Ledger(engine, commits), folder, UploadLimits(**limits))
            stack.push_async_callback(uploads.close)
            return House(uploads, store)

        async def start(*options: Any, **limits: Any) -> House:
            return await asyncio.to_thread(open_house, *options, **limits)

        yield start


@pytest.fixture
async def house(start: Start) -> House:
    return await start()
