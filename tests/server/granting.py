"""Tokens for tests, and requests that bring them."""

import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from penstock.access import Scope
from penstock.access.tokens import Wish
from tests.server.conftest import Api, StartApi

FOLDER = "team/"
"""The folder that bound tokens are bound to."""

ALL = tuple(Scope)


@dataclass
class As:
    """An application, to be asked with one token; an empty one is not sent."""

    api: Api
    token: str

    async def call(
        self, method: str, path: str, data: Any = None, **headers: str
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        return await self.api.call(method, path, data, **headers)

    async def status(self, method: str, path: str, data: Any = None, **headers: str) -> int:
        response, _ = await self.call(method, path, data, **headers)
        return response.status

    async def document(
        self, method: str, path: str, spec: Any = None, **headers: str
    ) -> dict[str, Any]:
        """Send JSON; answers what came, which must be a success."""
        data = None if spec is None else json.dumps(spec)
        response, body = await self.call(
            method, path, data, Content_Type="application/json", **headers
        )
        assert response.status < 300, body
        found: dict[str, Any] = json.loads(body)
        return found


async def guarded(start_api: StartApi, **options: Any) -> Api:
    """An application that asks for tokens."""
    return await start_api(access="on", **options)


async def with_token(api: Api, *scopes: str, prefix: str = "", **more: Any) -> As:
    """That application, asked with a new token."""
    _, text = await api.services.access.tokens.add(
        Wish("of a test", scopes or ALL, prefix, **more), "test"
    )
    return As(api, text)


async def with_expired(api: Api, *scopes: str) -> As:
    """The same with one that has expired."""
    expired = await with_token(api, *(scopes or ALL), lifetime=1e-3)
    while await api.services.access.tokens.find(expired.token) is not None:
        time.sleep(0.001)  # it is over in a millisecond
    return expired


async def as_newcomer(api: Api) -> As:
    """The same with what the share link of a folder is good for that files are asked for with."""
    maker = await with_token(api, Scope.WRITE)
    share = await maker.document("POST", "/v1/shares", {"kind": "upload", "prefix": FOLDER})
    return As(api, f"shr_{share['url'].rpartition('/')[2]}")
