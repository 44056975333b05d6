"""The operator, who has a name and a password."""

import hmac
import logging
import unicodedata
from hashlib import sha256

from aiohttp import web

from penstock.errors import BadRequest, LoginNeeded
from penstock.logs import note
from penstock.server.access.credentials import basic_of
from penstock.server.access.guessing import Guessing
from penstock.server.access.password import password_of
from penstock.server.services import SERVICES
from penstock.threads import in_thread

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Penstock", charset="UTF-8"'}
_MOST = 4096
"""Characters of what is tried."""


class Operator:
    """One name and one password.

    :raises BadRequest: the name has a colon, which HTTP Basic cannot carry (RFC 7617 §2).
    """

    def __init__(self, user: str, password: str) -> None:
        if ":" in user:
            raise BadRequest("dashboard_user must not have a colon; choose another name")
        self.user = user
        self.mark = _digest(f"{user}:{password}")
        """Another one with another password; the password cannot be found out from it if it is
        long enough, so it is shown nowhere."""
        self._guessing = Guessing()

    async def knows(self, credentials: str, address: str) -> bool:
        """Whether ``NAME:PASSWORD`` is right, which somebody at this address tries.

        :raises TooManyAttempts: too many wrong ones came from there.
        """
        await self._guessing.wait(address)
        if len(credentials) <= _MOST and hmac.compare_digest(_digest(credentials), self.mark):
            self._guessing.was_right(address)
            return True
        self._guessing.was_wrong(address)
        note("login failed", level=logging.WARNING, remote=address)
        return False

    async def check(self, request: web.Request) -> None:
        """Let pass who sends the name and the password by HTTP Basic.

        :raises LoginNeeded: there are none, or others.
        :raises TooManyAttempts: too many wrong ones came from this address.
        """
        given = basic_of(request.headers.get("Authorization", ""))
        if given is None:
            raise LoginNeeded("log in with name and password", headers=_CHALLENGE)
        if not await self.knows(given.whole, request.remote or ""):
            raise LoginNeeded("name or password is wrong", headers=_CHALLENGE)


OPERATOR = web.AppKey("operator", Operator)


async def prepare_operator(app: web.Application) -> None:
    """Find or make the password before the first request."""
    settings = app[SERVICES].settings
    app[OPERATOR] = Operator(settings.dashboard_user, await in_thread(password_of, settings))


async def check_operator(request: web.Request) -> None:
    """As :meth:`Operator.check`, where the gate has let everybody pass.

    Pages that were guarded before there were tokens stay so where access is off.
    """
    if not request.app[SERVICES].access.is_on:
        await request.app[OPERATOR].check(request)


def _digest(credentials: str) -> bytes:
    """Of equal length whatever was sent; letters that look alike are alike (RFC 7617 §2.1)."""
    plain = unicodedata.normalize("NFC", credentials)
    return sha256(plain.encode(errors="surrogateescape")).digest()
