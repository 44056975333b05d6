"""What a request brings along to say who asks: ``Authorization`` (RFC 9110 §11.6.2), a cookie."""

import base64
from typing import NamedTuple

from aiohttp import web

from penstock.errors import LoginNeeded

COOKIE = "penstock_session"

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Penstock"'}


class Basic(NamedTuple):
    """``user-id ":" password`` of HTTP Basic (RFC 7617 §2)."""

    whole: str

    @property
    def user(self) -> str:
        return self.whole.partition(":")[0]

    @property
    def password(self) -> str:
        return self.whole.partition(":")[2]


def bearer_of(field: str) -> str | None:
    """The token of ``Bearer TOKEN`` (RFC 6750 §2.1); ``None`` if it is something else."""
    scheme, _, token = field.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def basic_of(field: str) -> Basic | None:
    """What ``Basic …`` holds; ``None`` if it is something else, or cannot be read."""
    scheme, _, token = field.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return Basic(base64.b64decode(token.strip(), validate=True).decode())
    except ValueError:
        return None


def not_known() -> LoginNeeded:
    """The token or the password is wrong; which of it, and why, is not told."""
    return LoginNeeded("this token or password is not known, or has expired", headers=CHALLENGE)


def session_of(request: web.Request) -> str:
    """The text of the login's cookie, or nothing."""
    return request.cookies.get(COOKIE, "") if "Cookie" in request.headers else ""
