"""Asking a server for archives, waiting for what becomes of them, and standing in their way."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from penstock.archives.in_store import archiver
from penstock.jobs import JobLimits
from penstock.stores.interface import Store
from tests.pulls.pulling import Asked
from tests.server.conftest import Api

ArchiveJson = dict[str, Any]
PATIENCE = 30.0


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers of this process wait less between attempts, and look more often."""
    limits = partial(JobLimits, beat=0.1, poll=0.1, first_pause=0.1)
    monkeypatch.setattr("penstock.jobs.jobs.JobLimits", limits)
    monkeypatch.setattr(archiver, "_SETTLING", 0.0)


async def ask(api: Asked, wish: Any, path: str = "/v1/archives") -> tuple[int, ArchiveJson]:
    """Ask for an archive; answers status and JSON."""
    response, body = await api.call("POST", path, json.dumps(wish), Content_Type="application/json")
    return response.status, json.loads(body)


async def begin(api: Asked, prefix: str, **wish: Any) -> ArchiveJson:
    """Begin an archive that is accepted, and is not the same as one that is done."""
    status, archive = await ask(api, {"prefix": prefix, **wish})
    assert status == 202, archive
    return archive


async def plan(api: Asked, prefix: str, **wish: Any) -> ArchiveJson:
    """What an archive would take."""
    status, told = await ask(api, {"prefix": prefix, **wish}, "/v1/archives/plan")
    assert status == 200, told
    return told


async def look(api: Asked, archive: ArchiveJson) -> ArchiveJson:
    """How an archive stands."""
    response, body = await api.call("GET", f"/v1/archives/{archive['id']}")
    assert response.status == 200
    found: ArchiveJson = json.loads(body)
    return found


async def standing(
    api: Asked,
    archive: ArchiveJson,
    holds: Callable[[ArchiveJson], bool],
    patience: float = PATIENCE,
) -> ArchiveJson:
    """Wait until something holds of an archive; answers how it stands then."""
    async with asyncio.timeout(patience):
        while not holds(now := await look(api, archive)):
            await asyncio.sleep(0.05)
    return now


async def ended(api: Asked, archive: ArchiveJson, patience: float = PATIENCE) -> ArchiveJson:
    """Wait for the end of an archive."""
    return await standing(api, archive, lambda now: bool(now["ended"]), patience)


async def archived(api: Asked, prefix: str, **wish: Any) -> ArchiveJson:
    """An archive from its beginning to its end."""
    return await ended(api, await begin(api, prefix, **wish))


async def log(api: Asked, archive: ArchiveJson) -> list[str]:
    """What became of an archive."""
    _, body = await api.call("GET", f"/v1/jobs/{archive['id']}/log")
    return [line["text"] for line in json.loads(body)["lines"]]


async def uploads_left(api: Api, archive: ArchiveJson) -> int:
    """How many uploads of an archive are unfinished."""
    owner = f"archive:{archive['id']}"
    return len(await api.services.uploads.open_for(archive["key"], owner))


class Gate:
    """The store gives no byte of the file at ``key`` before the gate is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: Store, key: str) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()
        self._read = store.read
        self._key = key
        monkeypatch.setattr(store, "read", self._gated)

    def open(self) -> None:
        """Let everybody through, from now on."""
        self._open.set()

    async def wait(self) -> None:
        """Until somebody stands at the gate."""
        async with asyncio.timeout(PATIENCE):
            await self.reached.wait()

    async def _gated(
        self, key: str, start: int = 0, stop: int | None = None, *, etag: str | None = None
    ) -> AsyncIterator[bytes]:
        if key == self._key:
            self.reached.set()
            await self._open.wait()
        async for data in self._read(key, start, stop, etag=etag):
            yield data
