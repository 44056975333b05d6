"""What tests of share links have in common."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.server.conftest import Api


async def share(api: Api, token: str | None = None, **wish: Any) -> dict[str, Any]:
    """Make a share; answers it as the server tells it."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with api.session.post("/v1/shares", json=wish, headers=headers) as response:
        assert response.status == 201, await response.text()
        made: dict[str, Any] = await response.json()
        return made


def page_of(made: Mapping[str, Any]) -> str:
    """The path of its page."""
    return urlsplit(str(made["url"])).path


def file_of(made: Mapping[str, Any]) -> str:
    """The path of its bytes."""
    return f"{page_of(made)}/file"


def bearer_of(made: Mapping[str, Any]) -> str:
    """What is sent with files that are put by it, if it has no password."""
    return f"Bearer shr_{page_of(made).removeprefix('/s/')}"


def basic(password: str, user: str = "anybody") -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


async def status(api: Api, path: str, method: str = "GET", **headers: str) -> int:
    response, _ = await api.call(method, path, **headers)
    return response.status


async def left(api: Api, made: Mapping[str, Any]) -> int | None:
    """How many downloads, or files, are left."""
    response, _ = await api.call("GET", f"{page_of(made)}/info")
    found: int | None = (await response.json())["left"]
    return found
