"""Logins of browsers: begun with a token or the operator's password, ended by time or by hand."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

from penstock.access.grant import Grant, Scope
from penstock.access.tokens import Token, Tokens, digest_of
from penstock.catalog.access import SessionBook, SessionRow

_BYTES = 32
_MOST = 128
"""Characters that a cookie of ours has at most."""

OPERATOR = "login"
"""The operator as an actor."""


class Sessions:
    """All logins of the catalog; ``lifetime`` is in seconds.

    What a browser keeps is random; the catalog has its SHA-256. That of an operator's login is
    made with a ``mark`` of the password, so with another password it is good for nothing.
    """

    def __init__(self, book: SessionBook, tokens: Tokens, lifetime: float) -> None:
        self._book = book
        self._tokens = tokens
        self._lifetime = lifetime

    async def begin(self, token: Token) -> tuple[str, float]:
        """Log in with a token; answers the text for the cookie, and when it ends."""
        expires = time.time() + self._lifetime
        return await self._begin(token.id, b"", min(expires, token.expires or expires))

    async def begin_operator(self, mark: bytes) -> tuple[str, float]:
        """Log the operator in, as :meth:`begin`."""
        return await self._begin("", mark, time.time() + self._lifetime)

    async def _begin(self, token: str, mark: bytes, expires: float) -> tuple[str, float]:
        text = secrets.token_urlsafe(_BYTES)
        row = SessionRow(_digest(text, mark), token, time.time(), expires)
        await self._book.add(row)
        return text, expires

    async def find(self, text: str, mark: bytes, user: str) -> Grant | None:
        """What the login is good for that a cookie has the text of; ``user`` is the operator."""
        if len(text) > _MOST:
            return None
        own = _digest(text, mark)
        row = await self._book.find([digest_of(text), own], time.time())
        if row is None:
            return None
        if not row.token:
            is_own = row.digest == own
            return operator_grant(user, row.expires) if is_own else None
        token = await self._tokens.get(row.token)
        if token is None:
            return None
        return replace(token.grant, expires=min(row.expires, token.expires or row.expires))

    async def end(self, text: str, mark: bytes) -> None:
        """Log out; durable on return."""
        if len(text) <= _MOST:
            await self._book.remove([digest_of(text), _digest(text, mark)])

    async def sweep(self, clock: Callable[[], float] = time.time) -> None:
        """Forget those that have expired."""
        await self._book.sweep(clock())


def operator_grant(user: str, expires: float | None = None) -> Grant:
    """What the operator may do: everything."""
    return Grant(OPERATOR, user, frozenset({Scope.ADMIN}), expires=expires)


def _digest(text: str, mark: bytes) -> bytes:
    return digest_of(f"{text}:{mark.hex()}") if mark else digest_of(text)
