"""Asking a server for pulls, and waiting for what becomes of them."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import aiohttp
import pytest

from penstock.jobs import JobLimits
from penstock.remote import RemoteLimits

PullJson = dict[str, Any]
PATIENCE = 30.0


class Asked(Protocol):
    """A server that can be asked."""

    async def call(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]: ...


@dataclass
class Far:
    """One in another process, by a session with its address."""

    session: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, path, data=data, headers=fields) as response:
            return response, await response.read()


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let servers of this process wait less between tries, and look more often."""
    jobs = partial(JobLimits, beat=0.1, poll=0.1, first_pause=0.1)
    monkeypatch.setattr("penstock.jobs.jobs.JobLimits", jobs)
    monkeypatch.setattr("penstock.wiring.RemoteLimits", partial(RemoteLimits, first_pause=0.01))


async def begin(api: Asked, url: str, key: str = "film", **wish: Any) -> PullJson:
    """Begin a pull that is accepted."""
    response, body = await ask(api, {"url": url, "key": key, **wish})
    assert response == 202, body
    return body


async def ask(api: Asked, wish: Any) -> tuple[int, PullJson]:
    """Ask for a pull; answers status and JSON."""
    response, body = await api.call(
        "POST", "/v1/pulls", json.dumps(wish), Content_Type="application/json"
    )
    return response.status, json.loads(body)


async def look(api: Asked, pull: PullJson) -> PullJson:
    """How a pull stands."""
    response, body = await api.call("GET", f"/v1/pulls/{pull['id']}")
    assert response.status == 200
    found: PullJson = json.loads(body)
    return found


async def standing(
    api: Asked, pull: PullJson, holds: Callable[[PullJson], bool], patience: float = PATIENCE
) -> PullJson:
    """Wait until something holds of a pull; answers how it stands then."""
    async with asyncio.timeout(patience):
        while not holds(now := await look(api, pull)):
            await asyncio.sleep(0.05)
    return now


async def ended(api: Asked, pull: PullJson, patience: float = PATIENCE) -> PullJson:
    """Wait for the end of a pull."""
    return await standing(api, pull, lambda now: bool(now["ended"]), patience)


async def pulled(api: Asked, url: str, key: str = "film", **wish: Any) -> PullJson:
    """A pull from its beginning to its end."""
    return await ended(api, await begin(api, url, key, **wish))
