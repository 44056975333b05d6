"""Who may see the dashboard: HTTP Basic authentication (RFC 7617)."""

import base64
import hmac
import logging
import unicodedata
from hashlib import sha256

from aiohttp import web

from penstock.errors import BadRequest, LoginNeeded
from penstock.server.dashboard.guessing import Guessing
from penstock.server.dashboard.password import password_of
from penstock.server.logs import note
from penstock.server.services import SERVICES
from penstock.threads import in_thread

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Penstock", charset="UTF-8"'}


class Login:
    """One name and one password.

    :raises BadRequest: the name has a colon, which HTTP Basic cannot carry (RFC 7617 §2).
    """

    def __init__(self, user: str, password: str) -> None:
        if ":" in user:
            raise BadRequest("dashboard_user must not have a colon; choose another name")
        self._digest = _digest(f"{user}:{password}")
        self._guessing = Guessing()

    async def check(self, request: web.Request) -> None:
        """Let pass who sends the name and the password.

        :raises LoginNeeded: there are none, or others.
        :raises TooManyAttempts: too many wrong ones came from this address.
        """
        given = _credentials(request.headers.get("Authorization", ""))
        if given is None:
            raise LoginNeeded("log in with name and password", headers=_CHALLENGE)
        address = request.remote or ""
        await self._guessing.wait(address)
        if not hmac.compare_digest(_digest(given), self._digest):
            self._guessing.was_wrong(address)
            note("login failed", level=logging.WARNING, remote=address)
            raise LoginNeeded("name or password is wrong", headers=_CHALLENGE)
        self._guessing.was_right(address)


LOGIN = web.AppKey("login", Login)


async def prepare_login(app: web.Application) -> None:
    """Find or make the password before the first request."""
    settings = app[SERVICES].settings
    app[LOGIN] = Login(settings.dashboard_user, await in_thread(password_of, settings))


def _credentials(field: str) -> str | None:
    """``NAME:PASSWORD`` of an ``Authorization`` field; ``None`` if there is none to read."""
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(token.strip(), validate=True).decode()
    except ValueError:
        return None


def _digest(credentials: str) -> bytes:
    """Of equal length whatever was sent; letters that look alike are alike (RFC 7617 §2.1)."""
    return sha256(unicodedata.normalize("NFC", credentials).encode()).digest()
