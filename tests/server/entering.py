"""Servers that ask who comes, and what one sends them."""

from base64 import b64encode
from typing import Any, NamedTuple
from urllib.parse import urlencode

from penstock.access.tokens import Wish
from tests.server.conftest import Api, StartApi

PASSWORD = "of the operator"
FORM = "application/x-www-form-urlencoded"


async def guarded(start_api: StartApi, **options: Any) -> Api:
    """An application that asks for tokens and logins."""
    return await start_api(access="on", dashboard_password=PASSWORD, **options)


async def token_for(api: Api, *scopes: str, **wish: Any) -> str:
    """The text of a new token."""
    _, text = await api.services.access.tokens.add(Wish("a test", scopes, **wish), "login")
    return text


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


class LoggedIn(NamedTuple):
    """What came of a login; ``cookie`` is all that ``Set-Cookie`` says."""

    status: int
    location: str
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        """What the browser sends from then on."""
        return {"Cookie": self.cookie.partition(";")[0]}


async def log_in(
    api: Api,
    secret: str,
    onward: str = "",
    **headers: str,
) -> LoggedIn:
    """Send the form, as a browser does."""
    form = urlencode({"secret": secret, "next": onward})
    fields = {"Content-Type": FORM, **headers}
    async with api.session.post(
        "/login", data=form.encode(), headers=fields, allow_redirects=False
    ) as response:
        return LoggedIn(
            response.status,
            response.headers.get("Location", ""),
            response.headers.get("Set-Cookie", ""),
        )


async def status_of(api: Api, method: str, path: str, headers: dict[str, str]) -> int:
    async with api.session.request(
        method, path, headers=headers, allow_redirects=False
    ) as response:
        await response.read()
        return response.status
